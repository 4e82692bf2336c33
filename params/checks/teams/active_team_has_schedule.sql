-- title: An active team has matches in the schedule
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: A captain of a team without schedule cannot ask for availability (incident 12: 205 of 727 teams).
-- mend: Scrape the schedule again; if the schedule has the team under another name, answer with `rally-etl reviews` or add an alias to params/leagues/<league>.yaml.
-- max_failing_share: 0.01
-- share_of: teams
with scheduled as (
    select home_team_id as team_id
    from schedule
    where
        league_id = :league_id
        and home_team not ilike '%practice%'
        and away_team <> ''
    union
    select away_team_id
    from schedule
    where league_id = :league_id
)

select
    t.id,
    t.team_name
from teams as t
where
    t.league_id = :league_id
    and t.is_active is not false
    and not exists (select from scheduled as s where s.team_id = t.id)
