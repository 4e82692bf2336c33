"""What notebooks say of the live rows of the imported tables, before anything is planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rally_etl.measures import counted
from rally_etl.reporting import recorded
from rally_etl.reporting.tables import Note, Table

if TYPE_CHECKING:
    from rally_etl.workbook import Book


def rows(book: Book) -> Table | Note:
    """Live rows per table and league."""
    found = book.read(recorded.rows_per_league)
    leagues = sorted({row["league"] for row in found})
    counts: dict[str, dict] = {}
    for row in found:
        counts.setdefault(row["table"], {"table": row["table"], "all": 0})[row["league"]] = row["rows"]
        counts[row["table"]]["all"] += row["rows"]
    shown = [{"table": name} | {key: count.get(key, 0) for key in (*leagues, "all")} for name, count in counts.items()]
    return Table(shown, title="Live rows per table and league", empty="The imported tables hold no rows yet.")


def chart(book: Book) -> Any:
    """The same as a picture, all leagues together."""
    from rally_etl.reporting import charts

    totals: dict[str, int] = {}
    for row in book.read(recorded.rows_per_league):
        totals[row["table"]] = totals.get(row["table"], 0) + row["rows"]
    if not totals:
        return Note("There are no live rows to draw.")
    bars = [{"table": table, "rows": count} for table, count in totals.items()]
    return charts.bars(
        bars, "table", "rows", title=f"Live: {counted(sum(totals.values()), 'imported row')}", axis="Rows"
    )
