"""What is different now from a snapshot: tables, what they are made of, and rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.protection.snapshots.definitions import (
    base_tables,
    name_schemas,
    read_definitions,
    run,
    structure,
    told_changes,
)
from rally_etl.protection.snapshots.fingerprints import comparable_columns, fingerprint, record
from rally_etl.protection.snapshots.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDifference:
    """One table that is not as it was.

    Attributes:
        state: ``rows`` (only they differ), ``structure`` (its make differs, and maybe its rows), ``missing``, ``new``.
        added, removed, changed: rows; of a table without a primary key a changed row is one removed and one added.
        structure: what is different in its make, a sentence each.
    """

    table: str
    state: str
    added: int = 0
    removed: int = 0
    changed: int = 0
    structure: tuple[str, ...] = ()


def differences(connection: sa.Connection, snapshot: Snapshot) -> list[TableDifference]:
    """Compare the live tables with the snapshot; an empty answer means that they are as they were.

    Reads only. New tables are those of schema ``public`` that were not there when the snapshot was taken of all tables.
    The rows of a table whose key or columns were altered are compared by the columns that it still has.
    """
    before = run(connection, "select current_setting('search_path')").scalar_one()
    name_schemas(connection)
    try:
        now = read_definitions(connection, snapshot.tables)
        rows = fingerprint(connection, "public", now.tables)
        found = [
            _compared(connection, snapshot, table, now.tables.get(table), rows.get(table)) for table in snapshot.tables
        ]
        if set(snapshot.named) == set(snapshot.tables):
            new = [name for name in base_tables(connection) if name not in snapshot.tables]
            found += [
                TableDifference(table=name, state="new", added=count_rows(connection, "public", name)) for name in new
            ]
        return [each for each in found if each]
    finally:
        connection.execute(sa.text("select set_config('search_path', :path, true)"), {"path": before})


def _compared(
    connection: sa.Connection, snapshot: Snapshot, table: str, now: dict | None, rows: str | None
) -> TableDifference | None:
    if now is None:
        return TableDifference(table=table, state="missing", removed=snapshot.rows[table])
    is_other = structure(now) != snapshot.structures[table]
    if not is_other and rows == snapshot.fingerprints[table]:
        return None
    counts = {"added": 0, "gone": 0, "changed": 0}
    if rows != snapshot.fingerprints[table]:
        sql = different_rows(connection, snapshot, table, "public", table, has_key=now["key"] == snapshot.key(table))
        counts |= dict(run(connection, f"select kind, count(*) from ({sql}) as d group by kind").all())
    return TableDifference(
        table=table,
        state="structure" if is_other else "rows",
        added=counts["added"],
        removed=counts["gone"],
        changed=counts["changed"],
        structure=tuple(told_changes(snapshot.definitions.tables[table], now)) if is_other else (),
    )


def count_rows(connection: sa.Connection, schema: str, table: str) -> int:
    """Rows of a table."""
    return run(connection, f"select count(*) from {quote(schema, table)}").scalar_one()


def shared_columns(connection: sa.Connection, snapshot: Snapshot, table: str, schema: str, now: str) -> dict[str, str]:
    """Columns that a live table and its copy both have, with the same type; as `comparable_columns` gives them."""
    copy = comparable_columns(connection, snapshot.schema, [table]).get(table, {})
    live = comparable_columns(connection, schema, [now]).get(now, {})
    types = column_types(connection, snapshot.schema, table), column_types(connection, schema, now)
    return {name: copy[name] for name in copy if name in live and types[0][name] == types[1][name]}


def column_types(connection: sa.Connection, schema: str, table: str) -> dict[str, str]:
    """Column -> its type."""
    return {
        row.attname: row.type
        for row in connection.execute(
            sa.text(
                "select a.attname, format_type(a.atttypid, a.atttypmod) as type from pg_attribute as a"
                " where a.attrelid = to_regclass(:table) and a.attnum > 0 and not a.attisdropped"
            ),
            {"table": quote(schema, table)},
        )
    }


def different_rows(
    connection: sa.Connection, snapshot: Snapshot, table: str, schema: str, now: str, *, has_key: bool
) -> str:
    """A query of the rows that differ between the copy of *table* and the live table *schema*.*now*.

    With a key: one row per key, its columns and ``kind``: added, gone, changed. Without: one per surplus row, its place
    ``live`` (a ctid, NULL for those that are gone) and ``kind``: added, gone.
    """
    columns = shared_columns(connection, snapshot, table, schema, now)
    live, copy, key = quote(schema, now), quote(snapshot.schema, table), snapshot.key(table)
    if not has_key or not key or not set(key) <= set(columns):
        return _surplus_rows(columns, live, copy)
    names = ", ".join(f"coalesce(l.{quote(name)}, s.{quote(name)}) as {quote(name)}" for name in key)
    first = quote(key[0])
    return f"""
        select {names}, case when s.{first} is null then 'added' when l.{first} is null then 'gone' else 'changed' end
            as kind
        from {live} as l full join {copy} as s on {same(key, "l", "s")}
        where l.{first} is null or s.{first} is null
           or {record(columns, "l")} is distinct from {record(columns, "s")}
        """


def _surplus_rows(columns: dict[str, str], live: str, copy: str) -> str:
    """Rows that stand more often on one side than on the other, by their content."""

    def numbered(table: str) -> str:
        content = record(columns, "t") if columns else "row(0)"
        return (
            "select h, row_number() over (partition by h order by place) as number, place"
            f" from (select hash_record_extended({content}, 0) as h, t.ctid as place from {table} as t) as hashes"
        )

    return f"""
        select l.place as live, case when s.place is null then 'added' else 'gone' end as kind
        from ({numbered(live)}) as l full join ({numbered(copy)}) as s using (h, number)
        where l.place is null or s.place is null
        """


def same(key: Iterable[str], one: str, other: str) -> str:
    """SQL condition that two aliases stand for the same row."""
    return " and ".join(f"{one}.{quote(name)} = {other}.{quote(name)}" for name in key)
