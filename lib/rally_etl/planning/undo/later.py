"""Runs that were published after the one that is taken back, and what of theirs depends on it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote
from rally_etl.errors import UsageError
from rally_etl.planning.schema import read_planned, schemas
from rally_etl.planning.undo.undone import DUE, Undone, row_key

SHOWN_ROWS = 5

_LATER = sa.text(
    "select run_id, array_agg(league) as leagues from etl.run_leagues"
    " where run_id <> :run and state <> 'undone' and published_at >"
    " (select min(published_at) from etl.run_leagues where run_id = :run and league = any(:leagues))"
    " group by run_id order by max(published_at) desc"
)
_REDIRECTED = """
    select r.run_id, r.from_id, r.into_id from etl.redirects as r join {table} as p on p.id in (r.from_id, r.into_id)
    where r.table_name = :table and r.ended_at is null and p._op = 'delete' order by r.id limit 1
    """


@dataclass(frozen=True, slots=True)
class Later:
    """A run published since; ``planned`` is empty when its plan is no longer kept."""

    run_id: str
    leagues: tuple[str, ...]
    planned: dict[str, Table]

    def writes(self, table: Table, column: str, alias: str) -> str:
        """SQL: whether the run has written this column of the row *alias* of a table that its plan has."""
        plan = schemas(self.run_id)[0]
        name = quote(column)
        return (
            f"exists (select from {quote(plan, table.name)} as o"
            f" left join {quote(plan, f'{table.name}_before')} as w on {table.same('w', 'o')}"
            f" where {table.same('o', alias)} and o._leagues && cast(:later as text[]) and o._op <> 'delete'"
            f" and (o._op = 'insert' or o.{name} is distinct from w.{name}))"
        )


def read_later(connection: sa.Connection, undone: str, keys: list[str]) -> list[Later]:
    """Runs in force that published after these leagues of the undone one, the newest first."""
    return [
        Later(row.run_id, tuple(row.leagues), read_planned(connection, row.run_id))
        for row in connection.execute(_LATER, {"run": undone, "leagues": keys})
    ]


def refuse_overtaken(connection: sa.Connection, part: Undone, undone: str, later: Iterable[Later]) -> None:
    """Columns that a later run has written are that run's: it is taken back first. Reads ``undo_changed``.

    Raises:
        UsageError: names the run, a row and its columns.
    """
    name, binds = part.table.name, {"table": part.table.name}
    columns = list(
        connection.scalars(
            sa.text("select distinct column_name from undo_changed where table_name = :table order by 1"), binds
        )
    )
    for other in later if columns else ():
        if name not in other.planned:
            continue
        plan = schemas(other.run_id)[0]
        wrote = " ".join(
            f"when c.column_name = '{each}'"
            f" then o._op in ('insert', 'delete') or o.{quote(each)} is distinct from w.{quote(each)}"
            for each in columns
            if each
        )
        rows = connection.execute(
            sa.text(
                f"select c.row_key, string_agg(nullif(c.column_name, ''), ', ' order by c.column_name) as columns"
                f" from undo_changed as c join {quote(plan, name)} as o on {row_key(part.table, 'o')} = c.row_key"
                f" left join {quote(plan, f'{name}_before')} as w on {part.table.same('w', 'o')}"
                f" where c.table_name = :table and o._leagues && cast(:later as text[])"
                f" and case {wrote} when c.column_name = '' then o._op in ('insert', 'delete') end"
                f" group by 1 order by 1 limit {SHOWN_ROWS}"
            ),
            binds | {"later": list(other.leagues)},
        ).all()
        if rows:
            told = "; ".join(f"{name} {row.row_key}" + (f" ({row.columns})" if row.columns else "") for row in rows)
            raise UsageError(
                f"run {other.run_id} has changed {told} after run {undone}; nothing was planned\n"
                f"hint: undo {other.run_id} first"
            )


def refuse_redirected(connection: sa.Connection, part: Undone, undone: str) -> None:
    """A row that a merge has named cannot go before the merge is taken back.

    Raises:
        UsageError: names the merge.
    """
    row = connection.execute(
        sa.text(_REDIRECTED.format(table=quote(part.table.name))), {"table": part.table.name}
    ).first()
    if row:
        raise UsageError(
            f"run {row.run_id} has merged {part.table.name} {row.from_id} into {row.into_id}, one of which run {undone}"
            f" made; nothing was planned\nhint: undo {row.run_id} first"
        )


def refuse_gone(connection: sa.Connection, part: Undone, undone: str, later: Iterable[Later]) -> None:
    """What a row would point at again may be what a later undo has removed: that one is taken back first.

    Raises:
        UsageError: names the run and both rows.
    """
    for each, other in itertools.product(part.keys, later):
        if each.target not in other.planned:
            continue
        column, target = f"b.{quote(each.column)}", quote(schemas(other.run_id)[0], each.target)
        row = connection.execute(
            sa.text(
                f"select {row_key(part.table, 'p')} as row_key, {column} as value {part.rows} join {target} as o"
                f" on o.{quote(each.target_column)} = {column} and o._op = 'delete' where {DUE}"
                f" and p._op <> 'insert' and p.{quote(each.column)} is not distinct from"
                f" case when p._op = 'delete' then {column} else l.{quote(each.column)} end"
                f" and not ({part.stands(each.column)}) order by 1 limit 1"
            ),
            part.binds,
        ).first()
        if row:
            raise UsageError(
                f"{part.table.name} {row.row_key} of run {undone} would point at {each.target} {row.value}, which run"
                f" {other.run_id} has removed; nothing was planned\nhint: undo {other.run_id} first"
            )
