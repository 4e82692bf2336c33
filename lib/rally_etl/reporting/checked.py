"""What the notebook of the stage validation shows beside the list of checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rally_etl.reporting import recorded
from rally_etl.reporting.tables import Note, Table, in_words

if TYPE_CHECKING:
    from rally_etl.workbook import Book

SHOWN = 200


def checks_chart(book: Book) -> Any:
    """Outcomes of the checks per league."""
    from rally_etl.reporting import charts

    rows = book.of_run(recorded.check_outcomes)
    if not rows:
        return Note("No check was run.")
    total = sum(row["checks"] for row in rows)
    passed = sum(row["checks"] for row in rows if row["outcome"] == "passed")
    return charts.check_outcomes(rows, title=f"{passed:,} of {total:,} checks passed")


def failing_rows(book: Book, check: str, limit: int) -> Table | Note:
    """Rows that failed checks, as the checks returned them.

    Args:
        check: name of one check; "" is all.
        limit: rows per check and league.
    """
    rows = [
        {"check": row["check_name"], "league": row["league"], "row": in_words(sample)}
        for row in book.of_run(recorded.check_results)
        if row["outcome"] != "passed" and check in ("", row["check_name"])
        for sample in row["sample"][:limit]
    ]
    return Table(rows[:SHOWN], title="Failing rows", empty="No check returned a row.")
