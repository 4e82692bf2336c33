"""What notebook and front page show of what is unusual beside past good runs, and of what heads for a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rally_etl.monitoring.wording import about, figure
from rally_etl.reporting import recorded
from rally_etl.reporting.tables import Note, Table, in_words

if TYPE_CHECKING:
    import sqlalchemy as sa

    from rally_etl.workbook import Book

STAGE = "monitoring"
SILENT = "history_runs"
"""Measure whose detail says why nothing is called unusual yet."""


def anomalies(book: Book) -> Table | Note:
    """One row per cause: the figure, where it usually lies, since when, and what changed with it."""
    rows = [
        {
            "league": row["league"], "what": about(row["metric"], row["subject"]),
            "value": figure(row["value"], row["metric"]), "expected": figure(row["expected"], row["metric"]),
            "usual": f"{figure(row['low'], row['metric'])} to {figure(row['high'], row['metric'])}",
            "since": str(row["since"] or ""), "good runs": row["runs"],
            "with it": in_words([about(row["metric"], each) for each in row["subjects"][:5]]),
        }
        for row in _of_run(book, "anomaly")
    ]  # fmt: skip
    empty = "Nothing is unusual beside past good runs."
    return Table(rows, title="Unusual beside past good runs", empty=empty, note=_silence(book)) if rows else Note(
        " ".join(filter(None, [empty, _silence(book)]))
    )  # fmt: skip


def forecasts(book: Book) -> Table | Note:
    """One row per figure that creeps towards a threshold: both, and the days that are left."""
    rows = [
        {
            "league": row["league"], "what": about(row["metric"], row["subject"]),
            "value": figure(row["value"], row["metric"]), "threshold": figure(row["threshold"], row["metric"]),
            "days left": row["days_left"], "told": row["told"],
        }
        for row in _of_run(book, "forecast")
    ]  # fmt: skip
    return Table(rows, title="Heading for a threshold", empty="No figure heads for its threshold.")


def page_lines(connection: sa.Connection, run_id: str) -> list[dict[str, Any]]:
    """League, kind and sentence of what was found, and one per league that has too little history to find anything."""
    found = [
        {"league": row["league"], "kind": row["kind"], "told": row["told"]}
        for row in recorded.anomalies(connection, run_id)
    ]
    silent = [row for row in recorded.metrics(connection, run_id, STAGE) if row["metric"] == SILENT and row["detail"]]
    return found + [{"league": row["league"], "kind": "", "told": in_words(row["detail"])} for row in silent]


def _of_run(book: Book, kind: str) -> list[dict[str, Any]]:
    if book.active:
        book.measures()
    return [row for row in book.of_run(recorded.anomalies) if row["kind"] == kind]


def _silence(book: Book) -> str:
    """Why nothing is said of a league, as its evidence has it: glued in this notebook, or kept by a past run."""
    rows = recorded.glued(book.document) if book.document else book.of_run(recorded.metrics, STAGE)
    found = {row["league"]: row["detail"] for row in rows if row["metric"] == SILENT}
    told = [f"{league}: {in_words(detail)}" for league, detail in sorted(found.items()) if detail]
    return f"Not judged yet: {'; '.join(told)}." if told else ""
