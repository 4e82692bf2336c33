"""Real scrapes with users, a new season that is approved, and its undo through notebooks and gate, there and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from rally_etl import runs
from rally_etl.sample.attachments import attach
from rally_etl.settings import Settings
from scrapes import APTA, Import, fingerprint
from test_real_scrapes import DATA
from test_users_on_real_scrapes import FIRST, PRACTICE_TIMES

SEASON = "2025-10-01"
LEAGUES = (APTA, "CNSWPL", "NSTF")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real scrapes are not beside the project"),
]


@dataclass(slots=True)
class Undone:
    """What stood in the tables at each moment, and what each run said."""

    importing: Import
    prints: dict[str, dict[str, str]] = field(default_factory=dict)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def season(module_engine: sa.Engine, module_settings: Settings) -> Iterator[Undone]:
    """The first load with users; the new season, approved; its undo; the undo of that; each by its whole run."""
    found = Undone(Import(module_engine, module_settings))
    found.importing.load(DATA / "scrapes" / FIRST, *LEAGUES)
    found.importing.write(PRACTICE_TIMES)
    attach(module_engine, users_per_team=1)
    found.prints["before"] = fingerprint(module_engine)
    order = runs.Order(source=DATA / "scrapes" / SEASON, as_of=date(2025, 10, 1))
    found.documents["held"] = runs.run(module_settings, order)
    run_id = found.documents["held"]["run_id"]
    found.documents["season"] = runs.approve(module_settings, run_id, "Ann Example", "a new season")
    found.prints["season"] = fingerprint(module_engine)
    for name in ("undone", "again"):
        asked = {"kind": "undo", "run": run_id, "by": "Ann Example", "reason": "not yet"}
        found.documents[name] = runs.operate(module_settings, asked, as_of=date(2025, 10, 1))
        found.prints[name] = fingerprint(module_engine)
        run_id = found.documents[name]["run_id"]
    yield found


def test_undo_of_a_season_is_the_state_before_it(season):
    """Fingerprints of all public tables, those of users among them."""
    held, undone = season.documents["held"], season.documents["undone"]

    assert "HOLD" == held["decision"]
    assert season.prints["before"] != season.prints["season"]
    assert "GO" == undone["decision"], undone["leagues"][APTA]["reasons"]
    assert season.prints["before"] == season.prints["undone"]


def test_undo_of_the_undo_is_the_season_again(season):
    """Under the same ids, to the last column; the same scrape then has nothing to change."""
    again = season.documents["again"]

    assert "GO" == again["decision"], again["leagues"][APTA]["reasons"]
    assert season.prints["season"] == season.prints["again"]
    assert {} == season.importing.changes(season.importing.plan(DATA / "scrapes" / SEASON))
