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


def checks_table(book: Book) -> Table:
    """Every check, those first that are not passed, with what should be true and how to mend it."""
    columns = ("outcome", "check_name", "league", "failing_rows", "threshold", "severity", "seconds", "error")
    rows = []
    for row in book.of_run(recorded.check_results):
        wrong = row["outcome"] not in ("passed", "skipped")
        told = {"should_be_true": row["title"], "mend": row["mend"]} if wrong else {"should_be_true": "", "mend": ""}
        rows.append({name: row[name] for name in columns} | told)
    return Table(rows, title="Checks", empty="No check was run.")


def failing_rows(book: Book, check: str, limit: int) -> Table | Note:
    """Rows that failed checks, as the checks returned them.

    Args:
        check: name of one check; "" is all.
        limit: rows per check and league. Of one check more may be asked for than are kept whole: their keys follow.
    """
    rows = []
    for found in book.of_run(recorded.check_results):
        if found["outcome"] == "passed" or check not in ("", found["check_name"]):
            continue
        told = {"check": found["check_name"], "league": found["league"]}
        rows += [told | {"row": in_words(sample)} for sample in found["sample"][:limit]]
        whole = len(found["sample"])
        if check and limit > whole:
            keys = book.of_run(recorded.failing_keys, check, found["league"], whole + 1, limit - whole)
            rows += [told | {"row": f"key {key}"} for key in keys]
    return Table(rows if check else rows[:SHOWN], title="Failing rows", empty="No check returned a row.")
