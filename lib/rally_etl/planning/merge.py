"""Merge two live rows that are one thing: everything that refers to one is re-pointed at the other."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl import naming
from rally_etl.database.catalog import Table, quote
from rally_etl.database.references import read_reference_params
from rally_etl.errors import UsageError
from rally_etl.identity.aliases import EVERYWHERE, Alias, plan_aliases, redirected_ids
from rally_etl.identity.spelling import printed_spelling, team_spelling
from rally_etl.planning import folding
from rally_etl.planning.clubs import with_recorded_aliases
from rally_etl.planning.compare import TOUCHED
from rally_etl.planning.pointers import NAME_OF, PERSON_KEY, keep_persons, plan_pointers
from rally_etl.records.values import person_key

if TYPE_CHECKING:
    from rally_etl.naming import League, Leagues
    from rally_etl.settings import Settings

ENTITIES = {"teams": "team", "clubs": "club", "series": "series", "players": "player"}
"""Tables whose rows can be merged, and what one row of each is."""

GIVES_UP_ITS_NAME = ("teams", "series")
"""Names are unique there: the next import gives the name of the scrape to the row that stays."""

_MERGED_NAME = re.compile(r" \(merged into \d+\)$")


def own_name(name: str | None) -> str | None:
    """The name that a row had before it was merged."""
    return name and _MERGED_NAME.sub("", name)


def told(operation: Mapping[str, Any]) -> str:
    """The merge in a few words."""
    return f"merge {operation['table']} {operation['from']} into {operation['into']}"


def leagues_of(connection: sa.Connection, leagues: Leagues, operation: Mapping[str, Any]) -> list[str]:
    """Keys of the leagues that a merge concerns: those of both rows.

    Raises:
        UsageError: the table cannot be merged, or a row does not exist.
    """
    _two_rows(connection, operation)
    table, ids = operation["table"], [operation["from"], operation["into"]]
    sql = f"select league_id from {quote('public', table)} where id = any(:ids)"
    if table in ("clubs", "series"):
        column = {"clubs": "club_id", "series": "series_id"}[table]
        sql = f"select league_id from public.teams where {column} = any(:ids)"
        junction = {"clubs": "club_leagues", "series": "series_leagues"}[table]
        if connection.scalar(sa.text("select to_regclass(:name)"), {"name": f"public.{junction}"}):
            sql += f" union select league_id from {quote('public', junction)} where {column} = any(:ids)"
    found = connection.scalars(
        sa.text(f"select league_id from public.leagues where id in ({sql}) order by 1"), {"ids": ids}
    )
    return sorted({leagues.canonical(key) or key for key in found})


def plan_merge(
    connection: sa.Connection,
    catalog: dict[str, Table],
    settings: Settings,
    run_id: str,
    operation: Mapping[str, Any],
    keys: list[str],
) -> dict[str, Table]:
    """Plan a merge; the plan's schema comes first in ``search_path``.

    Imported rows that would then be double are deleted. The row that stays is active when one of the two was.

    Returns:
        the user tables that are re-pointed.

    Raises:
        UsageError: the rows cannot be one thing, or users have said something about both that cannot stand twice.
    """
    table, known = operation["table"], naming.load_leagues(settings.params_dir)
    loser, winner = _two_rows(connection, operation)
    _check_rows(connection, operation, loser, winner)
    league_keys = {
        row.id: known.get(known.canonical(row.league_id) or row.league_id)
        for row in connection.execute(sa.text("select id, league_id from public.leagues"))
    }
    clubs = with_recorded_aliases(connection, naming.load_clubs(settings.params_dir))
    teams = _Teams(connection, league_keys, clubs)
    if table in ("clubs", "series"):
        teams.check_none_is_double("club_id" if table == "clubs" else "series_id", loser.id, winner.id)
    _redirect(connection, operation, table, {loser.id: winner.id})
    persons: dict[str, str] = {}
    if table == "teams":
        _check_never_met(connection, loser, winner)
        persons = fold_rosters(connection, operation, league_keys[loser.league_id], loser.id, winner.id)
    elif table == "players":
        persons = _fold_memberships(connection, operation, loser, winner)
    keep_persons(connection, persons)
    params = read_reference_params(settings.params_dir / "references.yaml")
    touched = plan_pointers(connection, catalog, params, run_id, keys)
    _rename_history(connection, catalog, operation, loser, winner, keys)
    folding.fold(connection, catalog)
    for name in ("teams", "players", "series"):
        plan_losers_and_winners(connection, catalog[name], keys)
    if found := folding.collisions(connection, {**catalog, **touched}):
        raise UsageError(
            f"{told(operation)}: {len(found)} rows could not stand beside others: {'; '.join(found)}; nothing was"
            " planned\nhint: keep one of each in the application, or let their owner remove one, then merge again"
        )
    aliases = _aliases(operation, loser, winner, league_keys, teams)
    for alias in aliases:
        plan_aliases(connection, keys[0], [alias])
    return touched


def _two_rows(connection: sa.Connection, operation: Mapping[str, Any]) -> tuple[sa.Row, sa.Row]:
    table = operation["table"]
    if table not in ENTITIES:
        raise UsageError(f"rows of {table!r} cannot be merged; nothing was planned\nhint: one of {', '.join(ENTITIES)}")
    ids = [operation["from"], operation["into"]]
    rows = {
        row.id: row
        for row in connection.execute(
            sa.text(f"select * from {quote('public', table)} where id = any(:ids)"), {"ids": ids}
        )
    }
    if missing := [str(row_id) for row_id in dict.fromkeys(ids) if row_id not in rows]:
        raise UsageError(
            f"{table} has no row {' and no row '.join(missing)}; nothing was planned\n"
            f'hint: psql "$(rally-etl db url)" -c "select * from {table}" lists them'
        )
    return rows[ids[0]], rows[ids[1]]


def _check_rows(connection: sa.Connection, operation: Mapping[str, Any], loser: sa.Row, winner: sa.Row) -> None:
    table = operation["table"]
    if loser.id == winner.id:
        raise UsageError(f"{table} {loser.id} is one row already; nothing was planned\nhint: name two rows")
    merged = redirected_ids(connection, table)
    for row in (loser, winner):
        if row.id in merged:
            raise UsageError(
                f"{table} {row.id} was merged into {merged[row.id]}; nothing was planned\n"
                f"hint: name {merged[row.id]} instead, or undo that merge"
            )
    if "league_id" in loser._fields and loser.league_id != winner.league_id:
        raise UsageError(
            f"{table} {loser.id} is of league {loser.league_id}, {winner.id} of league {winner.league_id}; nothing was"
            " planned\nhint: rows of two leagues are two things"
        )


def _check_never_met(connection: sa.Connection, loser: sa.Row, winner: sa.Row) -> None:
    met = connection.scalar(
        sa.text(
            "select min(match_date) from (select match_date, home_team_id, away_team_id from public.match_scores"
            " union all select match_date, home_team_id, away_team_id from public.schedule) as m"
            " where (home_team_id, away_team_id) in ((:one, :other), (:other, :one))"
        ),
        {"one": loser.id, "other": winner.id},
    )
    if met:
        raise UsageError(
            f"{loser.team_name} ({loser.id}) and {winner.team_name} ({winner.id}) meet on {met}: they are two teams;"
            " nothing was planned\nhint: look up the ids again"
        )


class _Teams:
    """Live teams as the grammars of their leagues read them."""

    def __init__(self, connection: sa.Connection, leagues: Mapping[int, League], clubs: naming.Clubs):
        self.connection, self.leagues, self.clubs = connection, leagues, clubs

    def key(self, league_id: int, name: str, series: str) -> tuple[str, str, str] | None:
        """Club, series and ordinal that a team's name says; None where the grammar does not read it."""
        team = self.leagues[league_id].parse_team(name, series)
        return (self.clubs.key(team.club), team.series, team.ordinal) if team else None

    def series_of(self, series_id: int) -> str:
        return self.connection.scalar(sa.text("select name from public.series where id = :id"), {"id": series_id})

    def check_none_is_double(self, column: str, loser: int, winner: int) -> None:
        """Refuse to merge clubs or series whose teams would be one, before those teams are merged."""
        rows = self.connection.execute(
            sa.text(
                f"select t.id, t.team_name, t.league_id, t.{column} as side, s.name as series from public.teams as t"
                f" join public.series as s on s.id = t.series_id where t.{column} = any(:ids) order by t.id"
            ),
            {"ids": [loser, winner]},
        ).all()
        merged = redirected_ids(self.connection, "teams")
        by_key: dict[tuple, dict[int, int]] = defaultdict(dict)
        for row in rows:
            key = self.key(row.league_id, row.team_name, row.series)
            if key and row.id not in merged:
                # within the two clubs the series and the ordinal tell teams apart, within the two series the club does
                rest = key[1:] if column == "club_id" else (key[0], key[2])
                by_key[row.league_id, *rest].setdefault(row.side, row.id)
        double = [ids for ids in by_key.values() if len(ids) > 1]
        if double:
            commands = ", ".join(f"rally-etl merge teams {ids[loser]} INTO {ids[winner]}" for ids in double)
            raise UsageError(
                f"{len(double)} teams would stand there twice; nothing was planned\nhint: first {commands}"
            )


def _redirect(connection: sa.Connection, operation: Mapping[str, Any], table: str, pairs: Mapping[int, int]) -> None:
    if pairs:
        connection.execute(
            sa.text("insert into new_redirects values (:table, :loser, :winner, :by, :reason)"),
            [
                {"table": table, "loser": old, "winner": new, "by": operation["by"], "reason": operation["reason"]}
                for old, new in pairs.items()
            ],
        )


_MEMBERS = sa.text(
    f"select id, team_id, {PERSON_KEY} as printed, coalesce(is_active, true) as is_active from public.players"
    " where team_id = any(:teams) order by is_active desc, id"
)


def fold_rosters(
    connection: sa.Connection, operation: Mapping[str, Any], league: League, loser: int, winner: int
) -> dict[str, str]:
    """Redirect memberships of persons who are in both teams; answer the printed ids that end with them."""
    rows = connection.execute(_MEMBERS, {"teams": [loser, winner]}).all()
    prefixes = tuple(league.id_prefixes)
    there: dict[str, sa.Row] = {}
    for row in rows:
        if row.team_id == winner:
            there.setdefault(person_key(row.printed, prefixes), row)
    pairs = {
        row: there[person_key(row.printed, prefixes)]
        for row in rows
        if row.team_id == loser and person_key(row.printed, prefixes) in there
    }
    _redirect(connection, operation, "players", {old.id: new.id for old, new in pairs.items()})
    renamed = {old.printed: new.printed for old, new in pairs.items() if old.printed != new.printed}
    return {old: new for old, new in renamed.items() if not _rows_of_person(connection, old, {r.id for r in pairs})}


def _fold_memberships(
    connection: sa.Connection, operation: Mapping[str, Any], loser: sa.Row, winner: sa.Row
) -> dict[str, str]:
    """Where a person has two ids, all memberships under the first go to the second; one of the same team is folded."""
    old, new = getattr(loser, PERSON_KEY), getattr(winner, PERSON_KEY)
    if old == new:
        return {}
    others = _rows_of_person(connection, old, {loser.id})
    if foreign := sorted({row.league_id for row in others} - {winner.league_id}):
        raise UsageError(
            f"the player {old} also plays in league {', '.join(map(str, foreign))}; nothing was planned\n"
            "hint: an id that two leagues know is no misspelling; mend it where it is scraped"
        )
    there = {row.team_id: row.id for row in _rows_of_person(connection, new, set())}
    _redirect(connection, operation, "players", {row.id: there[row.team_id] for row in others if row.team_id in there})
    return {old: new}


def _rows_of_person(connection: sa.Connection, printed: str, but: set[int]) -> list[sa.Row]:
    rows = connection.execute(
        sa.text(f"select id, team_id, league_id from public.players where {PERSON_KEY} = :person order by id"),
        {"person": printed},
    )
    return [row for row in rows if row.id not in but]


def _rename_history(
    connection: sa.Connection,
    catalog: Mapping[str, Table],
    operation: Mapping[str, Any],
    loser: sa.Row,
    winner: sa.Row,
    keys: list[str],
) -> None:
    """Rating points name their series by its text alone."""
    if operation["table"] != "series" or "player_history" not in catalog:
        return
    table = catalog["player_history"]
    columns = ", ".join(quote(name) for name in table.column_names)
    images = ", ".join(":name" if name == "series" else f"l.{quote(name)}" for name in table.column_names)
    league = " and l.league_id = :league_id" if "league_id" in loser._fields else ""
    connection.execute(
        sa.text(
            f"insert into player_history ({columns}, _op, _leagues)"
            f" select {images}, 'update', cast(:leagues as text[]) from public.player_history as l"
            f" where l.series = :old{league}"
        ),
        {"name": winner.name, "old": loser.name, "leagues": keys} | ({"league_id": loser.league_id} if league else {}),
    )


def plan_losers_and_winners(connection: sa.Connection, table: Table, keys: list[str]) -> None:
    """Switch off what is merged, which gives up its name; what stays is active if either was."""
    has_active = table.has("is_active")
    name = NAME_OF.get(table.name, "") if table.name in GIVES_UP_ITS_NAME else ""
    off: dict[str, str] = {"is_active": "false"} if has_active else {}
    if name:
        off[name] = f"left(l.{name}, 200) || format(' (merged into %s)', r.into_id)"
    changes = " or ".join(["l.is_active is not false"] * has_active + ["true"] * bool(name))
    operation = "case when l.is_active is not false then 'deactivate' else 'update' end" if has_active else "'update'"
    plan_images(connection, table, off, f"r.from_id = l.id where {changes}", operation, keys)
    if has_active:
        wakes = "r.into_id = l.id join {live} as o on o.id = r.from_id and o.is_active is not false"
        condition = f"{wakes.format(live=quote('public', table.name))} where l.is_active is false"
        plan_images(connection, table, {"is_active": "true"}, condition, "'update'", keys)


def plan_images(
    connection: sa.Connection, table: Table, values: Mapping[str, str], condition: str, operation: str, keys: list[str]
) -> None:
    """Plan other *values* (column -> SQL) for rows that are merged, instead of what may be planned for them already.

    Args:
        condition: behind the join of ``l``, the row as it would be, with ``r``, its redirect.
        operation: SQL of ``_op``.
    """
    values = dict(values) | ({TOUCHED: "now()"} if table.has(TOUCHED) else {})
    columns = ", ".join(quote(name) for name in table.column_names)
    images = ", ".join(f"{values.get(name, f'l.{quote(name)}')} as {quote(name)}" for name in table.column_names)
    planned, live = quote(table.name), quote("public", table.name)
    connection.execute(sa.text("drop table if exists pg_temp.merged_images"))
    connection.execute(
        sa.text(
            f"create temporary table merged_images on commit drop as select distinct on (l.id) {images},"
            f" {operation} as _op, cast(:leagues as text[]) as _leagues from ("
            f" select {columns} from {planned} where _op <> 'delete' union all select {columns} from {live} as o"
            f" where not exists (select from {planned} as p where p.id = o.id)) as l"
            f" join new_redirects as r on r.table_name = :table and {condition}"
        ),
        {"table": table.name, "leagues": keys},
    )
    connection.execute(sa.text(f"delete from {planned} as p using merged_images as m where m.id = p.id"))
    connection.execute(
        sa.text(f"insert into {planned} ({columns}, _op, _leagues) select {columns}, _op, _leagues from merged_images")
    )


def _aliases(
    operation: Mapping[str, Any],
    loser: sa.Row,
    winner: sa.Row,
    leagues: Mapping[int, League],
    teams: _Teams,
) -> Iterable[Alias]:
    """What the name of the row that goes means from now on; nothing where both names say the same."""
    table = operation["table"]
    evidence = f"merged by {operation['by']}: {operation['reason']}"

    def alias(league: str, spelling: str, target: object) -> list[Alias]:
        return [Alias(league, ENTITIES[table], spelling, str(target), "merge", 1.0, evidence)]

    if table == "clubs":
        old, new = teams.clubs.key(loser.name), teams.clubs.key(winner.name)
        return alias(EVERYWHERE, naming.club_key(loser.name), winner.id) if old != new else []
    if table == "series":
        known = [leagues[loser.league_id]] if "league_id" in loser._fields else list(leagues.values())
        said = [(league, league.parse_series(loser.name) or loser.name.casefold()) for league in known]
        return [
            one
            for league, name in said
            if name != (league.parse_series(winner.name) or winner.name.casefold())
            for one in alias(league.key, name, winner.id)
        ]
    league = leagues[loser.league_id]
    if table == "players":
        prefixes = tuple(league.id_prefixes)
        old, new = (person_key(getattr(row, PERSON_KEY), prefixes) for row in (loser, winner))
        return alias(league.key, old, new) if old != new else []
    series = teams.series_of(loser.series_id)
    old = teams.key(loser.league_id, loser.team_name, series)
    if old is None:
        return alias(league.key, printed_spelling(loser.team_name), winner.id)
    new = teams.key(winner.league_id, winner.team_name, teams.series_of(winner.series_id))
    return alias(league.key, team_spelling(old), winner.id) if old != new else []
