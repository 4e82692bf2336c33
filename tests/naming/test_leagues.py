"""League files: aliases, examples, and what is said when one is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from rally_etl.errors import UsageError
from rally_etl.naming import load_leagues

PARAMS = Path(__file__).parents[2] / "params"
LEAGUES = load_leagues(PARAMS)
KEYS = LEAGUES.keys()
TEAM_EXAMPLES = [(key, example) for key in KEYS for example in LEAGUES.get(key).team_examples]
SERIES_EXAMPLES = [(key, *pair) for key in KEYS for pair in LEAGUES.get(key).series_examples.items()]


def test_keys_are_the_four_described_leagues():
    """Each league file is read under its key."""
    assert {"APTA_CHICAGO", "CITA", "CNSWPL", "NSTF"} <= set(LEAGUES.keys())


@pytest.mark.parametrize(
    ("printed", "key"),
    [
        ("APTACHICAGO", "APTA_CHICAGO"),
        ("apta-chicago", "APTA_CHICAGO"),
        ("chicago", "APTA_CHICAGO"),
        ("cnswp", "CNSWPL"),
        ("nsft", "NSTF"),
        ("North Shore Tennis Foundation", "NSTF"),
        ("cita", "CITA"),
        ("APTA_NATIONAL", None),
        ("", None),
    ],
)
def test_canonical_key_of_a_spelling(printed, key):
    """Case, underscores and dashes do not matter; an unknown text is no league."""
    assert key == LEAGUES.canonical(printed)


def test_unknown_league_is_generic():
    """A league without a file runs with a common grammar and says that it is not known."""
    league = LEAGUES.get("Paddle_West")

    assert (False, "PADDLE_WEST") == (league.known, league.key)
    assert "Lakeside II 4" == league.parse_team("Lakeside II - 4").name
    assert league.parse_team("Lakeside 4").key == league.parse_team("Lakeside", "Series 4").key
    assert "Lakeside - Gold" == league.parse_team("Lakeside", "Gold").name
    assert league.parse_team("Lakeside", "Gold") == league.parse_team("Lakeside - Gold", "Gold")


@pytest.mark.parametrize("printed_series", [None, "Series 12", "Division 12"])
@pytest.mark.parametrize("club", ["X {y}", "X (y)", "Lakeside*", "Lakeside <b>", 'O"Hare"', "Lakeside™"])
def test_club_that_ends_in_a_symbol_is_read_with_its_number(club, printed_series):
    """A league without a file never writes the series behind a name that says it already."""
    team = LEAGUES.get("Paddle_West").parse_team(f"{club} 12", printed_series)

    assert (club, f"{club} 12", "Series 12") == (team.club, team.name, team.series)


@pytest.mark.parametrize(
    "printed", ["<script>alert(1)</script> 12", "Lakeside - - 12", "Lakeside & 12", "Lakeside / 12"]
)
def test_numbered_name_that_no_form_fits_is_not_read_as_a_club(printed):
    """In a league without a file a name with its number is no bare club: it is not understood rather than doubled."""
    assert LEAGUES.get("Paddle_West").parse_team(printed, "Series 12") is None


@pytest.mark.parametrize(("key", "example"), TEAM_EXAMPLES, ids=lambda value: getattr(value, "team", value))
def test_team_example(key, example):
    """A printed team of the league file becomes the name and series that stand beside it."""
    team = LEAGUES.get(key).parse_team(example.team, example.printed_series)

    assert (example.name, example.series) == ((team.name, team.series) if team else (None, None))


@pytest.mark.parametrize(("key", "printed", "series"), SERIES_EXAMPLES)
def test_series_example(key, printed, series):
    """A printed series of the league file becomes the canonical one beside it."""
    assert series == LEAGUES.get(key).parse_series(printed)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("surprise: 1", "surprise"),
        ("standings: golf", "standings"),
        ("standings: {season: {begins: '08-41', ends: '02-15'}, points: {line_won: 3}, decided_by: lines}", "08-01"),
        ("lines_per_team_match: four", "lines_per_team_match"),
        ("teams: [{pattern: '(', series: s, name: n}]", "no regular expression"),
        ("teams: [{pattern: '(?P<club>.+)', series: '{number}', name: n}]", "number"),
        ("teams: [{pattern: '{{nothing}}', series: s, name: n}]", "nothing"),
        ("key: X\nkey: Y", "not valid YAML"),
    ],
)
def test_wrong_league_file_is_refused(tmp_path, change, said):
    """The message names the file and what is wrong in it, and hints at the way out."""
    base = {"key": "key: TINY", "name": "name: Tiny", "teams": "teams: []", "series": "series: []"}
    base[change.split(":")[0]] = change
    (tmp_path / "leagues").mkdir()
    (tmp_path / "leagues" / "TINY.yaml").write_text("\n".join(base.values()))

    with pytest.raises(UsageError, match=r"TINY\.yaml") as refused:
        load_leagues(tmp_path)
    assert said in str(refused.value)
    assert "\nhint: " in str(refused.value)


def test_alias_of_two_leagues_is_refused(tmp_path):
    """One spelling cannot mean two leagues."""
    (tmp_path / "leagues").mkdir()
    for key in ("A", "B"):
        (tmp_path / "leagues" / f"{key}.yaml").write_text(
            f"key: {key}\nname: x\naliases: [same]\nteams: []\nseries: []"
        )

    with pytest.raises(UsageError, match="same"):
        load_leagues(tmp_path)
