"""The reference map of one database: how many rows stand behind each reference, and what the map does not cover."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.database.references import ARCHIVED, Reference, ReferenceParams, find_map

_TABLES = sa.text(
    """
    select c.relname as name, array_agg(cast(a.attname as text) order by a.attnum) as columns
    from pg_class as c
    left join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = to_regnamespace('public') and c.relkind in ('r', 'p', 'f') and not c.relispartition
      and not exists (select from pg_depend as d where d.objid = c.oid and d.deptype = 'e')
    group by c.relname
    order by c.relname
    """
)
_ELSEWHERE = sa.text(
    """
    select distinct format('%s.%s', s.nspname, t.relname) as name, r.relname as target
    from pg_constraint as c
    join pg_class as t on t.oid = c.conrelid
    join pg_namespace as s on s.oid = t.relnamespace and s.nspname <> 'public'
    join pg_class as r on r.oid = c.confrelid and r.relnamespace = to_regnamespace('public')
    where c.contype = 'f' and r.relname = any(:imported)
    order by 1, 2
    """
)
_ID = re.compile(r"(?:^|_)(?:team|league|series|club|player)_?\d*_ids?(?:_\d+)?$")
_NAME = re.compile(r"(?:^|_)(?:team|league|series|club|player)_?\d*_names?$")
_DECLARE = "declare it in params/references.yaml under soft or names, or list it there under unrelated"


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows behind one reference: `filled` point at something, `empty` hold NULL."""

    reference: Reference
    filled: int
    empty: int

    @property
    def rows(self) -> int:
        return self.filled + self.empty


def count_rows(connection: sa.Connection, references: Iterable[Reference]) -> list[Counted]:
    """Count the rows behind each reference, in its order: one statement per table."""
    counted: dict[Reference, Counted] = {}
    in_order = list(references)
    tables: dict[str, list[Reference]] = {}
    for each in in_order:
        tables.setdefault(each.table, []).append(each)
    for name, found in tables.items():
        counts = ", ".join(
            f"count({quote(each.column)}) filter (where {each.rows or 'true'}) as filled_{place},"
            f" count(*) filter (where {each.rows or 'true'}) as rows_{place}"
            for place, each in enumerate(found)
        )
        row = connection.execute(sa.text(f"select {counts} from {quote('public', name)}")).one()._mapping
        for place, each in enumerate(found):
            filled = row[f"filled_{place}"]
            counted[each] = Counted(each, filled, row[f"rows_{place}"] - filled)
    return [counted[each] for each in in_order]


def uncovered_texts(connection: sa.Connection, params: ReferenceParams) -> list[str]:
    """What the map leaves out, each with what to do: tables that nobody described, and columns that look like more.

    A table of another schema is left out too when a foreign key of it points at an imported table.
    """
    references = find_map(connection, params).references
    tables = {row.name: [name for name in row.columns if name] for row in connection.execute(_TABLES)}
    told = [
        f"table {name} is in no reference: {_DECLARE}"
        for name in tables
        if name not in {each.table for each in references}
        and name not in (*IMPORTED, *ARCHIVED)
        and name not in params.unrelated
        and not any(_looks_like_reference(name, column, params) for column in tables[name])
    ]
    told += [
        f"column {name} looks like a reference and is none: {_DECLARE}" for name in _columns(tables, references, params)
    ]
    told += [
        f"table {row.name} points at {row.target} from another schema, where nothing is accounted for:"
        " ask a database engineer to move it to schema public"
        for row in connection.execute(_ELSEWHERE, {"imported": list(IMPORTED)})
    ]
    return told


def _columns(tables: dict[str, list[str]], references: Iterable[Reference], params: ReferenceParams) -> Iterator[str]:
    covered = {each.name for each in references}
    keys = {(each.target, column) for each in references for column in each.target_columns}
    for name, columns in tables.items():
        for column in columns:
            known = f"{name}.{column}" in covered | params.unrelated or (name, column) in keys
            if not known and _looks_like_reference(name, column, params):
                yield f"{name}.{column}"


def _looks_like_reference(table: str, column: str, params: ReferenceParams) -> bool:
    """By its name; imported tables have names of their own, which are no references."""
    if column in params.identity.get(table, ()):
        return False
    return bool(_ID.search(column)) or (table not in (*IMPORTED, *ARCHIVED) and bool(_NAME.search(column)))
