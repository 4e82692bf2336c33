"""Fingerprints of rows: equal when the content is, whatever the order of rows and their place on the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from rally_etl.database.catalog import quote

_EXACT = "bool int2 int4 int8 oid text varchar bpchar name bytea uuid date time timestamp timestamptz".split()
"""Types whose equal values look the same. Values of others may be equal and differ (1.0 and 1.00): their text counts,
as it does for types that cannot be compared (json)."""

_COLUMNS = sa.text(
    """
    select c.relname as table_name, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
           t.typname = any(:exact) or t.typname = 'numeric' and a.atttypmod <> -1 as is_exact
    from pg_attribute as a
    join pg_class as c on c.oid = a.attrelid and c.relkind in ('r', 'p')
    join pg_namespace as s on s.oid = c.relnamespace and s.nspname = :schema
    join pg_type as t on t.oid = a.atttypid
    where a.attnum > 0 and not a.attisdropped and c.relname = any(:tables)
    order by c.relname, a.attname collate "C"
    """
)


def comparable_columns(connection: sa.Connection, schema: str, tables: Iterable[str]) -> dict[str, dict[str, str]]:
    """Table -> column -> what stands for its value in comparisons, with ``{}`` for the alias of its table.

    Columns stand in the order of their names. A table that does not exist has no entry.
    """
    found: dict[str, dict[str, str]] = {}
    for row in connection.execute(_COLUMNS, {"schema": schema, "tables": list(tables), "exact": _EXACT}):
        name = quote(row.name).replace("{", "{{").replace("}", "}}")
        found.setdefault(row.table_name, {})[row.name] = f"{{0}}.{name}" if row.is_exact else f"{{0}}.{name}::text"
    return found


def record(columns: Mapping[str, str], alias: str, names: Iterable[str] | None = None) -> str:
    """SQL of one record of the values of these columns, all when none are named; `comparable_columns` gives them."""
    wanted = columns if names is None else [name for name in columns if name in set(names)]
    return f"row({', '.join(columns[name].format(alias) for name in wanted)})"


def fingerprint(connection: sa.Connection, schema: str, tables: Iterable[str]) -> dict[str, str]:
    """Table -> fingerprint of its rows; a table that does not exist has no entry."""
    found = comparable_columns(connection, schema, tables)
    return {
        table: fingerprint_rows(connection, f"select {record(columns, 'r')} as r from {quote(schema, table)} as r")
        for table, columns in found.items()
    }


def fingerprint_rows(connection: sa.Connection, sql: str) -> str:
    """The fingerprint of the records that a query answers as its column ``r``."""
    rows, total, mixed = connection.exec_driver_sql(
        "select count(*), sum(h), bit_xor(h)"
        f" from (select hash_record_extended(r, 0) as h from ({sql}) as q) as hashes",
        execution_options={"no_parameters": True},
    ).one()
    return f"{rows}:{total or 0}:{mixed or 0}"


def whole(fingerprints: Mapping[str, str]) -> str:
    """One fingerprint of all tables."""
    return hashlib.sha256(
        "\n".join(f"{table}={fingerprints[table]}" for table in sorted(fingerprints)).encode()
    ).hexdigest()
