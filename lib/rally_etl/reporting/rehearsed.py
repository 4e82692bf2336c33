"""What notebook and front page say of the rehearsal of the undo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rally_etl.reporting import recorded
from rally_etl.reporting.tables import Note, Table, in_words

if TYPE_CHECKING:
    import sqlalchemy as sa

    from rally_etl.workbook import Book

STAGE = "integration"
TOLD, DIFFERS = "undo_rehearsed_share", "undo_differs"
"""Measures of the stage: the detail of the one says how the rehearsal went, that of the other which rows differ."""

LISTED_LEAGUES = 8


def rehearsal(book: Book) -> Table | Note:
    """How the rehearsal went, with the rows that an undo would not bring back; nothing of it stays in live."""
    if book.active:
        book.measures()
    found = recorded.glued(book.document) if book.document else book.of_run(recorded.metrics, STAGE)
    rows = [
        {"league": line["leagues"], "rehearsal": line["told"], "rows that would not come back": in_words(line["named"])}
        for line in lines(found)
    ]
    title = _sentence(rows[0]["rehearsal"]) if len(rows) == 1 else "The undo, rehearsed"
    return Table(rows, title=title, empty="No undo was rehearsed.")


def page_lines(connection: sa.Connection, run_id: str) -> list[str]:
    """Sentences for the front page: one if all leagues were rehearsed together."""
    found = lines(recorded.metrics(connection, run_id, STAGE))
    if len(found) == 1:
        return [f"{_sentence(found[0]['told'])}."]
    return [f"{line['leagues']}: {line['told']}." for line in found]


def lines(metrics: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry per rehearsal: its leagues, how it went, and the rows named."""
    texts: dict[str, dict[str, list[str]]] = {TOLD: {}, DIFFERS: {}}
    for row in metrics:
        if row["metric"] in texts:
            texts[row["metric"]][row["league"]] = row["detail"]
    found: dict[str, dict[str, Any]] = {}
    for league, (sentence, *_) in sorted(texts[TOLD].items()):
        line = found.setdefault(sentence, {"leagues": [], "told": sentence, "named": texts[DIFFERS].get(league, [])})
        line["leagues"].append(league)
    return [line | {"leagues": _leagues(line["leagues"])} for line in found.values()]


def _leagues(names: list[str]) -> str:
    left = len(names) - LISTED_LEAGUES
    return ", ".join(names[:LISTED_LEAGUES]) + (f" and {left:,} more" if left > 0 else "")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
