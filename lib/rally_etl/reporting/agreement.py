"""What the notebook of the stage validation shows of agreements: do the sources tell the same?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rally_etl.measures import counted
from rally_etl.reporting import recorded
from rally_etl.reporting.tables import Note, Table

if TYPE_CHECKING:
    from rally_etl.workbook import Book

SHOWN = 3
"""Facts told differently that a row of the table names."""

_UNCLEAR = ("failed", "errored", "held", "warned")


def table(book: Book) -> Table | Note:
    """Compare the sources where the notebook works on the run; one row per agreement and league, the worst first."""
    if book.active:
        from rally_etl.checks.agreement import compare_sources

        compare_sources(book.engine, book.settings, book.run_id)
    found = book.of_run(recorded.agreements)
    several = len({row["league"] for row in found}) > 1
    rows = [
        {
            "outcome": row["outcome"],
            "what both tell": row["title"],
            **({"league": row["league"]} if several else {}),
            "compared": row["compared"],
            "alike": f"{100 * row['agreeing'] / row['compared']:.1f} %" if row["compared"] else "",
            "told differently": row["note"] or "; ".join(row["told"][:SHOWN]),
        }
        for row in found
    ]
    return Table(rows, title=_sentence(found), empty="No sources were compared.")


def chart(book: Book) -> Any:
    """One bar per agreement and league: which share of the facts both sources tell alike."""
    from rally_etl.reporting import charts

    found = [row for row in book.of_run(recorded.agreements) if row["compared"]]
    if not found:
        return Note("There was nothing to compare.")
    several = len({row["league"] for row in found}) > 1
    bars = [
        {
            "what": f"{row['title']} ({row['league']})" if several else row["title"],
            "alike": row["agreeing"],
            "different": row["compared"] - row["agreeing"],
        }
        for row in found
    ]
    parts = {"alike": charts.COLOURS["passed"], "different": charts.COLOURS["failed"]}
    return charts.shares(bars[::-1], "what", parts, title=_sentence(found), axis="Share of facts (percent)")


def _sentence(found: list[dict]) -> str:
    """What the comparison came to, in one sentence."""
    asked = [row for row in found if row["outcome"] != "skipped"]
    unclear = [row for row in asked if row["outcome"] in _UNCLEAR]
    told = f"{len(asked) - len(unclear):,} of {counted(len(asked), 'comparison')} of sources are as they should be"
    skipped = len(found) - len(asked)
    return f"{told}, {skipped:,} could not be made" if skipped else told
