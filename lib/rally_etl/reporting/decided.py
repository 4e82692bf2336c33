"""What the notebook of the gate shows: decisions, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rally_etl.reporting import recorded
from rally_etl.reporting.tables import Note, Table

if TYPE_CHECKING:
    from rally_etl.workbook import Book


def decisions(book: Book) -> Table | Note:
    """One row per league of the run."""
    rows = [
        {name: row[name] for name in ("league", "decision", "state")} | {"reasons": len(row["reasons"])}
        for row in book.of_run(recorded.leagues)
    ]
    return Table(rows, title="Decisions", empty="Nothing is decided yet.")


def reasons(book: Book) -> Table | Note:
    """One row per rule that did not hold, in words."""
    columns = ("severity", "stage", "rule", "observed", "threshold", "message")
    rows = [
        {"league": row["league"]} | {name: reason.get(name) for name in columns}
        for row in book.of_run(recorded.leagues)
        for reason in row["reasons"]
    ]
    return Table(rows, title="Reasons", empty="Every rule holds.")
