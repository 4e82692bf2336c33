"""All real scrapes in the order of their days, through the command's own steps: what an operator hears on each day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from inprocess import stages_here
from rally_etl import runs
from rally_etl.settings import Settings
from scrapes import APTA
from test_real_scrapes import BROKEN, DATA

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),  # one fixture imports all of it
    pytest.mark.skipif(not DATA.is_dir(), reason="the real scrapes are not beside the project"),
]

DAYS = {
    "scrapes/2025-06-21": {APTA: "GO", "CITA": "NO-GO", "CNSWPL": "GO", "NSTF": "GO"},
    "broken/2025-08-06_empty_files": {"CNSWPL": "NO-GO"},
    "broken/2025-08-17_mixed_sides": {"NSTF": "NO-GO"},
    "scrapes/2025-08-27": {"CNSWPL": "GO"},
    "broken/2025-09-21_empty_rows": {APTA: "NO-GO"},
    "scrapes/2025-09-25": {APTA: "HOLD"},
    "scrapes/2025-10-01": {APTA: "GO"},
}
"""Folder -> league -> decision; the season's first scrape waits for a person, who approves it."""

Heard = dict[str, dict[str, dict]]


@pytest.fixture(scope="module")
def heard(module_engine: sa.Engine, module_settings: Settings) -> Iterator[Heard]:
    """Folder -> league -> decision and reasons, as `run --json` has them; each run on the day of its scrape."""
    found: Heard = {}
    with stages_here(module_settings):
        for folder in DAYS:
            day = dt.date.fromisoformat(folder.split("/")[1][:10])
            document = runs.run(module_settings, runs.Order(source=DATA / folder, as_of=day))
            found[folder] = document["leagues"]
            if document["decision"] == "HOLD":
                runs.approve(module_settings, document["run_id"], "an operator", "a new season")
    yield found


def test_each_day_is_decided_as_a_person_would(heard):
    """Good files go live, the new season waits for a person, each broken one is refused."""
    assert DAYS == {
        folder: {league: each["decision"] for league, each in leagues.items()} for folder, leagues in heard.items()
    }


@pytest.mark.parametrize("name", BROKEN)
def test_no_broken_file_is_silent(heard, name):
    """The first thing said of it is what is wrong with the file."""
    league, rule, telling = BROKEN[name]
    reasons = {each["rule"]: each for each in heard[f"broken/{name}"][league]["reasons"]}

    assert "error" == reasons[rule]["severity"]
    assert telling in reasons[rule]["message"]


def test_nothing_is_called_unusual_with_so_little_history(heard, module_engine):
    """One or two good scrapes of a season say nothing of what is usual; each run says so, and warns of nothing."""
    said = {each["rule"] for leagues in heard.values() for found in leagues.values() for each in found["reasons"]}
    with module_engine.connect() as connection:
        notes = connection.execute(
            sa.text("select value, detail from etl.metrics where stage = 'monitoring' and metric = 'history_runs'")
        ).all()

    assert not {"figures_are_usual", "no_threshold_is_near"} & said
    assert sum(map(len, DAYS.values())) == len(notes)
    assert [] == [note for note in notes if note.value > 2 or "8 are needed" not in note.detail[0]]


def test_what_is_said_of_good_files_is_no_alarm(heard):
    """Nothing of a good file stops it or waits for a person, but for the season's first scrape."""
    alarms = {
        (folder, league, each["rule"])
        for folder, leagues in heard.items()
        for league, found in leagues.items()
        for each in found["reasons"]
        if each["severity"] != "warn" and found["decision"] != "NO-GO"
    }

    assert {("scrapes/2025-09-25", APTA)} == {alarm[:2] for alarm in alarms}


def test_a_new_season_begins_a_new_history(heard, module_engine):
    """The week after the first scrape of the season is compared with that one, and with nothing before."""
    with module_engine.connect() as connection:
        ((value, detail),) = connection.execute(
            sa.text(
                "select m.value, m.detail from etl.metrics as m join etl.runs as r using (run_id)"
                " where m.metric = 'history_runs' and r.as_of = '2025-10-01'"
            )
        ).all()

    assert 1 == value
    assert "2025-09-25" in detail[0]
