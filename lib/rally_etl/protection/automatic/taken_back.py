"""What a repair has mended and somebody has taken back: no automatic repair does it again until somebody says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.protection.automatic.standings import WORTH as STANDINGS

if TYPE_CHECKING:
    from rally_etl.protection.constraints.ddl import Change

REPAIRS = ("orphans", "constraints", "standings")
"""Kinds of runs that mend; by hand or not, what was taken back of them is a person's word."""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The run that had mended something, and who has taken it back."""

    run_id: str
    undo: str
    by: str
    reason: str
    at: datetime

    @property
    def told(self) -> str:
        """`run 1 had mended it, and Ann took that back on 2025-10-03 (run 2): wrong team`."""
        day = f"{self.at:%Y-%m-%d}"
        return f"run {self.run_id} had mended it, and {self.by} took that back on {day} ({self.undo}): {self.reason}"


def row_key(table: str, row: str, column: str = "") -> str:
    """How a row, or a column of it, is called at every look."""
    return " ".join(filter(None, (table, row, column)))


def standings_key(team_id: int | str) -> str:
    """How the standings of a team are called at every look."""
    return f"series_stats of team {team_id}"


def constraint_key(table: str, columns: tuple[str, ...] | list[str]) -> str:
    """How a needed key is called at every look: by its columns, as its name is another one each time."""
    return f"{table} ({', '.join(sorted(columns))})"


def key_of(change: Change) -> str:
    """How what a run does to a constraint is called."""
    if change.action == "drop":
        return f"{change.table}: {change.name}"
    columns = re.search(r"\(([^()]+)\)", change.definition)
    names = [name.strip().strip('"') for name in columns[1].split(",")] if columns else [change.name]
    return constraint_key(change.table, names)


def taken_back(connection: sa.Connection) -> dict[str, TakenBack]:
    """Key of a row -> who has taken its last repair back; those that stand are left out."""
    rows = connection.execute(_ROWS, {"kinds": list(REPAIRS), "standings": STANDINGS})
    return {
        standings_key(row.becomes) if row.is_standings else row_key(row.table_name, row.row_key, row.column_name): _of(
            row
        )
        for row in rows
    }


def taken_back_constraints(
    connection: sa.Connection, operation: Mapping[str, Any] | None = None
) -> dict[str, TakenBack]:
    """Key of a constraint -> who has taken its last repair back.

    Args:
        operation: of the run that asks: none is left out of one by hand, or of one that does it again.
    """
    if operation is not None and not is_bound(operation):
        return {}
    from rally_etl.protection.constraints.ddl import Change

    return {
        key_of(Change(row.table_name, row.name, row.action, row.definition)): _of(row)
        for row in connection.execute(_CONSTRAINTS)
    }


def is_bound(operation: Mapping[str, Any]) -> bool:
    """Whether a run leaves alone what was taken back: an automatic one that nobody has told to do it again."""
    return "problem" in operation and not operation.get("again")


def _of(row: sa.Row) -> TakenBack:
    return TakenBack(row.run_id, row.undo or "a rollback", row.by or "somebody", row.reason or "not said", row.at)


_WHO = """
    left join lateral (
        select u.run_id as undo, u.operation ->> 'by' as by, u.operation ->> 'reason' as reason, u.started_at
        from etl.runs as u
        where u.operation ->> 'kind' = 'undo' and u.operation ->> 'run' = d.run_id
        order by u.started_at desc limit 1
    ) as w on true
    """
_ROWS = sa.text(
    f"""
    with done as (
        select distinct on (p.table_name, p.column_name, is_standings, thing)
            p.table_name, p.row_key, p.column_name, p.becomes, p.run_id, p.kind = :standings as is_standings,
            case when p.kind = :standings then p.becomes else p.row_key end as thing, l.state
        from etl.repairs as p
        join etl.runs as r on r.run_id = p.run_id and r.operation ->> 'kind' = any(:kinds)
        join etl.run_leagues as l on l.run_id = p.run_id and l.published_at is not null
        where p.state = 'planned'
        order by p.table_name, p.column_name, is_standings, thing, l.published_at desc
    )
    select d.*, w.undo, w.by, w.reason, coalesce(w.started_at, clock_timestamp()) as at
    from done as d {_WHO} where d.state = 'undone'
    """
)
_CONSTRAINTS = sa.text(
    f"""
    with done as (
        select distinct on (c.table_name, c.name, c.action, c.definition) c.*, r.started_at as made_at
        from etl.constraint_changes as c
        join etl.runs as r on r.run_id = c.run_id and r.operation ->> 'kind' = 'constraints'
        where c.done_at is not null and c.action <> 'validate'
        order by c.table_name, c.name, c.action, c.definition, r.started_at desc
    )
    select d.*, w.undo, w.by, w.reason, coalesce(w.started_at, d.undone_at) as at
    from done as d {_WHO} where d.undone_at is not null
    """
)
