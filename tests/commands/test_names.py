"""`rally-etl names`: what is printed, and the exit code of names that are not read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rally_etl import cli, runs
from rally_etl.errors import UsageError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def home(monkeypatch):
    """The project's own params, and no database: names are read without one."""
    monkeypatch.setenv("RALLY_HOME", str(ROOT))
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")


def names(*arguments: str, stdin: str = ""):
    """Run `rally-etl names`."""
    return CliRunner().invoke(cli.app, ["names", *arguments], input=stdin)


def test_every_name_is_read():
    """One line per name: what was printed, its standard, a team's series, and the format."""
    done = names("standardise", "chicago", "Chicago 12", "Salt Creek I - 27 SW")

    assert 0 == done.exit_code
    assert [
        "Chicago 12 → Series 12  [Chicago N (before 2025-26)]",
        "Salt Creek I - 27 SW → Salt Creek I 27 SW, Series 27 SW  [Club I - N SW (2024-25)]",
    ] == done.output.splitlines()


def test_name_that_is_not_read_asks_for_a_person():
    """Exit code 4; the names that are read are told all the same."""
    done = names("standardise", "APTA_CHICAGO", "Tennaqa 12", "Series 3", "Legends")

    assert 4 == done.exit_code
    assert [
        "Tennaqa 12 → not read: the league lists no club Tennaqa; similar: Tennaqua 12",
        "Series 3 → Series 3  [Series N (standard)]",
        "Legends → not read: no form of the league reads it",
    ] == done.output.splitlines()


def test_names_come_from_stdin():
    """A dash stands for the lines of stdin, in its place among the names; empty lines are none."""
    done = names("standardise", "cnswpl", "Series 1", "-", "Series 3", stdin="Division 2b\n\nWilmette H (1)\r\n")

    assert 0 == done.exit_code
    assert ["Series 1", "Series 2", "Wilmette H(1), Series H", "Series 3"] == [
        line.split(" → ")[1].split("  [")[0] for line in done.output.splitlines()
    ]


def test_json_is_one_document():
    """The parts of every standard, for other tools."""
    done = names("standardise", "nstf", "Series 2B", "X", "--json")
    found = json.loads(done.output)

    assert 4 == done.exit_code
    assert "NSTF" == found["league"]
    assert ("series", "Series 2B", 2.0, "B") == tuple(
        found["names"][0][name] for name in ("kind", "standard", "number", "letter")
    )
    assert ("none", None, []) == tuple(found["names"][1][name] for name in ("kind", "standard", "suggestions"))


@pytest.mark.parametrize(
    "arguments",
    [("standardise", "PADDLE_WEST", "Series 1"), ("normalise", "PADDLE_WEST", "--by", "me", "--reason", "test")],
    ids=lambda arguments: arguments[0],
)
def test_league_without_a_file_is_refused(arguments):
    """Only a described league has a standard; the message lists them."""
    done = names(*arguments)

    assert isinstance(done.exception, UsageError)
    assert 2 == done.exception.exit_code
    assert "hint: one of APTA_CHICAGO, CITA, CNSWPL, NSTF" in str(done.exception)


def test_normalise_is_a_run(monkeypatch):
    """The command hands the operation to a run and ends with the run's exit code."""
    asked = {}

    def operate(settings, operation, **options):
        asked.update(operation, **options)
        return {"run_id": "r", "decision": "HOLD", "dry_run": True, "leagues": {}, "report": None, "exit_code": 4}

    monkeypatch.setattr(runs, "operate", operate, raising=False)
    done = names("normalise", "apta", "--by", " Ann ", "--reason", "old names", "--dry-run", "--json")

    assert 4 == done.exit_code
    assert ("normalise", "APTA_CHICAGO", "Ann", "old names", True) == tuple(
        asked[name] for name in ("kind", "league", "by", "reason", "dry_run")
    )
    assert "r" == json.loads(done.stdout)["run_id"]


def test_normalise_needs_a_name_and_a_reason():
    """Who asked and why stands in the ledger, so neither may be empty."""
    done = names("normalise", "apta", "--by", " ", "--reason", "x")

    assert isinstance(done.exception, UsageError)
    assert "nothing was planned\nhint: --by WHO --reason TEXT" in str(done.exception)
