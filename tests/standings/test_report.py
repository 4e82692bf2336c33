"""What the notebook shows of standings: a sentence, a table of classes, the teams that differ, one bar per league."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from rally_etl.reporting import standings

KEPT = [
    {
        "league": "APTA_CHICAGO",
        "counts": {"agrees": 435, "forfeit": 58, "missing": 24, "ahead": 6, "irregular": 3},
        "computed": 0,
        "teams": [
            {"id": 7, "team": "Tennaqua 12", "class": "forfeit", "printed_and_recomputed": "points 9:6, lines won 3:2"},
            {"id": 8, "team": "Skokie 12", "class": "missing", "printed_and_recomputed": "won 1:0"},
        ],
    },
    {"league": "NSTF", "counts": {"agrees": 1}, "computed": 1, "teams": []},
]


def book(rows: list[dict[str, Any]]) -> Any:
    """A workbook opened by hand, whose ledger holds these rows."""
    return SimpleNamespace(active=False, of_run=lambda query: rows)


def test_classes_are_counted_and_explained():
    """One row per league and class, with its share and what it means."""
    found = standings.table(book(KEPT))

    assert "Of 527 teams, 436 have standings that are those of their lines; computed from them: 1" == found.title
    assert [("APTA_CHICAGO", "agrees", 435, "82.7 %"), ("APTA_CHICAGO", "missing", 24, "4.6 %")] == [
        tuple(row.values())[:4] for row in found.rows[:2]
    ]


def test_teams_that_differ_are_named_the_worst_first():
    """Each figure as printed and as recomputed; a league or a class alone where that is asked."""
    assert ["Tennaqua 12", "Skokie 12"] == [row["team"] for row in standings.differing(book(KEPT), "", "").rows]
    assert ["won 1:0"] == [
        row["printed : recomputed"] for row in standings.differing(book(KEPT), "APTA_CHICAGO", "missing").rows
    ]
    assert [] == standings.differing(book(KEPT), "NSTF", "").rows


def test_chart_has_a_bar_per_league():
    """The bars' parts are the classes that occur; without any standings there is a sentence in place of a chart."""
    figure = standings.chart(book(KEPT))

    assert {"agrees", "forfeit", "missing", "ahead", "irregular"} == {bar.name for bar in figure.data}
    assert {435, 1} == {bar.x[n] for bar in figure.data if bar.name == "agrees" for n in (0, 1)}
    assert "no standings to compare" in repr(standings.chart(book([])))
