"""Rows of a table as a snapshot has them: columns, texts that do not depend on a session's settings, fingerprints."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.protection.snapshots.definitions import run
from rally_etl.protection.snapshots.fingerprints import comparable_columns, fingerprint_rows, record

NOTHING = "0:0:0"
_PINNED = {
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "work_mem": "64MB",
    "row_security": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}


def pin(connection: sa.Connection) -> None:
    """Have this transaction write and read every value the same way, all rows or none, and take the time it needs."""
    for name, value in _PINNED.items():
        connection.execute(sa.text("select set_config(:name, :value, true)"), {"name": name, "value": value})
    run(connection, "set local client_encoding = 'UTF8'")


def names(columns: Iterable[str]) -> str:
    """Quoted names, as a list."""
    return ", ".join(quote(name) for name in columns)


def of(alias: str, columns: Iterable[str]) -> str:
    """Quoted names of an alias, as a list."""
    return ", ".join(f"{alias}.{quote(name)}" for name in columns)


def row_key(key: Iterable[str], alias: str) -> str:
    """SQL of a row's key as one text that no other key has."""
    return f"cast(row({of(alias, key)}) as text)"


def comparable(connection: sa.Connection, schema: str, table: str, columns: Iterable[str], alias: str) -> str:
    """SQL of one record of these columns of a table, of which equal ones are equal rows."""
    wanted = list(columns)
    if not wanted:
        return "row(0)"
    return record(comparable_columns(connection, schema, [table]).get(table, {}), alias, wanted)


def fingerprint_of(
    connection: sa.Connection, schema: str, table: str, columns: Iterable[str], rows: str = "", source: str = ""
) -> str:
    """Fingerprint of rows of a table.

    Args:
        rows: SQL condition with the alias ``r``; all if empty.
        source: SQL of another relation with these columns, in the place of the table.
    """
    content = comparable(connection, schema, table, columns, "r")
    where = f" where {rows}" if rows else ""
    return fingerprint_rows(connection, f"select {content} as r from {source or quote(schema, table)} as r{where}")


def added(*fingerprints: str) -> str:
    """Fingerprint of the rows of several, as if they stood in one table."""
    return _joined(fingerprints, 1)


def without(whole: str, *parts: str) -> str:
    """Fingerprint of the rows of *whole* that are in none of its parts."""
    return _joined((whole, *(_joined([part], -1) for part in parts)), 1)


def _joined(fingerprints: Iterable[str], sign: int) -> str:
    rows = total = mixed = 0
    for each in fingerprints:
        count, summed, xor = map(int, each.split(":"))
        rows, total, mixed = rows + sign * count, total + sign * summed, mixed ^ xor
    return f"{rows}:{total}:{mixed}"
