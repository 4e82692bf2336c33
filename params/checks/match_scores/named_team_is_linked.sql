-- title: A match line that names a team of the league is linked to a team
-- severity: error
-- dimension: completeness
-- owner: league-data
-- why: The name is right there and the pages of the team still miss the line (incident 14: 7,297 rows).
-- mend: `rally-etl orphans --repair` links what names a live team.
with named as (
    -- Where several series have a team of one name, the name alone says nothing.
    select team_name
    from teams
    where league_id = :league_id
    group by team_name
    having count(*) = 1
)

select
    id,
    match_date,
    home_team,
    home_team_id,
    away_team,
    away_team_id
from match_scores
where
    league_id = :league_id
    and (
        (home_team_id is null and home_team in (select n.team_name from named as n))
        or (away_team_id is null and away_team in (select n.team_name from named as n))
    )
