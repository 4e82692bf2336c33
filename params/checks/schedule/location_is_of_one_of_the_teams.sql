-- title: A scheduled match is played at the club of one of its teams
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: The page takes home and away from the place, and its address from the club of that name; another name shows neither.
-- mend: Add the spelling to the club in params/clubs.yaml and scrape the schedule again; a neutral place is no fault.
-- max_failing_share: 0.001
-- max_failing_share.CNSWPL: 0.005
-- max_failing_share.NSTF: 0.05
-- share_of: schedule of the last year
with known as materialized (
    select
        t.id,
        c.name
    from teams as t
    inner join clubs as c on c.id = t.club_id
    where t.league_id = :league_id
)

select
    s.id,
    s.match_date,
    s.home_team,
    s.away_team,
    s.location
from schedule as s
left join known as h on h.id = s.home_team_id
left join known as a on a.id = s.away_team_id
where
    s.league_id = :league_id
    and (s.match_date > cast(:as_of as date) - 365 or s.created_at > cast(:as_of as date) - 365)
    and s.home_team_id is not null
    and s.away_team_id is not null
    and (s.location = h.name or s.location = a.name) is not true
