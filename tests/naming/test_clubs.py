"""Clubs: one key for spellings that certainly mean one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from rally_etl.errors import UsageError
from rally_etl.naming import club_key, load_clubs

CLUBS = load_clubs(Path(__file__).parents[2] / "params")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("LifeSport-Lshire", "Lifesport Lshire"),
        ("Lakeshore S&F", "lakeshore s and f"),
        ("Park RIdge CC", "PARK RIDGE  C.C."),
        ("Midtown - Chicago", "Midtown Chicago"),
    ],
)
def test_club_key_folds_spelling(left, right):
    """Case, punctuation, dashes, blanks and & do not matter."""
    assert club_key(left) == club_key(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Hinsdale GC", "Hinsdale Golf Club"),
        ("Birchwood", "The Birchwood Club"),
        ("Lifesport-Lshire", "Lifesport - Lincolnshire"),
        ("LaGrange CC", "Lagrange CC"),
        ("Park Ridge", "Park Ridge Country Club"),
        ("Biltmore", "Biltmore CC"),
    ],
)
def test_aliases_are_one_club(left, right):
    """Spellings under one name of clubs.yaml have one key, whose name is the canonical spelling."""
    assert CLUBS.key(left) == CLUBS.key(right)
    assert CLUBS.name(CLUBS.key(left)) == CLUBS.name(CLUBS.key(right)) is not None


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Wilmette", "Wilmette PD"),
        ("River Forest", "River Forest CC"),
        ("River Forest CC", "River Forest PD"),
        ("Hinsdale PC", "Hinsdale GC"),
        ("Lake Shore CC", "Lakeshore S&F"),
        ("North Shore", "North Shore Racquet Club"),
        ("LifeSport", "Lifesport-Lshire"),
    ],
)
def test_similar_clubs_stay_apart(left, right):
    """A common word is no reason to be one club."""
    assert CLUBS.key(left) != CLUBS.key(right)


def test_unlisted_club_is_itself():
    """A club that no list names keeps its own key and has no canonical spelling."""
    assert "deep dale" == CLUBS.key("Deep-Dale")
    assert CLUBS.name("deep dale") is None


def test_spelling_of_two_clubs_is_refused(tmp_path):
    """One spelling under two clubs would merge them."""
    (tmp_path / "clubs.yaml").write_text("North: [The Club]\nSouth: [the club]\n")

    with pytest.raises(UsageError, match="stands under"):
        load_clubs(tmp_path)
