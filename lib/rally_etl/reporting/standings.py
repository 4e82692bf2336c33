"""What the notebook of the stage validation shows of standings: are they those of the lines, and if not, why?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rally_etl.measures import counted
from rally_etl.reporting import recorded
from rally_etl.reporting.tables import Note, Table
from rally_etl.standings import CLASSES

if TYPE_CHECKING:
    from rally_etl.workbook import Book

SHOWN = 100
"""Teams that differ and are shown, the unexplained first."""

_NOTHING = "There are no standings to compare: no league of the run has a rule in params/leagues, or none has played."
_COLOURS = {
    "agrees": "#2f8f6b", "forfeit": "#6fb99b", "irregular": "#8250a8", "ahead": "#4472c4", "missing": "#d59a26",
    "unprinted": "#98a2ad", "unexplained": "#c8453b",
}  # fmt: skip


def table(book: Book) -> Table | Note:
    """Compare where the notebook works on the run; one row per league and class, with what it means."""
    if book.active:
        from rally_etl.checks.standings_evidence import compare_standings

        compare_standings(book.engine, book.settings, book.run_id)
    found = book.of_run(recorded.standings)
    rows = [
        {
            "league": row["league"],
            "class": name,
            "teams": row["counts"][name],
            "share": f"{100 * row['counts'][name] / sum(row['counts'].values()):.1f} %",
            "meaning": meaning,
        }
        for row in found
        for name, meaning in CLASSES.items()
        if row["counts"].get(name)
    ]
    return Table(rows, title=_sentence(found), empty=_NOTHING)


def differing(book: Book, league: str, verdict: str) -> Table | Note:
    """Teams whose figures differ, as printed and as recomputed: the unexplained first.

    Args:
        league: key of one league; "" is all.
        verdict: one class; "" is all.
    """
    order = list(reversed(CLASSES))
    rows = [
        {"league": row["league"], "class": team["class"], "team": team["team"], "printed : recomputed": shown}
        for row in book.of_run(recorded.standings)
        if league in ("", row["league"])
        for team in row["teams"]
        if verdict in ("", team["class"])
        for shown in [team["printed_and_recomputed"]]
    ]
    rows.sort(key=lambda row: (order.index(row["class"]), row["league"], row["team"]))
    title = f"Teams that differ: {len(rows):,}" + (f", {SHOWN} of them shown" if len(rows) > SHOWN else "")
    return Table(rows[:SHOWN], title=title, empty="Every team agrees.")


def chart(book: Book) -> Any:
    """One bar per league: which part of its teams falls into which class."""
    from rally_etl.reporting import charts

    found = [row for row in book.of_run(recorded.standings) if row["counts"]]
    if not found:
        return Note(_NOTHING)
    bars = [{"league": row["league"]} | {name: row["counts"].get(name, 0) for name in CLASSES} for row in found]
    parts = {name: colour for name, colour in _COLOURS.items() if any(bar[name] for bar in bars)}
    return charts.shares(bars[::-1], "league", parts, title=_sentence(found), axis="Share of teams (percent)")


def _sentence(found: list[dict[str, Any]]) -> str:
    teams = sum(sum(row["counts"].values()) for row in found)
    agreeing = sum(row["counts"].get("agrees", 0) for row in found)
    computed = sum(row["computed"] for row in found)
    told = f"Of {counted(teams, 'team')}, {agreeing:,} have standings that are those of their lines"
    return told + (f"; computed from them: {computed:,}" if computed else "")
