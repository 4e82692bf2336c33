"""What stands in the database it meets: columns, defaults, sequences and unique keys of Rally's tables.

Nothing about a live table is assumed: production, staging and local databases disagree (docs/databases.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa

IMPORTED = (
    "leagues",
    "clubs",
    "series",
    "club_leagues",
    "series_leagues",
    "teams",
    "players",
    "player_history",
    "match_scores",
    "series_stats",
    "schedule",
)
"""Imported tables, parents before children: the order of planning and of publishing."""

REQUIRED = frozenset(IMPORTED) - {"series_leagues"}
"""Imported tables without which no run is possible; the junction is legacy and may be gone."""

_LEDGER = sa.text(
    "select relname from pg_class where relnamespace = to_regnamespace('etl') and relkind in ('r', 'p', 'v')"
    " and has_schema_privilege(relnamespace, 'usage') and has_table_privilege(oid, 'select')"
)

_COLUMNS = sa.text(
    """
    select c.relname as table_name, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
           a.attnotnull as is_required, pg_get_expr(d.adbin, d.adrelid) as default_sql,
           case when a.attname = 'id' then pg_get_serial_sequence(format('%I.%I', s.nspname, c.relname), a.attname)
           end as sequence
    from pg_attribute as a
    join pg_class as c on c.oid = a.attrelid and c.relkind in ('r', 'p')
    join pg_namespace as s on s.oid = c.relnamespace and s.nspname = :schema
    left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and c.relname = any(:names)
    order by c.relname, a.attnum
    """
)

_UNIQUE_KEYS = sa.text(
    """
    select t.relname as table_name, i.relname as name, x.indpred is not null as is_partial,
           array(select a.attname from unnest(x.indkey) with ordinality as k(attnum, position)
                 join pg_attribute as a on a.attrelid = x.indrelid and a.attnum = k.attnum
                 order by k.position)::text[] as columns
    from pg_index as x
    join pg_class as i on i.oid = x.indexrelid
    join pg_class as t on t.oid = x.indrelid
    join pg_namespace as s on s.oid = t.relnamespace and s.nspname = :schema
    where x.indisunique and x.indisvalid and x.indexprs is null and t.relname = any(:names)
    order by t.relname, i.relname
    """
)

_PRIMARY_KEYS = sa.text(
    """
    select t.relname as table_name,
           array(select a.attname from unnest(x.indkey) with ordinality as k(attnum, position)
                 join pg_attribute as a on a.attrelid = x.indrelid and a.attnum = k.attnum
                 order by k.position)::text[] as columns
    from pg_index as x
    join pg_class as t on t.oid = x.indrelid
    join pg_namespace as s on s.oid = t.relnamespace and s.nspname = :schema
    where x.indisprimary and t.relname = any(:names)
    """
)


_FOREIGN_KEYS = sa.text(
    """
    select t.relname as table_name, a.attname as column_name, r.relname as target, b.attname as target_column
    from pg_constraint as c
    join pg_class as t on t.oid = c.conrelid and t.relnamespace = to_regnamespace('public')
    join pg_class as r on r.oid = c.confrelid and r.relnamespace = to_regnamespace('public')
    join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    join pg_attribute as b on b.attrelid = c.confrelid and b.attnum = c.confkey[1]
    where c.contype = 'f' and cardinality(c.conkey) = 1
    order by 1, 2
    """
)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """One foreign key of a single column."""

    table: str
    column: str
    target: str
    target_column: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column as the live table has it; ``default_sql`` is the text of its default expression."""

    name: str
    type: str
    is_required: bool
    default_sql: str | None


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """A unique index; a partial one cannot serve as a conflict target."""

    name: str
    columns: tuple[str, ...]
    is_partial: bool


@dataclass(frozen=True, slots=True)
class Table:
    """One live table of schema ``public``; ``key``: the columns that tell its rows apart, none where nothing does."""

    name: str
    columns: tuple[Column, ...]
    sequence: str | None
    unique_keys: tuple[UniqueKey, ...] = field(default=())
    key: tuple[str, ...] = ("id",)

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def has(self, *names: str) -> bool:
        """Whether the live table has all of these columns."""
        return set(names) <= set(self.column_names)

    def same(self, one: str, other: str) -> str:
        """SQL condition that two aliases stand for the same row."""
        return " and ".join(f"{one}.{quote(name)} = {other}.{quote(name)}" for name in self.key)


def quote(*parts: str) -> str:
    """A quoted identifier, with its schema when two parts are given."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def readable_ledger(connection: sa.Connection) -> frozenset[str]:
    """Tables of schema etl that this login may read: none where no run has been, or where the schema is closed to it.

    ``to_regclass('etl.…')`` does not tell: without the right to use the schema it is an error.
    """
    return frozenset(connection.scalars(_LEDGER))


def read_foreign_keys(connection: sa.Connection) -> list[ForeignKey]:
    """Foreign keys of a single column between any two tables of schema ``public``, by table and column."""
    return [ForeignKey(*row) for row in connection.execute(_FOREIGN_KEYS)]


def read_catalog(
    connection: sa.Connection, names: tuple[str, ...] = IMPORTED, schema: str = "public"
) -> dict[str, Table]:
    """Describe those of the named tables that exist; one that is missing has no entry."""
    binds = {"names": list(names), "schema": schema}
    columns: dict[str, list[Column]] = {}
    sequences: dict[str, str | None] = {}
    for row in connection.execute(_COLUMNS, binds):
        columns.setdefault(row.table_name, []).append(Column(row.name, row.type, row.is_required, row.default_sql))
        sequences[row.table_name] = sequences.get(row.table_name) or row.sequence
    keys: dict[str, list[UniqueKey]] = {}
    for row in connection.execute(_UNIQUE_KEYS, binds):
        keys.setdefault(row.table_name, []).append(UniqueKey(row.name, tuple(row.columns), row.is_partial))
    primary = {row.table_name: tuple(row.columns) for row in connection.execute(_PRIMARY_KEYS, binds)}
    return {
        name: Table(
            name,
            tuple(columns[name]),
            sequences[name],
            tuple(keys.get(name, ())),
            ("id",) if any(column.name == "id" for column in columns[name]) else primary.get(name, ()),
        )
        for name in names
        if name in columns
    }
