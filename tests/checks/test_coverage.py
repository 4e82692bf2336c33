"""Every incident of the past is shown by something that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rally_etl import gate
from rally_etl.checks import read_checks
from rally_etl.database.catalog import IMPORTED

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs/data-quality.md").read_text(encoding="utf-8")
CHECKS = {check.name: check for check in read_checks(REPOSITORY / "params")}
RULES = {rule.name for rule in gate.read_rules(REPOSITORY / "params/gate.yaml")}
SHOWN_BY = dict(re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", PAGE, re.M))
"""Incident -> what the page says shows it."""


def test_every_incident_is_on_the_page():
    """The page knows the 52 incidents, once each."""
    assert [str(number) for number in range(1, 53)] == re.findall(r"^\| (\d+) \|", PAGE, re.M)
    assert 52 == len(SHOWN_BY)


@pytest.mark.parametrize("incident", SHOWN_BY)
def test_what_shows_an_incident_exists(incident):
    """Each name beside an incident is a check or a rule of the gate; what none shows is said to be no data."""
    names = re.findall(r"`(\w+(?:/\w+)?)`", SHOWN_BY[incident])

    assert [] == [name for name in names if name not in CHECKS and name not in RULES]
    assert names or SHOWN_BY[incident].startswith("not data: ")


def test_both_tables_say_the_same():
    """Beside a check stand the incidents that it is named beside."""
    caught = dict(re.findall(r"^\| `(\w+/\w+)` \|.* \|([ \d,]*)\|$", PAGE, re.M))
    named = {name: [number for number in SHOWN_BY if f"`{name}`" in SHOWN_BY[number]] for name in caught}

    assert CHECKS.keys() <= caught.keys()
    assert named == {name: re.findall(r"\d+", numbers) for name, numbers in caught.items()}


def test_every_check_is_of_one_league():
    """A query that reads a table of many leagues names the league it is asked about."""
    assert [] == [name for name, check in CHECKS.items() if "league_id" not in check.binds]


def test_every_imported_table_is_checked():
    """No imported table is without a check of its own."""
    assert set(IMPORTED) == {check.table for check in CHECKS.values()}
