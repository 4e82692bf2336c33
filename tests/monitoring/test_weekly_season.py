"""A season of 26 weekly scrapes, cut from real files: silent while it is good, and the first to tell when it is not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY
from rally_etl import evidence
from rally_etl.settings import Settings
from scrapes import APTA, Import
from weekly import Season, damaged, without

SCRAPE = REPOSITORY.parent / "shared" / "data" / "scrapes" / "2025-06-21" / APTA
SERIES = [f"Chicago {number}" for number in (6, 7, 9, 13, 22, 33, 37)]
"""Those that have all their matches; more would take longer and show the same."""
WEEKS = 26
"""From the first week of play, over the break at the end of the year, to the last week in March."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),  # one fixture imports all of it
    pytest.mark.skipif(not SCRAPE.is_dir(), reason="the real scrapes are not beside the project"),
]


@dataclass(slots=True)
class Weeks:
    """The season as it was imported: what each week was told, and the way to try another file of the next week."""

    importing: Import
    season: Season
    told: dict[int, dict[str, list[str]]] = field(default_factory=dict)

    def run(self, week: int, **changed: list) -> tuple[str, dict[str, list[str]]]:
        """Plan, check and judge a week without publishing it; answer the run and what it was told."""
        self.importing.as_of = self.season.day(week).isoformat()
        run_id = self.importing.plan(self.season.kinds(week) | changed)
        for stage in ("validation", "monitoring"):
            found = evidence.measure(stage, self.importing.engine, self.importing.settings, run_id)
        return run_id, {name: found[APTA][name]["detail"] for name in ("anomalies", "predicted")}

    def publish(self, week: int, **changed: list) -> dict[str, list[str]]:
        """The same, published."""
        run_id, told = self.run(week, **changed)
        self.importing.publish(run_id)
        self.importing.forget(run_id)
        return told


@pytest.fixture(scope="module")
def weeks(module_engine: sa.Engine, module_settings: Settings) -> Iterator[Weeks]:
    """All good weeks, published one after another."""
    found = Weeks(Import(module_engine, module_settings), Season(SCRAPE, dt.date(2024, 9, 28), SERIES))
    for week in range(WEEKS):
        found.told[week] = found.publish(week)
    yield found


def test_good_season_is_silent(weeks):
    """No false alarm in 26 weeks: growth, noise of the rosters, and two breaks in which nobody plays."""
    assert {} == {week: told for week, told in weeks.told.items() if told["anomalies"] or told["predicted"]}


def test_feed_that_shrinks_is_told(weeks):
    """A tenth of the players missing, half of what the fixed threshold tolerates; and three tenths."""
    for share in (0.1, 0.3):
        players = without(weeks.season.kinds(WEEKS)["players"], share)

        _, told = weeks.run(WEEKS, players=players)

        assert [True] == [
            text.startswith(f"the file of players has {len(players):,} records; ") for text in told["anomalies"]
        ], told


def test_vanished_series_is_told(weeks):
    """One of seven series without a player: every other figure is as usual."""
    players = [each for each in weeks.season.kinds(WEEKS)["players"] if each["Series"] != "Chicago 9"]

    _, told = weeks.run(WEEKS, players=players)

    assert any("Series 9" in text for text in told["anomalies"]), told


def test_damage_that_creeps_is_told_before_its_threshold(weeks):
    """Each week 0.8 % more of the lines are damaged: told long before the 10 % at which the gate refuses the file."""
    shares = [0.008 * number for number in range(1, 12)]
    for week, share in enumerate(shares, start=WEEKS):
        told = weeks.publish(week, match_history=damaged(weeks.season.kinds(week)["match_history"], share))
        if any("of the file of matches is" in text for texts in told.values() for text in texts):
            break

    assert share < 0.05, told
