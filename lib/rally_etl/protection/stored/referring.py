"""What rows refer to when tables go back to a snapshot: nothing may point at what is gone, or at another thing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.database.references import ReferenceParams, find_references
from rally_etl.measures import counted
from rally_etl.protection.identity import name_sql
from rally_etl.protection.meaning import Meaning
from rally_etl.protection.snapshots.definitions import run
from rally_etl.protection.stored.differing import Differing, keep_referred
from rally_etl.protection.stored.loading import Loaded

SHOWN = 5
DECIDED = "snapshot"
"""Strategy of an imported row that gets the name back that it had (`planning.schema`, table ``identified``)."""

_KEYS = sa.text(
    """
    select t.relname as table_name, r.relname as target,
           array(select cast(a.attname as text) from unnest(c.conkey) with ordinality as k(attnum, position)
                 join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.attnum order by k.position)
           as columns,
           array(select cast(a.attname as text) from unnest(c.confkey) with ordinality as k(attnum, position)
                 join pg_attribute as a on a.attrelid = c.confrelid and a.attnum = k.attnum order by k.position)
           as target_columns
    from pg_constraint as c
    join pg_class as t on t.oid = c.conrelid and t.relnamespace = to_regnamespace('public')
    join pg_class as r on r.oid = c.confrelid and r.relnamespace = to_regnamespace('public')
    where c.contype = 'f' and c.conparentid = 0
    order by 1, 2, 3
    """
)


@dataclass(frozen=True, slots=True)
class Pointer:
    """Columns of one table that point at rows of another; ``rows`` limits them to some, ``is_hard``: by a key."""

    table: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    rows: str
    is_hard: bool

    def filled(self, alias: str) -> str:
        """SQL condition: a row points at something."""
        named = " and ".join(f"{alias}.{quote(column)} is not null" for column in self.columns)
        return f"{named} and exists (select from (select {alias}.*) as x where ({self.rows}))" if self.rows else named

    def hits(self, alias: str, target: str) -> str:
        """SQL condition: a row points at that one; as texts, for types of soft references may differ."""
        return " and ".join(
            f"cast({target}.{quote(there)} as text) = cast({alias}.{quote(here)} as text)"
            for here, there in zip(self.columns, self.target_columns, strict=True)
        )

    def value(self, alias: str) -> str:
        """SQL of what a row points at, as text."""
        return f"concat_ws(', ', {', '.join(f'{alias}.{quote(column)}' for column in self.columns)})"


def find_pointers(connection: sa.Connection, params: ReferenceParams) -> list[Pointer]:
    """All foreign keys within schema ``public``, and all references by id that need none."""
    found = [
        Pointer(row.table_name, tuple(row.columns), row.target, tuple(row.target_columns), "", True)
        for row in connection.execute(_KEYS)
    ]
    return found + [
        Pointer(each.table, (each.column,), each.target, (each.target_column,), each.rows or "", False)
        for each in find_references(connection, params, with_imported=True)
        if not each.is_hard and not each.is_past and each.how == "id"
    ]


def keep_what_is_used(
    connection: sa.Connection, pointers: list[Pointer], differing: Mapping[str, Differing], is_exact: bool
) -> None:
    """Imported rows that were to go because they were added since stay where a row that stays points at them."""
    if is_exact:
        return
    for pointer in pointers:
        target = differing.get(pointer.target)
        if target and pointer.target in IMPORTED and _deletes(connection, target):
            after = _after(differing, pointer.table)
            pointed = f"exists (select from {after} as c where {pointer.filled('c')} and {pointer.hits('c', 'p')})"
            keep_referred(connection, target, pointed)


def broken(
    connection: sa.Connection, pointers: list[Pointer], differing: Mapping[str, Differing], restored: frozenset[str]
) -> Iterator[tuple[str, str, str, bool]]:
    """What would point at nothing: table, target, a sentence, and whether a person has to do something about it.

    What pointed at nothing in the snapshot itself, by no foreign key, comes back like that.
    """
    for pointer in pointers:
        by, target = differing.get(pointer.table), differing.get(pointer.target)
        nowhere = f"not exists (select from {_after(differing, pointer.target)} as x where {pointer.hits('c', 'x')})"
        if by:
            same = " and ".join(
                f"l.{quote(name)} is not distinct from c.{quote(name)}" for name in (*by.table.key, *pointer.columns)
            )
            rows = (
                f"from {by.plan} as c where c._op <> 'delete' and {pointer.filled('c')} and {nowhere}"
                f" and not exists (select from {by.live} as l where {same})"
            )
            if told := _told(connection, pointer, rows, "would refer to", "which is not there"):
                yield pointer.table, pointer.target, told, pointer.is_hard or pointer.target not in restored
        if target:
            live = f"exists (select from {target.live} as x where {pointer.hits('c', 'x')})"
            rows = f"from {_after(differing, pointer.table)} as c where {pointer.filled('c')} and {nowhere} and {live}"
            if told := _told(connection, pointer, rows, "refers to", "which would go"):
                yield pointer.table, pointer.target, told, True


def renamed(connection: sa.Connection, differing: Mapping[str, Differing], params: ReferenceParams) -> list[sa.Row]:
    """Imported rows whose name is another than in the snapshot: target, id, league_id, was, becomes."""
    found: list[sa.Row] = []
    for target in params.identity:
        if (each := differing.get(target)) is None or not each.table.has("id", *params.identity[target]):
            continue
        was, becomes = (name_sql(alias, target, params) for alias in ("l", "p"))
        league = "l.id" if target == "leagues" else "l.league_id" if each.table.has("league_id") else "null"
        found += run(
            connection,
            f"select '{target}' as target, p.id, cast({league} as integer) as league_id, {was} as was,"
            f" {becomes} as becomes from {each.plan} as p join {each.live} as l on l.id = p.id"
            f" where p._op in ('update', 'deactivate') and {was} is distinct from {becomes} order by p.id",
        ).all()
    return found


def note_renamed(connection: sa.Connection, rows: list[sa.Row], league: str, told: str) -> None:
    """Write into the plan why these rows get another name."""
    if rows:
        connection.execute(
            sa.text("insert into identified values (:league, :target, :id, :strategy, 1.0, :told)"),
            [{"league": league, "target": r.target, "id": r.id, "strategy": DECIDED, "told": told} for r in rows],
        )


def moved(
    connection: sa.Connection,
    params: ReferenceParams,
    meaning: Meaning,
    rows: list[sa.Row],
    differing: Mapping[str, Differing],
    unchanged: Collection[str],
    then: Callable[[str], Loaded | None],
) -> Iterator[str]:
    """Users' rows that were written since the snapshot and refer to what would be another thing, in sentences.

    Args:
        rows: those of `renamed`.
        unchanged: tables whose rows are all as in the snapshot.
        then: gives a table's rows in the snapshot; None where it was not there.
    """
    others = [each for each in rows if not meaning.is_same(each.target, each.league_id, each.was, each.becomes)]
    for each in find_references(connection, params):
        named = {row.id: row for row in others if row.target == each.target}
        if not named or not each.is_users or each.is_past or each.how != "id" or each.table in unchanged:
            continue
        pointer = Pointer(each.table, (each.column,), each.target, (each.target_column,), each.rows or "", False)
        ids = ", ".join(map(str, named))
        sql = (
            f"select {pointer.value('c')} as value, min(t.id) as id, count(*) as row_count"
            f" from {_after(differing, each.table)} as c"
            f" join {_after(differing, each.target)} as t on {pointer.hits('c', 't')} and t.id in ({ids})"
            f" where {pointer.filled('c')}"
        )
        if not run(connection, f"select exists ({sql} group by 1)").scalar_one():
            continue
        if loaded := then(each.table):
            columns = {*loaded.stored.key, each.column} & set(loaded.columns)
            same = " and ".join(f"s.{quote(name)} is not distinct from c.{quote(name)}" for name in sorted(columns))
            sql += f" and not exists (select from {loaded.sql} as s where {same})"
        for row in run(connection, f"{sql} group by 1 order by 1 limit {SHOWN}"):
            found = named[row.id]
            yield f"{each.name}: {counted(row.row_count, 'row')} of {found.was!r} would be of {found.becomes!r}"


def _after(differing: Mapping[str, Differing], table: str) -> str:
    return differing[table].after if table in differing else quote("public", table)


def _deletes(connection: sa.Connection, differing: Differing) -> bool:
    return run(connection, f"select exists (select from {differing.plan} where _op = 'delete')").scalar_one()


def _told(connection: sa.Connection, pointer: Pointer, rows: str, verb: str, fate: str) -> str | None:
    """The first values that a query finds, in a sentence, with the rows that have each."""
    sql = f"select {pointer.value('c')} as value, count(*) as row_count {rows} group by 1 order by 1 limit {SHOWN}"
    found = run(connection, sql).all()
    if not found:
        return None
    by = f"{pointer.table}.{'+'.join(pointer.columns)}"
    values = ", ".join(f"{pointer.target} {row.value} ({counted(row.row_count, 'row')})" for row in found)
    return f"{by} {verb} {values}, {fate}"
