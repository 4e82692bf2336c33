"""What the notebook of the stage validation shows beside the list of checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rally_etl.checks.results import CheckResult
from rally_etl.measures import counted
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


def checks_table(book: Book, *, passed: bool) -> Table:
    """The checks that say something, with what should be true and how to mend it; then those that passed, by table.

    Args:
        passed: list each check that passed too.
    """
    columns = ("outcome", "check_name", "league", "failing_rows", "threshold")
    asides = ("severity", "seconds", "error")
    rows: list[dict[str, Any]] = []
    folded: dict[str, list[dict]] = {}
    for row in book.of_run(recorded.check_results):
        if row["outcome"] == "passed" and not passed:
            folded.setdefault(CheckResult.table_of(row["check_name"]), []).append(row)
            continue
        wrong = row["outcome"] not in ("passed", "skipped")
        told = {"should_be_true": row["title"], "mend": row["mend"]} if wrong else {"should_be_true": "", "mend": ""}
        rows.append({name: row[name] for name in columns} | told | {name: row[name] for name in asides})
    for table, found in sorted(folded.items()):
        names = {row["check_name"] for row in found}
        rows.append(
            dict.fromkeys((*columns, "should_be_true", "mend", *asides), "")
            | {
                "outcome": "passed",
                "check_name": f"{counted(len(names), 'check')} of {table}",
                "league": ", ".join(sorted({row["league"] for row in found})),
                "failing_rows": sum(row["failing_rows"] or 0 for row in found),
                "seconds": sum(row["seconds"] or 0 for row in found),
            }
        )
    note = "book.checks(passed=True) lists each check that passed." if folded else ""
    return Table(rows, title="Checks", empty="No check was run.", note=note)


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
