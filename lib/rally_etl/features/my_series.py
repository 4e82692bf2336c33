"""My series: the table of a series, one row per team.

The page reads standings by the id of the series (and by its name where that finds nothing), and finds the team of each
row by its printed name, for the average PTI of its players.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature

FEATURE = Feature(
    name="my_series",
    title="My series",
    route="/mobile/my-series",
    subject="series",
    right="shows one row for each active team of the series, and finds the team of each row",
    sql="""
    with played as (
        select t.series_id, s.name, count(*) as teams
        from teams as t
        join series as s on s.id = t.series_id
        where t.league_id = :league_id and t.is_active is not false
        group by t.series_id, s.name
    ),
    standing as (
        select s.series_id, count(*) as shown, count(t.id) as found, count(distinct t.id) as distinct_teams
        from series_stats as s
        left join teams as t on t.team_name = s.team and t.league_id = s.league_id and t.id = s.team_id
            and t.is_active is not false
        where s.league_id = :league_id
            and (s.team_id is null or s.team_id in (select id from teams where is_active is not false))
        group by s.series_id
    )
    select
        p.series_id as subject_id,
        coalesce(s.found = p.teams and s.shown = p.teams, false) as works,
        coalesce(s.shown, 0) || ' rows for ' || p.teams || ' teams' as shown
    from played as p
    left join standing as s on s.series_id = p.series_id
    """,
)
