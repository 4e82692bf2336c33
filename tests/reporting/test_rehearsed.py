"""What notebook and front page say of the rehearsal of the undo."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from rally_etl.measures import store_metrics
from rally_etl.planning.rehearsal import Rehearsal
from rally_etl.planning.rehearsed import sentence
from rally_etl.reporting import rehearsed
from rally_etl.workbook import Book

GOOD = Rehearsal(leagues=("APTA_CHICAGO",), planned=1234, rows=1234, seconds=0.84)
BAD = Rehearsal(leagues=("NSTF",), planned=7, rows=7, differs=1, named=("players 12: pti",), seconds=0.1)


def measures(*rehearsals: Rehearsal) -> dict:
    """What the stage would have measured."""
    return {
        league: {
            "undo_rehearsed_share": {"value": one.share, "detail": [sentence(one)]},
            "undo_differs": {"value": one.differs, "detail": list(one.named)},
        }
        for one in rehearsals
        for league in one.leagues
    }


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (GOOD, "the undo was rehearsed: 1,234 rows written and taken back, 0 differ, 0.8 s"),
        (BAD, "the undo was rehearsed: 7 rows written and taken back, 1 differs, 0.1 s"),
        (
            Rehearsal(leagues=(), planned=90_000, rows=10_000, seconds=3, is_sample=True),
            "the undo was rehearsed: 10,000 rows of 90,000 planned written and taken back, 0 differ, 3.0 s",
        ),
        (Rehearsal(leagues=(), planned=0), "nothing is planned, so there is nothing to take back"),
        (Rehearsal(leagues=(), planned=9, missing="lock timeout"), "the undo was not rehearsed: lock timeout"),
        (Rehearsal(leagues=(), planned=9, off="params say never"), "the undo was not rehearsed: params say never"),
        (
            Rehearsal(leagues=(), planned=9, refused="no new players"),
            "the undo was not rehearsed, for the plan cannot be written: no new players",
        ),
    ],
)
def test_each_outcome_has_its_sentence(one, told):
    """How many rows, how many differ and how long; or why there was no rehearsal."""
    assert told == sentence(one)


def test_leagues_rehearsed_together_share_a_line():
    """One line per rehearsal, with its leagues; the rows that would not come back stand beside it."""
    together = Rehearsal(leagues=tuple(f"L{number:02}" for number in range(10)), planned=5, rows=5)
    book = Book(settings=None, engine=None, stage="integration", run_id="r", facts=None, active=False,
                document={"leagues": measures(together, BAD)})  # fmt: skip
    table = rehearsed.rehearsal(book)

    assert [
        ("L00, L01, L02, L03, L04, L05, L06, L07 and 2 more", ""),
        ("NSTF", "players 12: pti"),
    ] == [(row["league"], row["rows that would not come back"]) for row in table.rows]


def test_front_page_says_it_in_a_sentence(engine: sa.Engine):
    """One sentence where all leagues were rehearsed together, else one for each; none for a run of before."""

    def told(*rehearsals: Rehearsal) -> list[str]:
        store_metrics(engine, "r", "integration", measures(*rehearsals))
        with engine.connect() as connection:
            return rehearsed.page_lines(connection, "r")

    with engine.begin() as connection:
        connection.execute(sa.text("insert into etl.runs (run_id, source, as_of) values ('r', 'x', '2025-10-01')"))

    assert ["The undo was rehearsed: 1,234 rows written and taken back, 0 differ, 0.8 s."] == told(GOOD)
    assert [f"APTA_CHICAGO: {sentence(GOOD)}.", f"NSTF: {sentence(BAD)}."] == told(GOOD, BAD)
    assert [] == told()
