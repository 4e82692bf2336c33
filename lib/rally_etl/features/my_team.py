"""My team: the team's row of the standings, by id; its matches, by name.

Where the standings have no row for the team's id, the page counts matches itself and gives two points for each, which
is no league's rule.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.words import LINES_OF_SEASON, PLAYING, STANDINGS_WANTED

FEATURE = Feature(
    name="my_team",
    title="My team",
    route="/mobile/my-team",
    subject="team",
    right="shows one row of the standings under the team's own name, and by name each line that is the team's by id",
    sql=f"""
    with {PLAYING}, {LINES_OF_SEASON}, {STANDINGS_WANTED},
    standing as (
        select team_id, count(*) as rows, min(team) as team, min(points) as points
        from series_stats where league_id = :league_id group by team_id
    ),
    by_id as (select team_id, sum(lines) as lines from side group by team_id),
    by_name as (select team, sum(lines) as lines from side group by team)
    select
        p.id as subject_id,
        (not w.is_wanted or (s.rows = 1 and s.team = p.team_name) is true)
            and coalesce(i.lines, 0) = coalesce(n.lines, 0) as works,
        concat(
            case
                when s.rows is null then 'no standings'
                when s.rows > 1 then concat(s.rows, ' rows of standings')
                when s.team <> p.team_name then concat('the standings of ', s.team)
                else concat(s.points, ' points')
            end,
            ', ', coalesce(n.lines, 0), case when coalesce(i.lines, 0) <> coalesce(n.lines, 0)
                then concat(' of ', coalesce(i.lines, 0)) end, ' lines'
        ) as shown
    from playing as p
    cross join standings_wanted as w
    left join standing as s on s.team_id = p.id
    left join by_id as i on i.team_id = p.id
    left join by_name as n on n.team = p.team_name
    """,
)
