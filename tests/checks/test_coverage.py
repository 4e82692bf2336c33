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
STANDARDS = (REPOSITORY / "docs/data-quality-standards.md").read_text(encoding="utf-8")
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


def test_both_pages_say_the_same_of_an_incident():
    """Beside a check stand the incidents that it is named beside."""
    caught = {row[5].strip("`"): row[6] for rows in standards().values() for row in rows}
    named = {name: [number for number in SHOWN_BY if f"`{name}`" in SHOWN_BY[number]] for name in caught}

    assert named == {name: re.findall(r"\d+", numbers) for name, numbers in caught.items()}


def standards() -> dict[str, list[list[str]]]:
    """Table -> the rows of its standards."""
    found = {}
    for part in re.split(r"^### ", STANDARDS, flags=re.M)[1:]:
        table, _, text = part.partition("\n")
        rows = re.findall(r"^\| (.+?) \|$", text, re.M)[2:]
        found[table] = [[cell.strip() for cell in f"{row} ".split(" |")] for row in rows]
    return found


def test_the_standards_are_those_of_the_checks():
    """Each check stands under its table, with the words, severity, dimension, owner and shares of its file."""
    shown = {row[5].strip("`"): (table, *row[:1], *row[2:5]) for table, rows in standards().items() for row in rows}

    assert {
        name: (check.table, check.title, check.severity, check.dimension, check.owner)
        for name, check in CHECKS.items()
    } == shown  # fmt: skip


def test_the_thresholds_are_those_of_the_checks():
    """`none` where nothing is tolerated, else every number of the file."""
    shown = {row[5].strip("`"): row[1] for rows in standards().values() for row in rows}
    for name, check in CHECKS.items():
        shares = {
            f"{100 * share:g} %" for share in (check.max_failing_share, *check.shares_by_league.values()) if share
        }
        rows = {str(count) for count in (check.max_failing_rows, *check.rows_by_league.values()) if count}
        numbers = shares | rows | {str(count) for count in check.warn_above.values()}
        assert numbers <= set(re.findall(r"[\d.]+ %|\d+", shown[name])), name
        assert bool(numbers) == (shown[name] != "none"), name


def test_every_name_of_the_standards_exists():
    """What the page names in code is a check, a rule of the gate, or the word for constraints."""
    names = re.findall(r"`(\w+/\w+|[a-z]+_\w+)`", STANDARDS)

    assert [] == [name for name in names if name not in CHECKS and name not in RULES and name not in IMPORTED]


def test_every_check_is_of_one_league():
    """A query that reads a table of many leagues names the league it is asked about."""
    assert [] == [name for name, check in CHECKS.items() if "league_id" not in check.binds]


def test_every_imported_table_is_checked():
    """No imported table is without a check of its own."""
    assert set(IMPORTED) == {check.table for check in CHECKS.values()}
