"""Which week of the made-up season comes next."""

from __future__ import annotations

import json
import os

import pytest
import sqlalchemy as sa

from rally_etl.errors import UsageError
from rally_etl.sample.weeks import next_week


def note(engine: sa.Engine, run_id: str, source: str, state: str = "verified", operation: dict | None = None) -> None:
    """A run that has published a league."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into etl.runs (run_id, source, as_of, operation)"
                " values (:run, :source, '2025-10-01', cast(:operation as jsonb))"
            ),
            {"run": run_id, "source": source, "operation": json.dumps(operation) if operation else None},
        )
        connection.execute(
            sa.text(
                "insert into etl.run_leagues (run_id, league, state, published_at) values (:run, 'NSTF', :state, now())"
            ),
            {"run": run_id, "state": state},
        )


def test_weeks_come_one_after_the_other(engine, settings):
    """What was published is not brought again; a week that was taken back is; an undo and a merge are no weeks."""
    first, _ = next_week(settings)
    assert "week-1" == first.name
    note(engine, "a", os.path.relpath(first.resolve(), settings.root))
    second, _ = next_week(settings)
    assert "week-2" == second.name
    note(engine, "b", os.path.relpath(second.resolve(), settings.root), state="undone")
    note(engine, "c", "undo b", operation={"kind": "undo", "run": "b"})

    assert "week-2" == next_week(settings)[0].name


def test_made_up_teams_do_not_go_beside_real_ones(engine, settings):
    """A database that took in any other scrape is left alone."""
    note(engine, "a", "scrapes/2025-10-01")

    with pytest.raises(UsageError, match="this database holds real leagues"):
        next_week(settings)
