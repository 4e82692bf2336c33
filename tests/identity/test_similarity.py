"""Names that are alike, and names that only look so."""

from __future__ import annotations

import pytest

from rally_etl.identity.similarity import alike, likeness


@pytest.mark.parametrize(
    ("first", "second"),
    [("prarie club", "prairie club"), ("michigan shore", "michigan shores"), ("Tennaqua", "TENAQUA")],
)
def test_misspelled_name_is_alike(first, second):
    """A letter more or less is a spelling."""
    assert likeness(first, second) > 0.9


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("wilmette pd", "wilmette"),
        ("hinsdale gc", "hinsdale pc"),
        ("court 11", "court 12"),
        ("creek ii", "creek i"),
    ],
)
def test_marks_must_be_equal(first, second):
    """Numbers and words of up to two letters are marks: with another mark it is another team."""
    assert 0 == likeness(first, second)


def test_only_names_of_one_place_are_compared():
    """The same misspelling in another series is not found; the likest of several comes first."""
    wanted = [("tennaqa", "12"), ("skokie", "12")]
    known = [("tennaqua", "12"), ("tennaquia", "12"), ("tennaqua", "13")]

    found = alike(wanted, known, 0.8)

    assert {("tennaqa", "12")} == found.keys()
    assert [("tennaqua", "12"), ("tennaquia", "12")] == [name for name, _ in found["tennaqa", "12"]]
    assert pytest.approx(14 / 15, abs=0.001) == found["tennaqa", "12"][0][1]


def test_many_names_are_compared_in_parts(monkeypatch):
    """A block that is larger than what is held at a time gives the same answer."""
    wanted = [(f"lakewood{letter * 2}club", "") for letter in "abcdefg"]
    known = [(f"lakewood{letter}club", "") for letter in "abcdefg"]
    whole = alike(wanted, known, 0.9)

    monkeypatch.setattr("rally_etl.identity.similarity.AT_ONCE", 3)

    assert whole == alike(wanted, known, 0.9)
    assert 7 == len(whole)
