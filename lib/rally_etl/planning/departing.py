"""Planned rows that have to leave a row before that one can be deleted: an order among updates and deletes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import quote

_KEYS = sa.text(
    """
    select t.relname as child, a.attname as column_name, r.relname as parent, b.attname as key
    from pg_constraint as c
    join pg_class as t on t.oid = c.conrelid and t.relnamespace = to_regnamespace('public')
    join pg_class as r on r.oid = c.confrelid and r.relnamespace = to_regnamespace('public')
    join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    join pg_attribute as b on b.attrelid = c.confrelid and b.attnum = c.confkey[1]
    where c.contype = 'f' and cardinality(c.conkey) = 1 and t.relname = any(:names) and r.relname = any(:parents)
    order by 1, 2
    """
)


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of one table that a publish writes."""

    inserts: int
    updates: int
    deletes: int


def departing(connection: sa.Connection, plan: str, counts: Mapping[str, Counts]) -> dict[str, str]:
    """Table -> SQL, over a planned row ``p`` and its image before ``b``, of the updates that come before the deletes.

    Those are of rows that point at one to delete, and will point at one that is there already. What points from a row
    to delete at a row to insert has no order and stays for the database to refuse.
    """
    going = [name for name, each in counts.items() if each.deletes]
    moving = [name for name, each in counts.items() if each.updates]
    if not going or not moving:
        return {}
    leaves: dict[str, list[str]] = {}
    waits: dict[str, list[str]] = {}
    for row in connection.execute(_KEYS, {"names": moving, "parents": list(counts)}):
        column, parent, key = quote(row.column_name), quote(plan, row.parent), quote(row.key)
        there = f"exists (select from {parent} as d where d._op = '{{0}}' and d.{key} = {{1}}.{column})"
        if row.parent in going:
            left = f"p.{column} is distinct from b.{column} and {there.format('delete', 'b')}"
            leaves.setdefault(row.child, []).append(f"({left})")
        if counts[row.parent].inserts:
            waits.setdefault(row.child, []).append(there.format("insert", "p"))
    return {
        name: f"({' or '.join(found)})" + "".join(f" and not {each}" for each in waits.get(name, []))
        for name, found in leaves.items()
    }
