"""Volumes and coverage: the rows of each table, league and series, and whether they have what belongs to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.monitoring.metrics import EVERYWHERE, Metric

LeagueIds = Mapping[str, Sequence[int]]
"""League key -> its ``leagues.id``; several where live spells the league in several ways."""

Rows = dict[str, dict[str, int]]
"""League key, or `EVERYWHERE` for all rows whose ever they are -> table -> rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Rows of one table, league and series.

    Attributes:
        league_id, series: None where the rows have none.
        used: of teams and players the active rows, of the schedule the matches; of other tables all.
        covered: what of -> how many have it, and of how many.
    """

    table: str
    league_id: int | None
    series: str | None
    rows: int
    used: int
    covered: dict[str, tuple[int, int]]


# One pass over each table. `has_x` and `of_x` are coverage x.
_WITH_SERIES = {
    "teams": """
        with newest as (
            select
                league_id,
                make_date(cast(extract(year from max(match_date) - interval '7 months') as integer), 8, 1) as first_day
            from schedule where away_team <> '' and home_team not ilike '%practice%' group by league_id
        ),
        scheduled as (
            select distinct side.team_id
            from schedule as m
            join newest as n on n.league_id = m.league_id and n.first_day <= m.match_date
            cross join lateral (values (m.home_team_id), (m.away_team_id)) as side (team_id)
            where m.away_team <> '' and m.home_team not ilike '%practice%'
        ),
        manned as (select distinct team_id from players where is_active is not false),
        ranked as (select distinct team_id from series_stats)
        select
            t.league_id, s.name as series, count(*) as row_count,
            count(*) filter (where t.is_active is not false) as used,
            count(p.team_id) filter (where t.is_active is not false) as has_teams_with_players,
            count(*) filter (where t.is_active is not false) as of_teams_with_players,
            count(m.team_id) filter (where t.is_active is not false) as has_teams_with_schedule,
            count(*) filter (where t.is_active is not false) as of_teams_with_schedule,
            count(r.team_id) filter (where t.is_active is not false) as has_teams_with_standings,
            count(*) filter (where t.is_active is not false) as of_teams_with_standings
        from teams as t
        left join series as s on s.id = t.series_id
        left join manned as p on p.team_id = t.id
        left join scheduled as m on m.team_id = t.id
        left join ranked as r on r.team_id = t.id
        group by 1, 2
        """,
    "players": """
        select
            p.league_id, s.name as series, count(*) as row_count,
            count(*) filter (where p.is_active is not false) as used,
            count(p.team_id) filter (where p.is_active is not false) as has_players_with_team,
            count(*) filter (where p.is_active is not false) as of_players_with_team,
            count(p.pti) filter (where p.is_active is not false) as has_players_with_pti,
            count(*) filter (where p.is_active is not false) as of_players_with_pti
        from players as p
        left join series as s on s.id = p.series_id
        group by 1, 2
        """,
    "match_scores": """
        with lines as (
            select
                league_id, home_team_id, count(*) as row_count,
                count(*) filter (
                    where num_nonnulls(home_player_1_id, home_player_2_id, away_player_1_id, away_player_2_id) = 4
                ) as named,
                count(home_team_id) + count(away_team_id) as sides
            from match_scores
            group by league_id, home_team_id
        )
        select
            l.league_id, s.name as series, cast(sum(l.row_count) as bigint) as row_count,
            cast(sum(l.row_count) as bigint) as used,
            cast(sum(l.named) as bigint) as has_lines_with_player_ids,
            cast(sum(l.row_count) as bigint) as of_lines_with_player_ids,
            cast(sum(l.sides) as bigint) as has_sides_with_team,
            cast(2 * sum(l.row_count) as bigint) as of_sides_with_team
        from lines as l
        left join teams as t on t.id = l.home_team_id
        left join series as s on s.id = t.series_id
        group by 1, 2
        """,
    "series_stats": """
        select
            f.league_id, s.name as series, count(*) as row_count, count(*) as used,
            count(f.team_id) as has_standings_with_team, count(*) as of_standings_with_team
        from series_stats as f
        left join series as s on s.id = f.series_id
        group by 1, 2
        """,
    "schedule": """
        with meetings as (
            select
                league_id, home_team_id, away_team_id, away_team <> '' and home_team not ilike '%practice%' as is_match
            from schedule
        )
        select
            m.league_id, s.name as series, count(*) as row_count, count(*) filter (where m.is_match) as used,
            count(m.home_team_id) filter (where m.is_match) + count(m.away_team_id) filter (where m.is_match)
            as has_scheduled_sides_with_team,
            2 * count(*) filter (where m.is_match) as of_scheduled_sides_with_team
        from meetings as m
        left join teams as t on t.id = m.home_team_id
        left join series as s on s.id = t.series_id
        group by 1, 2
        """,
}
_SEATS = ("home_player_1_id", "home_player_2_id", "away_player_1_id", "away_player_2_id")
_SIDES = ("home_team_id", "away_team_id")
_READ = {
    "series": ("id", "name"),
    "teams": ("id", "league_id", "series_id", "is_active"),
    "players": ("league_id", "series_id", "team_id", "pti", "is_active"),
    "match_scores": ("league_id", *_SIDES, *_SEATS),
    "series_stats": ("league_id", "series_id", "team_id"),
    "schedule": ("league_id", "match_date", "home_team", "away_team", *_SIDES),
}
"""Columns that the queries above read."""
_COLUMNS = sa.text(
    "select c.name, array(select cast(a.attname as text) from pg_attribute as a"
    " where a.attrelid = to_regclass(c.name) and a.attnum > 0 and not a.attisdropped) as columns"
    " from unnest(cast(:names as text[])) with ordinality as c(name, place)"
    " where to_regclass(c.name) is not null order by c.place"
)
OF_NO_LEAGUE = ("leagues", "clubs")
"""Tables whose rows no league owns."""
ACTIVE = ("teams", "players")
"""Tables whose rows are set aside rather than deleted."""


def count_tables(connection: sa.Connection) -> list[Count]:
    """The rows of every imported table of what *connection* sees, each read once.

    A missing table is left out; where a table or column is missing that the others are told by, series and coverage are
    too. The rows of a table without league are of none.
    """
    counts = []
    columns = {row.name: set(row.columns) for row in connection.execute(_COLUMNS, {"names": list(IMPORTED)})}
    is_whole = all(set(names) <= columns.get(table, set()) for table, names in _READ.items())
    with_series = _WITH_SERIES if is_whole else {}
    for table in columns:
        if table in OF_NO_LEAGUE or "league_id" not in columns[table]:
            rows = connection.scalar(sa.text(f"select count(*) from {quote(table)}"))
            counts.append(Count(table=table, league_id=None, series=None, rows=rows, used=rows, covered={}))
            continue
        one_by_one = (
            "select league_id, null as series, count(*) as row_count, count(*) as used"
            f" from {quote(table)} group by league_id"
        )
        for row in connection.execute(sa.text(with_series.get(table, one_by_one))).mappings():
            covered = {
                name.removeprefix("of_"): (row[f"has_{name.removeprefix('of_')}"], row[name])
                for name in row
                if name.startswith("of_")
            }
            counts.append(
                Count(
                    table=table,
                    league_id=row["league_id"],
                    series=row["series"],
                    rows=row["row_count"],
                    used=row["used"],
                    covered=covered,
                )
            )
    return counts


def rows_of_tables(counts: Iterable[Count], leagues: LeagueIds) -> Rows:
    """Rows of each league and table, zeros too; leagues and clubs are of no league."""
    counts = list(counts)
    found: Rows = {EVERYWHERE: {each.table: 0 for each in counts}}
    for league in leagues:
        found[league] = {each.table: 0 for each in counts if each.table not in OF_NO_LEAGUE}
    for each in counts:
        found[EVERYWHERE][each.table] += each.rows
        for league, ids in leagues.items():
            if each.league_id in ids:
                found[league][each.table] += each.rows
    return found


def volume_metrics(counts: Iterable[Count], rows: Rows, leagues: LeagueIds) -> list[Metric]:
    """`rows` of each table, `rows_active`, and `rows_of_series` of each table and series that has any."""
    counts = list(counts)
    found = []
    for league, tables in rows.items():
        found.append(Metric(league=league, metric="rows", value=sum(tables.values())))
        found += [Metric(league=league, metric="rows", subject=table, value=each) for table, each in tables.items()]
    for league, ids in leagues.items():
        of_league = [each for each in counts if each.league_id in ids]
        used = Counter({table: 0 for table in _WITH_SERIES if table in rows[league]})
        series = Counter(dict.fromkeys(used, 0))
        for each in of_league:
            if each.table in _WITH_SERIES:
                used[each.table] += each.used
            if each.table in _WITH_SERIES and each.series is not None and each.used:
                series[f"{each.table}/{each.series}"] += each.used
                series[each.table] += each.used
        found += [
            Metric(league=league, metric="rows_active", subject=table, value=used[table])
            for table in ACTIVE
            if table in used
        ]
        found += [
            Metric(league=league, metric="rows_of_series", subject=subject, value=each)
            for subject, each in series.items()
        ]
    return found


def coverage_metrics(counts: Iterable[Count], leagues: LeagueIds) -> list[Metric]:
    """`coverage` of each league; nothing where there is nothing to cover."""
    counts = list(counts)
    found = []
    for league, ids in leagues.items():
        has: Counter[str] = Counter()
        of: Counter[str] = Counter()
        for each in counts:
            if each.league_id in ids:
                for what, (covered, all_of_them) in each.covered.items():
                    has[what] += covered
                    of[what] += all_of_them
        found += [
            Metric(league=league, metric="coverage", subject=what, value=has[what] / of[what])
            for what in of
            if of[what]
        ]
    return found
