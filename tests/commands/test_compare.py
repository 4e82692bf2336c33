"""`rally-etl compare` tells what two scrape folders tell differently; no database is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conftest import REPOSITORY
from rally_etl.checks.agreement.scrapes import Pair, compare_scrapes
from rally_etl.cli import app
from rally_etl.errors import UsageError
from rally_etl.settings import Settings
from scrapes import APTA, TEAMS, Kinds, small, write

FIRST, SECOND, THIRD, FOURTH = TEAMS


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Write two scrapes and compare them: kind -> what was found."""
    settings = Settings(root=REPOSITORY, database_url="postgresql://nobody@localhost/none")
    monkeypatch.setattr(Settings, "from_env", classmethod(lambda cls: settings))

    def compared(first: Kinds, second: Kinds) -> dict[str, Pair]:
        folders = write(tmp_path / "first", first), write(tmp_path / "second", second)
        return {pair.kind: pair for pair in compare_scrapes(settings, *folders)}

    return compared


def differing(pair: Pair) -> dict[str, tuple[int, int, tuple[str, ...]]]:
    """Field -> told alike, compared and examples, where something is told differently."""
    return {
        told.field: (told.agreeing, told.compared, told.examples)
        for told in pair.fields
        if told.agreeing < told.compared
    }


def test_equal_scrapes_are_alike(two):
    """Every thing is in both, and every field of it is told alike."""
    found = two(small(), small())

    assert {"players": 16, "match_scores": 4, "series_stats": 4, "schedules": 3} == {
        kind: pair.in_both for kind, pair in found.items()
    }
    assert {} == {kind: differing(pair) for kind, pair in found.items() if differing(pair)}
    assert {(0, 0)} == {(pair.only_first, pair.only_second) for pair in found.values()}


def test_other_spellings_are_the_same_thing(two):
    """Another provider prefixes ids, spells teams of a club in its way and turns scores: it tells the same."""
    other = small()
    for record in other["players"]:
        record["Player ID"] = f"apta_{record['Player ID']}"
        record["Team"] = record["Team"].replace("Hinsdale PC", "Hinsdale Paddle Club")
    for line in other["match_scores"]:
        line["Scores"] = "6-2, 6-4"

    found = two(small(), other)

    assert 16 == found["players"].in_both
    assert {} == differing(found["match_scores"])


def test_each_field_is_told(two):
    """What two providers tell differently is counted by field and named."""
    other = small()
    other["players"][0]["PTI"] = "39.0"
    other["players"].pop()
    other["match_scores"][0] |= {"Winner": "away", "Scores": "6-2, 6-4", "Date": "30-Sep-25"}
    other["series_stats"][0]["points"] = 13
    other["schedules"][0]["time"] = "08:00 pm"

    found = two(small(), other)

    assert {"pti": (14, 15, (f"Tennaqua121 Example ({FIRST}): 40.5, 39.0",))} == differing(found["players"])
    assert (15, 1, 0) == (found["players"].in_both, found["players"].only_first, found["players"].only_second)
    assert (f"HinsdalePCII7SW4 Example ({FOURTH}) (first)",) == found["players"].missing
    assert {"date": (3, 4), "winner": (3, 4), "scores": (3, 4)} == {
        field: told[:2] for field, told in differing(found["match_scores"]).items()
    }
    assert {"points": (3, 4, (f"{FIRST}: 12, 13",))} == differing(found["series_stats"])
    assert ["time"] == list(differing(found["schedules"]))


def test_lines_without_ids_are_found_by_their_people(two):
    """Where a file prints no match ids, day, teams and people tell which line it is; the winner is compared."""
    first, second = small(), small()
    for scrape in (first, second):
        for line in scrape["match_scores"]:
            del line["match_id"]
    second["match_scores"][0] |= {"Winner": "away", "Scores": "6-2, 6-4"}
    second["match_scores"][3]["Home Player 1 ID"] = "nndz-stranger"

    pair = two(first, second)["match_scores"]

    assert (3, 1, 1) == (pair.in_both, pair.only_first, pair.only_second)
    assert {"winner": (2, 3), "scores": (2, 3)} == {field: told[:2] for field, told in differing(pair).items()}


def test_scores_nobody_can_read_are_not_compared(two):
    """A file whose scores go both ways tells nothing about scores; its winners are compared all the same."""
    other = small()
    for line in other["match_scores"][:2]:
        line["Scores"] = "6-2, 6-4"

    pair = two(small(), other)["match_scores"]

    assert "scores" not in {told.field for told in pair.fields}
    assert 4 == next(told for told in pair.fields if told.field == "winner").agreeing


def test_what_cannot_be_compared_is_said(two):
    """A kind that one folder lacks, a file that cannot be read and records kept aside are named."""
    other = small()
    del other["schedules"]
    other["series_stats"] = []
    other["players"].append({"Player ID": "nndz-x"})

    found = two(small(), other)

    assert "the second folder has no such file" == found["schedules"].fault
    assert "holds an empty list" in found["series_stats"].fault
    assert (0, 1) == found["players"].kept_aside


def test_folders_without_a_common_league_are_refused(two, tmp_path):
    """There is nothing to compare, and that is wrong use."""
    write(tmp_path / "one", small())
    write(tmp_path / "other", small(), "NSTF")

    with pytest.raises(UsageError, match="have no league in common; nothing was compared"):
        compare_scrapes(Settings.from_env(), tmp_path / "one", tmp_path / "other")


def invoke(tmp_path: Path, *options: str) -> str:
    """Run the command on the folders that `two` has written."""
    result = CliRunner().invoke(app, ["compare", str(tmp_path / "first"), str(tmp_path / "second"), *options])
    assert 0 == result.exit_code
    return result.stdout


def test_command_prints_a_line_per_field(two, tmp_path):
    """One paragraph per file of both folders, with the share and an example of each field."""
    other = small()
    other["series_stats"][0]["points"] = 13
    two(small(), other)

    lines = invoke(tmp_path).splitlines()

    assert f"{APTA}/series_stats  4 teams in both" in lines
    assert f"  points     75.00 % of 4 alike  {FIRST}: 12, 13" in lines


def test_command_prints_one_document(two, tmp_path):
    """The same as JSON; --league leaves the others out."""
    two(small(), small())

    document = json.loads(invoke(tmp_path, "--json", "--league", "apta"))

    assert [(APTA, 16)] == [
        (each["league"], each["in_both"]) for each in document["files"] if each["kind"] == "players"
    ]
