"""Re-point everything that refers to a live row at the row it is merged into, in imported and user tables alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote, read_catalog
from rally_etl.database.references import Reference, ReferenceParams, find_references
from rally_etl.errors import UsageError
from rally_etl.planning import schema
from rally_etl.planning.compare import TOUCHED

PERSON_KEY = "tenniscores_player_id"
NAME_OF = {"teams": "team_name", "series": "name", "clubs": "name"}

_NAMED = {
    "match_scores": {"home_team": "home_team_id", "away_team": "away_team_id"},
    "schedule": {"home_team": "home_team_id", "away_team": "away_team_id"},
    "series_stats": {"team": "team_id", "series": "series_id"},
    "teams": {"team_alias": "series_id"},
}
"""Columns by which the application joins names, and the id whose name each is."""

_OF_THE_TEAM = ("club_id", "series_id")  # a player's, always those of the team


@dataclass(frozen=True, slots=True)
class _Pointer:
    """A column that refers to live rows, found in *redirect*, the alias of the redirects of its target."""

    column: str
    target: str
    redirect: str
    by_person: bool

    @property
    def join(self) -> str:
        """SQL that finds the redirect of what a live row refers to."""
        if self.by_person:
            return f" left join merged_persons as {self.redirect} on {self.redirect}.from_key = l.{quote(self.column)}"
        return (
            f" left join new_redirects as {self.redirect} on {self.redirect}.table_name = '{self.target}'"
            f" and {self.redirect}.from_id = l.{quote(self.column)}"
        )

    @property
    def into(self) -> str:
        return f"{self.redirect}.into_key" if self.by_person else f"{self.redirect}.into_id"


def keep_persons(connection: sa.Connection, persons: Mapping[str, str]) -> None:
    """Note which persons become which, by the printed ids of both; `plan_pointers` reads it."""
    connection.execute(sa.text("drop table if exists pg_temp.merged_persons"))
    connection.execute(
        sa.text("create temporary table merged_persons (from_key text primary key, into_key text) on commit drop")
    )
    if persons:
        rows = [{"from_key": old, "into_key": new} for old, new in sorted(persons.items())]
        connection.execute(sa.text("insert into merged_persons values (:from_key, :into_key)"), rows)


def plan_pointers(
    connection: sa.Connection, catalog: Mapping[str, Table], params: ReferenceParams, run_id: str, leagues: list[str]
) -> dict[str, Table]:
    """Plan every row that refers to something in ``new_redirects`` or ``merged_persons``, with the names beside ids.

    A row whose key says what it refers to is planned as two: the old one deleted, the new one inserted.

    Returns:
        the user tables for which plan tables were made, by name.

    Raises:
        UsageError: a table that must be re-pointed has nothing that tells its rows apart.
    """
    pointers = _pointers(connection, params)
    extra = read_catalog(connection, tuple(sorted(pointers.keys() - catalog.keys())))
    touched = {}
    for name, found in pointers.items():
        table = catalog.get(name) or extra.get(name)
        if table is None or not _has_hits(connection, table, found):
            continue
        if not table.key:
            raise UsageError(
                f"{name} has no primary key and refers to what would be merged; nothing was planned\n"
                "hint: ask a database engineer to add one"
            )
        if name not in catalog:
            schema.add_tables(connection, run_id, {name: table})
            touched[name] = table
        _plan_rows(connection, table, found, params, leagues)
    return touched


def _pointers(connection: sa.Connection, params: ReferenceParams) -> dict[str, list[_Pointer]]:
    """Table -> columns that refer to something merged."""
    targets = set(connection.scalars(sa.text("select distinct table_name from new_redirects")))
    persons = connection.scalar(sa.text("select exists (select from merged_persons)"))
    person = Reference(
        table="players", column=PERSON_KEY, target="players", target_column=PERSON_KEY, is_hard=False
    )  # a person's other memberships
    found: dict[str, dict[str, _Pointer]] = defaultdict(dict)
    for each in (*find_references(connection, params, with_imported=True), person):
        by_person = each.target_column == PERSON_KEY
        if (persons and by_person) or (each.target_column == "id" and each.target in targets):
            place = len(found[each.table])
            found[each.table].setdefault(each.column, _Pointer(each.column, each.target, f"r{place}", by_person))
    return {table: list(columns.values()) for table, columns in found.items()}


def _has_hits(connection: sa.Connection, table: Table, pointers: list[_Pointer]) -> bool:
    return connection.scalar(sa.text(f"select exists (select {_source(table, pointers)})"))


def _source(table: Table, pointers: Iterable[_Pointer]) -> str:
    """The live rows that refer to something merged; memberships that are merged themselves stay as they are."""
    joins = "".join(pointer.join for pointer in pointers)
    hits = " or ".join(f"{pointer.into} is not null" for pointer in pointers)
    merged = ""
    if table.name == "players":
        merged = " and not exists (select from new_redirects as m where m.table_name = 'players' and m.from_id = l.id)"
    return f"from {quote('public', table.name)} as l{joins} where ({hits}){merged}"


def _plan_rows(
    connection: sa.Connection, table: Table, pointers: list[_Pointer], params: ReferenceParams, leagues: list[str]
) -> None:
    values = {pointer.column: f"coalesce({pointer.into}, l.{quote(pointer.column)})" for pointer in pointers} | _names(
        table, pointers, params
    )
    if table.name in IMPORTED and table.has(TOUCHED):
        values[TOUCHED] = "now()"
    source = _source(table, pointers)
    columns = ", ".join(quote(name) for name in table.column_names)
    key_changes = [pointer for pointer in pointers if pointer.column in table.key]
    images = ", ".join(values.get(name, f"l.{quote(name)}") for name in table.column_names)
    moves = " or ".join(f"{pointer.into} is not null" for pointer in key_changes) or "false"
    connection.execute(
        sa.text(
            f"insert into {quote(table.name)} ({columns}, _op, _leagues)"
            f" select {images}, case when {moves} then 'insert' else 'update' end, cast(:leagues as text[]) {source}"
        ),
        {"leagues": leagues},
    )
    if key_changes:
        live = ", ".join(f"l.{quote(name)}" for name in table.column_names)
        connection.execute(
            sa.text(
                f"insert into {quote(table.name)} ({columns}, _op, _leagues)"
                f" select {live}, 'delete', cast(:leagues as text[]) {source} and ({moves})"
            ),
            {"leagues": leagues},
        )


def _names(table: Table, pointers: list[_Pointer], params: ReferenceParams) -> dict[str, str]:
    """Text column -> SQL of the name of the id beside it, where that id changes."""
    by_column = {pointer.column: pointer for pointer in pointers if not pointer.by_person}
    values = {}
    for text, column in _NAMED.get(table.name, {}).items():
        if column not in by_column or not table.has(text):
            continue
        pointer = by_column[column]
        name = f"select n.{NAME_OF[pointer.target]} from {quote('public', pointer.target)} as n where n.id ="
        changes = f"{pointer.into} is not null"
        if table.name == "schedule":  # a practice row says its club and series, not its team
            changes += f" and not ({params.practice_rows})"
        if text == "team_alias":  # one that somebody chose stays
            changes += f" and l.team_alias = ({name} l.{quote(column)})"
        values[text] = f"case when {changes} then ({name} {pointer.into}) else l.{quote(text)} end"
    if table.name == "players" and "team_id" in by_column:
        team = by_column["team_id"]
        for column in _OF_THE_TEAM:
            there = f"select t.{column} from {quote('public', 'teams')} as t where t.id = {team.into}"
            values[column] = f"coalesce(({there}), l.{quote(column)})"
    return values
