"""What notebook and front page say of anomalies: figures in words, and why nothing is judged yet."""

from __future__ import annotations

from types import SimpleNamespace

import sqlalchemy as sa

from rally_etl.reporting import recorded, unusual
from rally_etl.settings import Settings

RUN = "20251001T060000-test"


def book(engine: sa.Engine, settings: Settings, *, silent: str = "") -> SimpleNamespace:
    """A run of one league in the ledger, and a notebook that reads it."""
    with engine.begin() as connection:
        connection.execute(
            sa.text("insert into etl.runs (run_id, source, as_of) values (:run, 'x', '2025-10-01')"), {"run": RUN}
        )
        connection.execute(
            sa.text(
                "insert into etl.metrics (run_id, league, stage, metric, value, detail)"
                " values (:run, 'NSTF', 'monitoring', 'history_runs', 2, to_jsonb(array_remove(array[:note], '')))"
            ),
            {"run": RUN, "note": silent},
        )

    def of_run(query, *arguments):
        with engine.connect() as connection:
            return query(connection, RUN, *arguments)

    return SimpleNamespace(settings=settings, active=False, document=None, run_id=RUN, of_run=of_run)


def found(engine: sa.Engine) -> None:
    """One anomaly and one forecast of the run."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into etl.anomalies (run_id, league, kind, metric, subject, subjects, value, expected, low,"
                " high, runs, since, threshold, days_left, told) values"
                " (:run, 'NSTF', 'anomaly', 'records', 'players', '{players/Series 1}', 500, 800, 790.4, 810, 12,"
                "  '2025-09-24', null, null, 'the file is small'),"
                " (:run, 'NSTF', 'forecast', 'health', '', '{}', 80, 74.5, 73, 76, 12, null, 75, 14, 'it falls')"
            ),
            {"run": RUN},
        )


def test_what_was_found_is_shown_in_words(engine, settings):
    """One row per cause with its figures, and one per forecast with its threshold."""
    shown = book(engine, settings)
    found(engine)

    (row,) = unusual.anomalies(shown).rows
    (ahead,) = unusual.forecasts(shown).rows

    assert "the file of players" == row["what"]
    assert ("500", "800", "2025-09-24") == (row["value"], row["expected"], row["since"])
    assert "Series 1 in the file of players" == row["with it"]
    assert ("the health score", "80", "75", 14) == (
        ahead["what"],
        ahead["value"],
        ahead["threshold"],
        ahead["days left"],
    )
    with engine.connect() as connection:
        assert ["the file is small", "it falls"] == [line["told"] for line in unusual.page_lines(connection, RUN)]


def test_a_league_with_little_history_is_not_called_good(engine, settings):
    """Where nothing was judged the notebook does not say that nothing is unusual."""
    shown = book(engine, settings, silent="2 good runs: 8 are needed to say what is usual")

    assert "Not judged yet: NSTF: 2 good runs: 8 are needed to say what is usual." == repr(unusual.anomalies(shown))
    with engine.connect() as connection:
        (line,) = unusual.page_lines(connection, RUN)
    assert ("NSTF", "") == (line["league"], line["kind"])


def test_a_league_that_was_judged_is_told_so(engine, settings):
    """Enough history and nothing found: one sentence each."""
    shown = book(engine, settings)

    assert "Nothing is unusual beside past good runs." == repr(unusual.anomalies(shown))
    assert "No figure heads for its threshold." == repr(unusual.forecasts(shown))
    assert [] == shown.of_run(recorded.anomalies)
