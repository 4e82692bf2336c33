"""My series: the table of a series, one row per team.

The page reads standings by the id of the series (and by its name where that finds nothing), and finds the team of each
row by its printed name, for the average PTI of its players. Teams that have left are not looked for.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.words import STANDINGS_WANTED

FEATURE = Feature(
    name="my_series",
    title="My series",
    route="/mobile/my-series",
    subject="series",
    right="shows one row for each active team of the series, and finds the team of each row by its name",
    sql=f"""
    with {STANDINGS_WANTED},
    active as (select id, team_name, series_id from teams where league_id = :league_id and is_active is not false),
    standing as (
        select
            s.series_id,
            count(*) filter (where a.id is not null or t.id is null) as rows,
            count(distinct a.id) as found
        from series_stats as s
        left join teams as t on t.id = s.team_id
        left join active as a on a.id = s.team_id and a.team_name = s.team and a.series_id = s.series_id
        where s.league_id = :league_id and (t.id is null or t.is_active is not false)
        group by s.series_id
    )
    select
        a.series_id as subject_id,
        not w.is_wanted or coalesce(s.found = a.teams and s.rows = a.teams, false) as works,
        case when s.rows is null then 'No series data'
            else concat(s.found, ' of ', a.teams, ' teams', case when s.rows > s.found
                then concat(', ', s.rows - s.found, ' rows without a team') end) end as shown
    from (select series_id, count(*) as teams from active group by series_id) as a
    cross join standings_wanted as w
    left join standing as s on s.series_id = a.series_id
    """,
)
