"""What the health of live tells of: one incident per cause over leagues, without names, over when it is good again."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

import healthy
from rally_etl import alerts
from rally_etl.alerts import ofhealth
from rally_etl.monitoring.advice import advise, advise_all
from rally_etl.monitoring.live import _together
from rally_etl.settings import Settings

from .conftest import messages, rows

STANDING = "select cause, state, severity from etl.incidents order by cause"
ORPHANS = "199 of 1,000,000 rows of users have lost what they are about"
NO_ANSWER = "`players/person_is_in_few_teams` has no answer"
GOOD = "nothing is wrong"


def look(**leagues: str) -> dict[str, Any]:
    """The document of a look at leagues, each with what is wrong in it."""
    scores = {league: healthy.damaged(what) for league, what in leagues.items()}
    advice = {league: advise(healthy.PARAMS, each) for league, each in scores.items()}
    found = {
        league: {
            "health_score": each.score, "level": each.level, "without_caps": each.mean, "missing": each.missing,
            "caps": [cap.as_json() for cap in each.caps], "parts": [part.as_json() for part in each.parts],
            "recommendations": [one.as_json() for one in advice[league]],
        }
        for league, each in scores.items()
    }  # fmt: skip
    return {"leagues": found, "caps": _together(scores), "recommendations": advise_all(advice), "missing": []}


@pytest.fixture
def told(ledger: sa.Engine, module_settings: Settings):
    """Look, tell, and answer what the operator hears."""

    def tell(**leagues: str) -> list[str]:
        said: list[str] = []
        alerts.after_look(ledger, module_settings, look(**leagues), tell=said.append)
        return said

    return tell


def test_one_incident_per_cause_over_leagues(ledger: sa.Engine, told):
    """Two leagues with one cause are one incident and one message; another cause is another incident."""
    assert [] == told(NSTF=ORPHANS, CITA=ORPHANS, CNSWPL=NO_ANSWER)

    assert [("health/orphans", "open", "error"), ("health/should_hold_unknown", "open", "warn")] == rows(
        ledger, STANDING
    )
    assert 1 == len(messages(ledger))


def test_it_is_over_when_it_is_good_again(ledger: sa.Engine, told):
    """A look that finds it no more ends it, for the leagues that were looked at and no other; so does another cause."""
    told(NSTF=ORPHANS, CITA=ORPHANS)
    told(NSTF=GOOD)
    one_left = rows(ledger, STANDING)
    told(NSTF=GOOD, CITA=NO_ANSWER)

    assert [("health/orphans", "open", "error")] == one_left
    assert [("health/orphans", "resolved", "error"), ("health/should_hold_unknown", "open", "warn")] == rows(
        ledger, STANDING
    )


def test_what_stands_is_told_once(ledger: sa.Engine, told):
    """The hundredth look that finds the same sends nothing more."""
    for _ in range(5):
        told(NSTF=ORPHANS)

    assert 1 == len(messages(ledger))


def test_many_small_things_are_a_cause(ledger: sa.Engine, told):
    """A score that is low without a cap has an incident of its own, with what takes most."""
    small = (
        "the matches lie 44 days behind; no import has compared its sources;"
        " `teams/active_team_has_players` finds 26 of 534 rows;"
        " `match_scores/players_are_known` finds 890 of 18,000 rows;"
        " `players/record_is_that_of_the_lines` finds 330 of 6,800 rows;"
        " `match_scores/score_can_be_true` finds 890 of 18,000 rows;"
        " `schedule/meeting_is_unique` finds 230 of 4,700 rows;"
        " `series_stats/league_is_known` finds 26 of 534 rows"
    )
    told(NSTF=small)
    [(cause, severity, what)] = rows(ledger, "select cause, severity, what from etl.incidents")

    assert ("health/score", "warn") == (cause, severity)
    assert "most of it by" in what


def test_a_finding_says_what_whom_and_what_to_do():
    """Each has a sentence for each question, ends in a command, and names no row."""
    found = list(ofhealth.findings(look(NSTF=ORPHANS)))

    assert ["health is held at 60 by users/orphans (199 of 1,000,000 rows)"] == [
        each.what.partition(":")[0] for each in found
    ]
    assert all(each.whom and each.todo.endswith("`rally-etl orphans --repair --dry-run`") for each in found)


def test_a_database_without_leagues_is_told(ledger: sa.Engine, module_settings: Settings):
    """It is an error of the database as a whole, over when there is a league."""
    empty = {"leagues": {}, "recommendations": [], "missing": ["there is no league"], "caps": []}
    alerts.after_look(ledger, module_settings, empty)
    before = rows(ledger, STANDING)
    alerts.after_look(ledger, module_settings, look(NSTF=GOOD))

    assert [("health/score", "open", "error")] == before
    assert [("health/score", "resolved", "error")] == rows(ledger, STANDING)


def test_what_cannot_be_told_is_said_and_raises_nothing(engine: sa.Engine, settings: Settings):
    """Without a ledger nobody is told; the operator hears it, and the look stands."""
    with engine.begin() as connection:
        connection.execute(sa.text("drop schema etl cascade"))
    said: list[str] = []
    alerts.after_look(engine, settings, look(NSTF=ORPHANS), tell=said.append)

    assert 1 == len(said)
    assert said[0].startswith("not everybody was told")
