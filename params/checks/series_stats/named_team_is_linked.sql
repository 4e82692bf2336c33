-- title: A row of the standings that names a team of the league is linked to a team
-- severity: error
-- dimension: completeness
-- owner: league-data
-- why: The name is right there and the page of the team still shows no position (incident 14: 132 rows).
-- mend: `rally-etl orphans --repair` links what names a live team.
with unlinked as materialized (
    select
        id,
        series,
        team
    from series_stats
    where
        league_id = :league_id
        and team_id is null
),

named as (
    -- Where several series have a team of one name, the name alone says nothing.
    select team_name
    from teams
    where league_id = :league_id
    group by team_name
    having count(*) = 1
)

select
    u.id,
    u.series,
    u.team
from unlinked as u
where u.team in (select n.team_name from named as n)
