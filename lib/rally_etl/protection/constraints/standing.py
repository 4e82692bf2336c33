"""Which unique keys and foreign keys stand in the database, whatever their names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

_COLUMNS = sa.text(
    """
    select c.relname as table_name, array_agg(a.attname::text) as columns
    from pg_class as c join pg_attribute as a on a.attrelid = c.oid
    where c.relnamespace = to_regnamespace('public') and c.relkind in ('r', 'p') and c.relname = any(:names)
      and a.attnum > 0 and not a.attisdropped
    group by c.relname
    """
)
_UNIQUE = sa.text(
    """
    select t.relname as table_name, i.relname as name, x.indisvalid as is_valid, x.indimmediate as is_immediate,
           pg_get_expr(x.indpred, x.indrelid) as predicate, x.indexprs is not null as has_expressions,
           x.indisprimary as is_primary, c.conname is not null as is_constraint,
           coalesce(pg_get_constraintdef(c.oid), pg_get_indexdef(x.indexrelid)) as definition,
           array(select a.attname from unnest(x.indkey) with ordinality as k(attnum, position)
                 join pg_attribute as a on a.attrelid = x.indrelid and a.attnum = k.attnum
                 where k.position <= x.indnkeyatts order by k.position)::text[] as columns,
           array(select a.attname from pg_depend as d
                 join pg_attribute as a on a.attrelid = x.indrelid and a.attnum = d.refobjsubid
                 where d.objid = x.indexrelid and d.refobjid = x.indrelid and a.attnum > 0)::text[] as columns_used
    from pg_index as x
    join pg_class as i on i.oid = x.indexrelid
    join pg_class as t on t.oid = x.indrelid
    left join pg_constraint as c on c.conindid = x.indexrelid and c.conrelid = x.indrelid and c.contype in ('p', 'u')
    where x.indisunique and t.relnamespace = to_regnamespace('public') and t.relname = any(:names)
    order by t.relname, i.relname
    """
)
_FOREIGN = sa.text(
    """
    select t.relname as table_name, c.conname as name, a.attname as column_name, r.relname as target,
           b.attname as target_column, c.convalidated as is_valid
    from pg_constraint as c
    join pg_class as t on t.oid = c.conrelid
    join pg_class as r on r.oid = c.confrelid
    join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    join pg_attribute as b on b.attrelid = c.confrelid and b.attnum = c.confkey[1]
    where c.contype = 'f' and cardinality(c.conkey) = 1 and t.relnamespace = to_regnamespace('public')
      and t.relname = any(:names)
    order by t.relname, c.conname
    """
)
_NOISE = re.compile(r"[()\s\"]+|::\w+")


@dataclass(frozen=True, slots=True)
class Index:
    """One unique index. ``columns``: those of its key, expressions left out; ``columns_used``: of expressions too."""

    table: str
    name: str
    columns: frozenset[str]
    columns_used: frozenset[str]
    predicate: str | None
    has_expressions: bool
    is_valid: bool
    is_immediate: bool
    is_primary: bool
    is_constraint: bool
    definition: str

    def fault(self, rows: str = "") -> str | None:
        """Why it does not hold a key for these *rows* ("" for all); None when it does."""
        if self.has_expressions:
            return "is on an expression, which no upsert can name by its columns"
        if not self.is_valid:
            return "is not valid: its making was broken off"
        if not self.is_immediate:
            return "is deferrable, so that no upsert can use it"
        if self.predicate and not is_one_condition(self.predicate, rows):
            return f"is partial (where {self.predicate}), so that an upsert on these columns cannot use it"
        return None


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """One foreign key of one column."""

    table: str
    name: str
    column: str
    target: str
    target_column: str
    is_valid: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands: columns and unique indexes by table, and foreign keys."""

    columns: dict[str, frozenset[str]]
    indexes: dict[str, list[Index]]
    foreign: list[ForeignKey]


def read_standing(connection: sa.Connection, tables: Iterable[str]) -> Standing:
    """Read what stands on these tables of schema ``public``; one that is missing has no entry in ``columns``."""
    names = {"names": sorted(tables)}
    columns = {row.table_name: frozenset(row.columns) for row in connection.execute(_COLUMNS, names)}
    indexes: dict[str, list[Index]] = {name: [] for name in columns}
    for row in connection.execute(_UNIQUE, names):
        indexes[row.table_name].append(
            Index(
                table=row.table_name,
                name=row.name,
                columns=frozenset(row.columns),
                columns_used=frozenset(row.columns_used) | frozenset(row.columns),
                predicate=row.predicate,
                has_expressions=row.has_expressions,
                is_valid=row.is_valid,
                is_immediate=row.is_immediate,
                is_primary=row.is_primary,
                is_constraint=row.is_constraint,
                definition=row.definition,
            )
        )
    foreign = [
        ForeignKey(row.table_name, row.name, row.column_name, row.target, row.target_column, row.is_valid)
        for row in connection.execute(_FOREIGN, names)
    ]
    return Standing(columns, indexes, foreign)


def is_one_condition(first: str, second: str) -> bool:
    """Whether two SQL conditions are one but for parentheses, casts, quotes, blanks and case."""
    return _NOISE.sub("", first.lower()) == _NOISE.sub("", second.lower())
