"""Bring the names of a league's live rows to its standard: one set-based plan, in which no id moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl import naming
from rally_etl.database.catalog import quote
from rally_etl.errors import UsageError
from rally_etl.identity.aliases import redirected_ids
from rally_etl.planning.clubs import with_recorded_aliases
from rally_etl.planning.compare import Wanted, plan_changes
from rally_etl.planning.sql import read
from rally_etl.planning.temporary import write_temporary

if TYPE_CHECKING:
    from rally_etl.database.catalog import Table
    from rally_etl.identity.spelling import TeamKey
    from rally_etl.settings import Settings

UNREADABLE = "the name is not read"
OTHER = "the name is of another one than its id"
MERGE = "two rows are one {}: merge them"
TAKEN = "another row has the standard name"

_KEYS = {
    "series": ("league_id", "name"),
    "teams": ("team_name", "league_id"),
    "series_stats": ("league_id", "series", "team"),
    "schedule": ("match_date", "home_team", "away_team", "league_id"),
}
"""What must stay unique even where a database has no key for it (docs/databases.md)."""

_WRITTEN = {
    "series": ("name", "display_name"),
    "teams": ("team_name", "display_name", "team_alias"),
    "series_stats": ("series", "team"),
    "player_history": ("series",),
    "match_scores": ("home_team", "away_team"),
    "schedule": ("home_team", "away_team"),
}
_TOLD = {
    "series": "l.name",
    "teams": "l.team_name",
    "series_stats": "concat_ws(' of ', l.team, l.series)",
    "player_history": "l.series",
    "match_scores": "concat_ws(' v ', l.home_team, l.away_team)",
    "schedule": "concat_ws(' v ', l.home_team, l.away_team)",
}
_SCRAPED = {"match_scores": "true", "schedule": "l.home_team !~* 'practice' and coalesce(l.away_team, '') <> ''"}

Held = Counter[tuple[str, str, str]]


@dataclass(slots=True)
class _Work:
    """One league's names: what they are and what they will be."""

    connection: sa.Connection
    catalog: dict[str, Table]
    league: naming.League
    clubs: naming.Clubs
    league_id: int
    series: dict[int, str] = field(default_factory=dict)  # id -> name as the candidate will have it
    teams: dict[int, tuple[str, str, TeamKey | None]] = field(default_factory=dict)  # id -> name, series, key
    held: Held = field(default_factory=Counter)

    def key(self, printed: str, series: str) -> TeamKey | None:
        """The team that a name means, None when it is not read."""
        team = self.league.parse_team(printed, series)
        return team and (self.clubs.key(team.club), team.series, team.ordinal)

    def execute(self, sql: str, **binds: object) -> sa.CursorResult:
        return self.connection.execute(sa.text(sql), {"league_id": self.league_id} | binds)


def plan_normalise(
    connection: sa.Connection, catalog: dict[str, Table], settings: Settings, run_id: str, operation: Mapping[str, Any]
) -> Held:
    """Plan the standard spelling of every name in the live rows of ``operation["league"]``.

    The plan's schema comes first in ``search_path``. Ids, links and users' practice rows are never touched; names that
    people chose (a display name, an alias) stay.

    Returns:
        (table, reason, name) -> rows that stay as they are and that somebody should look at.

    Raises:
        UsageError: the league has no params file or no live row.
    """
    leagues = naming.load_leagues(settings.params_dir)
    key = leagues.canonical(operation["league"])
    if key is None:
        raise UsageError(
            f"{operation['league']!r} is no league with a standard; nothing was planned\n"
            f"hint: one of {', '.join(leagues.keys())}"
        )
    clubs = with_recorded_aliases(connection, naming.load_clubs(settings.params_dir))
    work = _Work(connection, catalog, leagues.get(key), clubs, _league_id(connection, leagues, key))
    for table in ("own_names", "printed_teams", "team_spellings", "series_spellings", *_respelled()):
        work.execute(f"drop table if exists pg_temp.{table}")
    _series(work)
    _teams(work)
    _spellings_of_series(work)
    _spellings_of_teams(work)
    work.execute(read("respelled_standings"))
    _plan(work, "series_stats", TAKEN)
    for table in ("match_scores", "schedule"):
        work.execute(read("respelled_sides").format(table=table, own=_SCRAPED[table]))
        _plan(work, table, TAKEN)
    return work.held


def _league_id(connection: sa.Connection, leagues: naming.Leagues, key: str) -> int:
    rows = connection.execute(sa.text("select id, league_id from public.leagues order by id")).all()
    found = [row for row in rows if key in (row.league_id, leagues.canonical(row.league_id))]
    if not found:
        raise UsageError(
            f"live has no league {key}; nothing was planned\nhint: import it first: rally-etl run --source DIR"
        )
    return min(found, key=lambda row: (row.league_id != key, row.id)).id


def _series(work: _Work) -> None:
    """Plan the names of the league's own series; series that leagues share keep theirs."""
    if not work.catalog["series"].has("league_id"):
        work.series = dict(work.execute("select id, name from public.series").all())
        return
    merged = redirected_ids(work.connection, "series")
    rows = []
    for row in work.execute(
        "select id, name, display_name from public.series where league_id = :league_id order by id"
    ):
        work.series[row.id] = row.name
        name = work.league.parse_series(row.name)
        if row.id in merged or name == row.name:
            continue
        if name is None:
            work.held["series", UNREADABLE, row.name] += 1
            continue
        shown = name if row.display_name == row.name else row.display_name
        rows.append({"id": row.id, "name": name, "display_name": shown})
    write_temporary(work.connection, "respelled_series", rows, "id integer, name text, display_name text")
    for row in _plan(work, "series", MERGE.format("series")):
        work.series[row.id] = row.name


def _teams(work: _Work) -> None:
    """Plan the names of the league's teams whose name says the club and the series that the row is linked to."""
    merged = redirected_ids(work.connection, "teams")
    found = work.execute(
        "select t.id, t.team_name, t.display_name, t.team_alias, t.series_id, c.name as club"
        " from public.teams as t join public.clubs as c on c.id = t.club_id"
        " where t.league_id = :league_id order by t.id"
    )
    rows = []
    for row in found:
        series = work.series.get(row.series_id, "")
        standard = work.league.parse_series(series)
        team = work.league.parse_team(row.team_name, series)
        key = work.key(row.team_name, series)
        work.teams[row.id] = (row.team_name, series, key)
        if row.id in merged:
            continue
        alias = row.team_alias
        if alias and standard and work.league.parse_series(alias) == standard:
            alias = series
        name = row.team_name
        if team is None:
            work.held["teams", UNREADABLE, row.team_name] += 1
        elif (key[0], key[1]) != (work.clubs.key(row.club), standard):
            work.held["teams", OTHER, f"{row.team_name}: {row.club}, {series}"] += 1
        else:
            name = team.name
        if (name, alias) != (row.team_name, row.team_alias):
            shown = name if row.display_name == row.team_name else row.display_name
            rows.append({"id": row.id, "team_name": name, "display_name": shown, "team_alias": alias})
    write_temporary(
        work.connection, "respelled_teams", rows, "id integer, team_name text, display_name text, team_alias text"
    )
    for row in _plan(work, "teams", MERGE.format("team")):
        _, series, key = work.teams[row.id]
        work.teams[row.id] = (row.team_name, series, key)


def _spellings_of_series(work: _Work) -> None:
    """Printed series of the standings, with the series of their link, and those of rating points, which have none."""
    found = work.execute(
        "select 'series_stats' as table_name, series as printed, coalesce(series_id, 0) as series_id,"
        " count(*) as row_count"
        " from public.series_stats where league_id = :league_id and series is not null group by 2, 3 union all"
        " select 'player_history', series, 0, count(*)"
        " from public.player_history where league_id = :league_id and series is not null group by 2"
    )
    spellings: dict[tuple[str, int], str] = {}
    for row in found:
        standard = work.league.parse_series(row.printed)
        own = work.series.get(row.series_id, standard)
        if own == row.printed:
            continue
        if standard is None:
            work.held[row.table_name, UNREADABLE, row.printed] += row.row_count
        elif work.league.parse_series(own) != standard:
            work.held[row.table_name, OTHER, f"{row.printed}: {own}"] += row.row_count
        else:
            spellings[row.printed, row.series_id] = own
    rows = [{"printed": printed, "series_id": series, "name": name} for (printed, series), name in spellings.items()]
    write_temporary(work.connection, "series_spellings", rows, "printed text, series_id integer, name text")
    work.execute(
        "create temporary table respelled_player_history on commit drop as select l.id, s.name as series"
        " from public.player_history as l join series_spellings as s on s.printed = l.series and s.series_id = 0"
        " where l.league_id = :league_id"
    )
    _plan(work, "player_history", TAKEN)


def _spellings_of_teams(work: _Work) -> None:
    """Printed team names of linked rows that are the same team as their link, in another spelling."""
    names = [{"id": team, "name": name} for team, (name, _, _) in work.teams.items()]
    write_temporary(work.connection, "own_names", names, "id integer, name text")
    work.execute(read("printed_teams"))
    spellings: dict[tuple[str, int], str] = {}
    for row in work.execute("select table_name, printed, team_id, row_count from printed_teams"):
        name, series, key = work.teams[row.team_id]
        meant = work.key(row.printed, series)
        if meant is None:
            work.held[row.table_name, UNREADABLE, row.printed] += int(row.row_count)
        elif meant != key:
            work.held[row.table_name, OTHER, f"{row.printed}: {name}"] += int(row.row_count)
        else:
            spellings[row.printed, row.team_id] = name
    rows = [{"printed": printed, "team_id": team, "name": name} for (printed, team), name in spellings.items()]
    write_temporary(work.connection, "team_spellings", rows, "printed text, team_id integer, name text")


def _plan(work: _Work, table: str, reason: str) -> list[sa.Row]:
    """Plan what ``respelled_<table>`` holds but for rows that would meet another one; answer what is planned."""
    respelled = f"respelled_{table}"
    work.execute(f"analyze {respelled}")
    keys = {key.columns for key in work.catalog[table].unique_keys} | {_KEYS.get(table, ())}
    for columns in sorted(key for key in keys if set(key) & set(_WRITTEN[table])):
        for told in _hold_taken(work, table, columns):
            work.held[table, reason, told] += 1
    values = {name: f"w.{name}" for name in _WRITTEN[table]}
    plan_changes(
        work.connection,
        work.catalog[table],
        Wanted(f"select * from {respelled}", values),
        work.league.key,
        {},
    )
    return list(work.execute(f"select * from {respelled}")) if table in ("series", "teams") else []


def _hold_taken(work: _Work, table: str, columns: tuple[str, ...]) -> list[str]:
    """Take out the rows whose new key a live row or another new one has; answer what they are called."""
    after = {name: f"{'w' if name in _WRITTEN[table] else 'l'}.{quote(name)}" for name in columns}
    written = {name: f"w.{name}" for name in _WRITTEN[table] if work.catalog[table].has(name)}
    images = ", ".join(f"{sql} as {quote(name)}" for name, sql in after.items())
    same = " and ".join(f"o.{quote(name)} = a.{quote(name)}" for name in columns)
    whole = " and ".join(f"{quote(name)} is not null" for name in columns)
    parts = ", ".join(quote(name) for name in columns)
    moves = " or ".join(f"{sql} is distinct from l.{name}" for name, sql in written.items() if name in columns)
    live, respelled = quote("public", table), f"respelled_{table}"
    found = work.execute(
        f"""
        with after as materialized (
            select l.id, {images} from {respelled} as w join {live} as l on l.id = w.id where {moves}
        ),
        taken as (
            select a.id from after as a join {live} as o on {same} and o.id <> a.id
            union
            select id from (select id, count(*) over (partition by {parts}) as n from after where {whole}) as c
            where n > 1
        )
        delete from {respelled} as w using taken as t, {live} as l where t.id = w.id and l.id = w.id
        returning {_TOLD[table]} as told
        """
    )
    return list(found.scalars())


def _respelled() -> list[str]:
    return [f"respelled_{table}" for table in _WRITTEN]
