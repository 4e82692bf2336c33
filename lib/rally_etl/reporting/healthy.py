"""How healthy the candidate of a run is: what lowers the score and what to do first, for notebook and front page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rally_etl.measures import counted
from rally_etl.reporting import recorded
from rally_etl.reporting.tables import Note, Table

if TYPE_CHECKING:
    import sqlalchemy as sa

    from rally_etl.workbook import Book

EMPTY = "The health is not measured yet."
_KEPT = (
    "select league, metric, subject, value, detail from etl.metrics where run_id = :run_id and stage = 'health'"
    " order by league, metric, subject"
)
SHOWN = 5
"""Recommendations per league on the front page."""


def rows_of(connection: sa.Connection, run_id: str) -> list[dict[str, Any]]:
    """One entry per league of the run, the worst first.

    Each has ``league``, ``score``, ``caps``, ``parts``, ``missing`` and ``advice``, as ``health --json`` has them.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in recorded.fetch(connection, _KEPT, run_id=run_id):
        blank = {"league": row["league"], "score": 0.0, "caps": [], "parts": [], "missing": [], "advice": []}
        one = found.setdefault(row["league"], blank)
        if row["metric"] == "health":
            one |= {"score": row["value"], "caps": row["detail"]}
        elif row["metric"] == "health_part":
            one["parts"] += row["detail"]
        elif row["metric"] == "health_missing":
            one["missing"] = row["detail"]
        elif row["metric"] == "health_advice":
            one["advice"] += row["detail"]
    return sorted(found.values(), key=lambda one: (one["score"], one["league"]))


def sentence(found: list[dict[str, Any]]) -> str:
    """What a person hears first: the worst league, and what decides its score."""
    if not found:
        return EMPTY
    worst = found[0]
    others = f", the best of {len(found)} leagues {found[-1]['score']:.1f}" if len(found) > 1 else ""
    told = f"{worst['league']} scores {worst['score']:.1f} of 100{others}"
    if worst["caps"] and worst["caps"][0]["score"] <= worst["score"]:
        return f"{told}; held by {worst['caps'][0]['told']}"
    if worst["advice"]:
        return f"{told}; most of the rest is taken by {worst['advice'][0]['what']}"
    return f"{told}; nothing lowers it"


def parts(book: Book) -> Table | Note:
    """Score of each league and dimension, with what lowered it, by how many points of the total; caps first."""
    found = _of_run(book)
    rows = []
    for one in found:
        rows += [
            {
                "league": one["league"],
                "part": "cap",
                "score": cap["score"],
                "lowered by": f"{cap['told']}. {cap['why']}",
            }
            for cap in one["caps"]
        ]
        rows += [
            {
                "league": one["league"],
                "part": part["part"],
                "score": part["score"],
                "lowered by": "; ".join(part["detail"]) or "nothing",
            }
            for part in sorted(one["parts"], key=lambda part: part["score"])
        ]
    missing = [f"{text}" for one in found for text in one["missing"]]
    note = f"Evidence that is missing: {'; '.join(dict.fromkeys(missing))}." if missing else ""
    return Table(rows, title=sentence(found), empty=EMPTY, note=note)


def recommendations(book: Book) -> Table | Note:
    """What to do about it, what wins most first."""
    rows = [
        {
            "league": one["league"],
            "wins": each["points"],
            "score after": each["score_after"],
            "what": each["what"],
            "to do": each["todo"],
            "command": each["command"],
        }
        for one in _of_run(book)
        for each in one["advice"]
    ]
    title = f"{counted(len(rows), 'thing')} to do, what wins most points first"
    return Table(rows, title=title, empty="Nothing lowers the score.")


def _of_run(book: Book) -> list[dict[str, Any]]:
    return book.read(rows_of, book.run_id) if book.run_id else []


def page_rows(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same for the front page: what holds each league, the parts that lost something, and what to do first."""
    return [
        one
        | {
            "caps": one["caps"][:SHOWN],
            "parts": [part for part in one["parts"] if part["detail"]],
            "advice": one["advice"][:SHOWN],
        }
        for one in found
    ]
