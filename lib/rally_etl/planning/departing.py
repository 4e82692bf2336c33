"""Planned rows that have to leave a row before that one can be deleted: an order among updates and deletes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import quote, read_foreign_keys


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
    for each in read_foreign_keys(connection):
        if each.table not in moving or each.target not in counts:
            continue
        column, parent, key = quote(each.column), quote(plan, each.target), quote(each.target_column)
        there = f"exists (select from {parent} as d where d._op = '{{0}}' and d.{key} = {{1}}.{column})"
        if each.target in going:
            left = f"p.{column} is distinct from b.{column} and {there.format('delete', 'b')}"
            leaves.setdefault(each.table, []).append(f"({left})")
        if counts[each.target].inserts:
            waits.setdefault(each.table, []).append(there.format("insert", "p"))
    return {
        name: f"({' or '.join(found)})" + "".join(f" and not {text}" for text in waits.get(name, []))
        for name, found in leaves.items()
    }
