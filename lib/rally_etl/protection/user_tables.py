"""Tables that hold rows of users: what tells rows apart, what they refer to, and what of them no copy may hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Column, Table, quote, read_catalog
from rally_etl.database.references import ARCHIVED, PRACTICE_ROWS, Reference, ReferenceParams, find_references

SCHEDULE = "schedule"
"""The imported table in which users' practice rows stand."""

_NAMES = sa.text(
    "select c.relname from pg_class as c where c.relnamespace = to_regnamespace(quote_ident(:schema))"
    " and c.relkind in ('r', 'p') and not c.relispartition and not c.relname = any(:imported) order by 1"
)
_PARTS = sa.text(
    """
    select distinct t.relname as part, r.relname as whole
    from pg_constraint as c
    join pg_class as t on t.oid = c.conrelid and t.relnamespace = to_regnamespace('public')
    join pg_class as r on r.oid = c.confrelid and r.relnamespace = to_regnamespace('public')
    where c.contype = 'f' and c.confdeltype = 'c'
    """
)
"""Tables whose rows go with another's: the choices of a poll."""

_HASHED = (
    "smallint", "integer", "bigint", "numeric", "real", "double precision", "text", "character", "boolean", "date",
    "time", "timestamp", "interval", "uuid", "jsonb", "bytea", "inet",
)  # fmt: skip
"""Beginnings of the types that PostgreSQL can hash; others are hashed as they print."""


@dataclass(frozen=True, slots=True)
class UserTable:
    """One table with rows of users; of the schedule, its practice rows.

    Attributes:
        rows: SQL condition on columns without an alias that tells the users' rows.
        references: by id, to imported rows.
        secrets: columns that no copy of a row may hold.
        label: what one row is, in a captain's words.
        is_remembered: its rows refer to imported ones, or are part of such rows, and are no mere log.
    """

    table: Table
    rows: str
    references: tuple[Reference, ...]
    secrets: frozenset[str]
    label: str
    is_remembered: bool

    @property
    def name(self) -> str:
        return self.table.name

    def key(self, alias: str) -> str:
        """SQL of the key of a row as one text, as `etl.user_rows.row_key` has it."""
        return f"concat_ws(', ', {', '.join(f'{alias}.{quote(name)}' for name in self.table.key)})"

    def hash(self, alias: str, present: Collection[str] | None = None) -> str:
        """SQL of a number that is another one as soon as anything of a row is; secrets are left out.

        Args:
            present: columns that the relation of the alias has; one that it lacks counts as NULL. None: it has all.
        """
        shown = (
            _hashable(alias, column) if present is None or column.name in present else f"cast(null as {column.type})"
            for column in self.table.columns
            if column.name not in self.secrets
        )
        return f"hash_record_extended(row({', '.join(shown)}), 0)"


def _hashable(alias: str, column: Column) -> str:
    name = f"{alias}.{quote(column.name)}"
    return name if column.type.startswith(_HASHED) and not column.type.endswith("[]") else f"cast({name} as text)"


def find_user_tables(
    connection: sa.Connection, params: ReferenceParams, schemas: Iterable[str] = ("public",)
) -> dict[str, UserTable]:
    """Tables of users in the database met, and the schedule for its practice rows, by name.

    Args:
        schemas: where else to look: a table that ``public`` has lost is described from a copy of it.
    """
    found: dict[str, UserTable] = {}
    for schema in ("public", *(each for each in schemas if each != "public")):
        binds = {"schema": schema, "imported": [*IMPORTED, *ARCHIVED]}
        names = [name for name in connection.scalars(_NAMES, binds) if name not in found and not name.startswith("_")]
        names += [SCHEDULE] if SCHEDULE not in found else []
        if names:
            found |= _described(connection, params, schema, names)
    return found


def _described(
    connection: sa.Connection, params: ReferenceParams, schema: str, names: list[str]
) -> dict[str, UserTable]:
    catalog = read_catalog(connection, tuple(names), schema)
    columns = {(name, column) for name, table in catalog.items() for column in table.column_names}
    references = [
        each
        for each in (find_references(connection, params) if schema == "public" else params.soft)
        if (each.table, each.column) in columns and (each.table != SCHEDULE or each.rows)
    ]
    remembered = _with_parts(connection, {each.table for each in references}) - params.logs
    return {
        name: UserTable(
            table=table,
            rows=params.practice_rows if name == SCHEDULE else "true",
            references=tuple(each for each in references if each.table == name),
            secrets=params.secrets & set(table.column_names),
            label=params.called.get(PRACTICE_ROWS if name == SCHEDULE else name) or name.replace("_", " "),
            is_remembered=name in remembered and bool(table.key),
        )
        for name, table in catalog.items()
    }


def _with_parts(connection: sa.Connection, names: set[str]) -> set[str]:
    """These tables, those whose rows go with theirs, and so on."""
    parts = connection.execute(_PARTS).all()
    found = set(names)
    while more := {row.part for row in parts if row.whole in found} - found:
        found |= more
    return found - set(IMPORTED) | (found & {SCHEDULE})
