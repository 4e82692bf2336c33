-- title: An active team has one to three captains
-- severity: warn
-- dimension: validity
-- owner: league-data
-- why: Captains see pages that others do not; a team of captains, or none, is a column that was misread.
-- mend: Scrape the roster again; the site marks captain and co-captain.
-- max_failing_share: 0.05
-- share_of: teams
select
    t.id,
    t.team_name,
    count(p.id) as player_count,
    count(p.id) filter (where lower(p.captain_status) in ('true', 'c', 'cc', 'yes')) as captain_count
from teams as t
inner join players as p on p.team_id = t.id
where
    t.league_id = :league_id
    and t.is_active is not false
    and p.league_id = :league_id
    and p.is_active is not false
group by
    t.id,
    t.team_name
having count(p.id) filter (where lower(p.captain_status) in ('true', 'c', 'cc', 'yes')) not between 1 and 3
