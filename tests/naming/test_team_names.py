"""Team names: every spelling of one team, of any generation, is one key and one name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rally_etl.naming import load_leagues

LEAGUES = load_leagues(Path(__file__).parents[2] / "params")
APTA, CNSWPL, NSTF, CITA = (LEAGUES.get(key) for key in ("APTA_CHICAGO", "CNSWPL", "NSTF", "CITA"))
DIVISIONS = ["4.0 & Under Wed", "3.0 - 3.5 Singles Thur", "4.5+ Sat", "Open Fri", "Boys", "4.0 Singles Sun"]


def same_team(league, spellings):
    """Assert that all (team, series) spellings are one team, and that its name is read as itself."""
    teams = [league.parse_team(*spelling) for spelling in spellings]
    assert None not in teams
    assert 1 == len({team.key for team in teams})
    assert 1 == len({team.name for team in teams})
    again = league.parse_team(teams[0].name)
    assert again == teams[0]


@given(
    club=st.sampled_from(APTA.clubs),
    ordinal=st.sampled_from(["", " I", " II"]),
    number=st.integers(1, 60),
    suffix=st.sampled_from(["", " SW"]),
)
def test_apta_generations_agree(club, ordinal, number, suffix):
    """2024-25 with a dash, 2025-26 without, other case of the club, any series beside it."""
    old, new = f"{club}{ordinal} - {number}{suffix}", f"{club}{ordinal} {number}{suffix}"
    same_team(
        APTA,
        [
            (new, None),
            (old, f"Chicago {number}{suffix}"),
            (old, "Chicago Chicago"),
            (f"{club.upper()}{ordinal}  {number:02d}{suffix}", "Series 1"),
            (new.replace(" ", "\u00a0", 1), None),
        ],
    )


@given(club=st.sampled_from(CNSWPL.clubs), number=st.integers(1, 17), ordinal=st.sampled_from(["", "a", "b"]))
def test_cnswpl_numbered_spellings_agree(club, number, ordinal):
    """A number and a letter, with the series repeated behind it in two ways."""
    team = f"{club} {number}{ordinal}"
    same_team(
        CNSWPL,
        [
            (team, None),
            (team, f"Division {number}{ordinal}"),
            (f"{team} - Series {number}", None),
            (f"{team} {number}", None),
        ],
    )


@given(
    club=st.sampled_from(CNSWPL.clubs),
    letter=st.sampled_from([*"ABCDEFGHIJK", "SN"]),
    ordinal=st.sampled_from(["", "(1)", "(2)", "(3)"]),
)
def test_cnswpl_lettered_spellings_agree(club, letter, ordinal):
    """The ordinal in parentheses, with or without a blank, and the series behind it."""
    tight, loose = f"{club} {letter}{ordinal}", f"{club} {letter} {ordinal}".strip()
    same_team(
        CNSWPL,
        [(tight, None), (loose, f"Series {letter}"), (f"{loose} - Series {letter}", None), (f"{loose} {letter}", None)],
    )


@given(
    club=st.sampled_from(NSTF.clubs),
    number=st.sampled_from(["1", "2A", "2B", "3"]),
    ordinal=st.sampled_from(["", " T1", " T2"]),
)
def test_nstf_spellings_agree(club, number, ordinal):
    """Double blanks and the series behind the name; a bare club takes the series beside it."""
    spellings = [
        (f"{club} S{number}{ordinal}", None),
        (f"{club}  S{number}{ordinal} - Series {number}", f"Series {number}"),
    ]
    same_team(NSTF, spellings if ordinal else [*spellings, (club, f"Series {number}")])


@given(club=st.sampled_from(CITA.clubs), ordinal=st.sampled_from(["", " 1", " 2"]), division=st.sampled_from(DIVISIONS))
def test_cita_spellings_agree(club, ordinal, division):
    """Schedules print the division in the name, standings beside it."""
    same_team(
        CITA,
        [
            (f"{club}{ordinal} - {division}", None),
            (f"{club}{ordinal}", f"Series {division}"),
            (f"{club}{ordinal and ' -' + ordinal}", f"Series {division}"),
        ],
    )


@given(left=st.sampled_from(APTA.clubs), right=st.sampled_from(APTA.clubs))
def test_different_clubs_are_different_teams(left, right):
    """No club of the list is a spelling of another one."""
    assert (left == right) == (APTA.parse_team(f"{left} 7").key == APTA.parse_team(f"{right} 7").key)


@given(st.text(max_size=60), st.none() | st.text(max_size=30))
def test_parsing_never_raises(printed, series):
    """Whatever stands in the place of a name, the answer is a team or None."""
    for league in (APTA, CNSWPL, NSTF, CITA, LEAGUES.get("SOMETHING_ELSE")):
        team = league.parse_team(printed, series)
        assert team is None or (team.name and team.series and team.club_key)
        assert league.parse_series(printed) != ""


@pytest.mark.parametrize(
    "printed", ["", "BYE - 22", "BYE 9", "Legends", "- 9 SW", "20.5", "Unknown Home Team", "Tennaqua", "12"]
)
def test_apta_refuses_what_is_no_team(printed):
    """A BYE, a fragment and a placeholder are no teams."""
    assert APTA.parse_team(printed, "Series 9") is None
