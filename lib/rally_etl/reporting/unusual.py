"""What notebook and front page show of what is unusual beside past good runs, and of what heads for a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rally_etl.monitoring.anomaly_words import about, figure
from rally_etl.monitoring.judging import back_tested
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
    silent, leagues = _silence(book)
    note = f"Not judged yet: {'; '.join(silent)}." if silent else ""
    if not rows:
        nothing = "" if silent and len(silent) == leagues else "Nothing is unusual beside past good runs."
        return Note(" ".join(filter(None, [nothing, note])))
    return Table(rows, title="Unusual beside past good runs", note=note)


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
    note = _held(book)
    if not rows:
        return Note(" ".join(filter(None, ["No figure heads for its threshold.", note])))
    return Table(rows, title="Heading for a threshold", note=note)


def page_lines(connection: sa.Connection, run_id: str) -> list[dict[str, Any]]:
    """League, kind and sentence of what was found, and of leagues that have too little history to find anything."""
    found = [
        {"league": row["league"], "kind": row["kind"], "told": row["told"]}
        for row in recorded.anomalies(connection, run_id)
    ]
    silent: dict[str, list[str]] = {}
    for row in recorded.metrics(connection, run_id, STAGE):
        if row["metric"] == SILENT and row["detail"]:
            silent.setdefault(in_words(row["detail"]), []).append(row["league"])
    return found + [{"league": ", ".join(leagues), "kind": "", "told": told} for told, leagues in silent.items()]


def _held(book: Book) -> str:
    """How often the forecast was right in the past of the run's leagues, where that is long enough to say."""
    found = book.of_run(lambda connection, run_id: [back_tested(connection, book.settings, run_id)])
    told = [
        f"of {each.asked:,} values {days} days ahead {each.inside / each.asked:.0%} lay in the band"
        for coverage in found
        for days, each in coverage.items()
        if each.asked
    ]
    return f"Forecasts of past runs, held against what came: {in_words(told)} (90 % are meant to)." if told else ""


def _of_run(book: Book, kind: str) -> list[dict[str, Any]]:
    if book.active:
        book.measures()
    return [row for row in book.of_run(recorded.anomalies) if row["kind"] == kind]


def _silence(book: Book) -> tuple[list[str], int]:
    """Leagues of which nothing is said yet with the reason, and how many leagues there are; from evidence or ledger."""
    rows = recorded.glued(book.document) if book.document else book.of_run(recorded.metrics, STAGE)
    found = {row["league"]: row["detail"] for row in rows if row["metric"] == SILENT}
    return [f"{league}: {in_words(detail)}" for league, detail in sorted(found.items()) if detail], len(found)
