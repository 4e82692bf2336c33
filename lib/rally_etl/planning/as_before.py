"""Whether live rows are, bit by bit, what they were before a plan that was written and taken back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote
from rally_etl.database.references import Reference
from rally_etl.measures import counted
from rally_etl.planning.schema import read_planned, schemas
from rally_etl.planning.undo import standing

SHOWN_ROWS = 20  # per table

DUE = "p._leagues && cast(:leagues as text[]) and not p._leagues && cast(:others as text[])"
"""SQL: a planned row ``p`` is needed by one of the leagues, and by none of those that are live already."""


def rows_that_differ(
    connection: sa.Connection,
    tables: Mapping[str, Table],
    run_id: str,
    undo_id: str,
    due: Mapping[str, list[str]],
    references: Iterable[Reference],
) -> tuple[int, list[str]]:
    """Count the planned rows of a run that its undo has not made what they were, and name the first of them.

    A row that the undo would write and the run has not counts, too.

    Args:
        tables: those of the plan that have rows, by name.
        due: the binds of `DUE`.
        references: of the whole database; the hard ones say what cannot point at nothing again.

    Returns:
        how many differ, and texts like ``players 12: pti, wins``.
    """
    (plan, _), (undo, _) = schemas(run_id), schemas(undo_id)
    differs, named = 0, []
    for table in tables.values():
        links = [each for each in references if each.table == table.name and each.is_hard]
        rows = connection.execute(sa.text(_differing(table, plan, links)), {**due, "shown": SHOWN_ROWS}).all()
        differs += rows[0].total if rows else 0
        named += [f"{table.name} {row.row_key}: {', '.join(row.columns)}" for row in rows]
    for name, table in read_planned(connection, undo_id).items():
        known = f"select from {quote(plan, name)} as p where {table.same('p', 'u')}" if name in tables else ""
        sql = f"select count(*) from {quote(undo, name)} as u where {f'not exists ({known})' if known else 'true'}"
        if count := connection.scalar(sa.text(sql)):
            differs += count
            named.append(f"{name}: the undo would write {counted(count, 'row')} that the run does not")
    return differs, named


def _differing(table: Table, plan: str, links: list[Reference]) -> str:
    """SQL: planned rows whose live row is not bit by bit the image before; a new row must be gone.

    A column that pointed at nothing before, which a foreign key forbids by now, may keep what it was mended to.
    """
    key = ", ".join(f"p.{quote(name)}" for name in table.key)
    is_live = f"l.{quote(table.key[0])} is not null"
    columns = ", ".join(
        f"case when {_record('l', [name])} *<> {_record('b', [name])} and ({standing(links, name)}) then '{name}' end"
        for name in table.column_names
    )
    is_other = f"{_record('l', table.column_names)} *<> {_record('b', table.column_names)}"
    return f"""
        select row_key, columns, count(*) over () as total
        from (
            select concat_ws(', ', {key}) as row_key,
                   case when p._op = 'insert' then array['it would stay'] when not ({is_live}) then array['it is gone']
                        else array_remove(array[{columns}], null) end as columns
            from {quote(plan, table.name)} as p
            left join {quote(plan, f"{table.name}_before")} as b on {table.same("b", "p")}
            left join {quote("public", table.name)} as l on {table.same("l", "p")}
            where {DUE}
              and case when p._op = 'insert' then {is_live}
                       else not ({is_live}) or {is_other} end
        ) as compared
        where cardinality(columns) > 0
        order by row_key
        limit :shown
        """


def _record(alias: str, names: Iterable[str]) -> str:
    """SQL of some columns as one value that is compared byte by byte."""
    return f"cast(row({', '.join(f'{alias}.{quote(name)}' for name in names)}) as record)"
