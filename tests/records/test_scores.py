"""Scores: every printed form, its swapped twin, and who won when that is beyond doubt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rally_etl.records.reasons import Doubt
from rally_etl.records.scores import read_score

SETS = st.sampled_from(
    ["6-0", "6-3", "4-6", "7-5", "7-6", "6-7 [5-7]", "7-6 [12-10]", "2-1", "10-8", "1-0 [10-7]", "66-78"]
)


@pytest.mark.parametrize(
    ("text", "printed", "swapped", "lead"),
    [
        ("6-3, 4-6, 6-2", "6-3, 4-6, 6-2", "3-6, 6-4, 2-6", 1),
        ("7-6 [7-4], 6-1", "7-6 [7-4], 6-1", "6-7 [4-7], 1-6", 1),
        ("6-2, 66-78, 2-6", "6-2, 6-7 [6-8], 2-6", "2-6, 7-6 [8-6], 6-2", -1),
        ("61-76, 6-0, 76-61", "6-7 [1-6], 6-0, 7-6 [6-1]", "7-6 [6-1], 0-6, 6-7 [1-6]", 1),
        ("6-3, 3-6, 8-10", "6-3, 3-6, 8-10", "3-6, 6-3, 10-8", -1),
        ("6-4, 3-6, 1-0 [10-7]", "6-4, 3-6, 1-0 [10-7]", "4-6, 6-3, 0-1 [7-10]", 1),
        ("6-4, 3-6, 1-0", "6-4, 3-6, 1-0", "4-6, 6-3, 0-1", 0),
        ("7-6, 7-4, 6-1", "7-6 [7-4], 6-1", "6-7 [4-7], 1-6", 0),
        ("7-6, 8-6, 6-7, 5-7, 6-7, 5-7", "7-6 [8-6], 6-7 [5-7], 6-7 [5-7]", "6-7 [6-8], 7-6 [7-5], 7-6 [7-5]", 0),
        ("6-2, 4-6, 6-7, 1-1, 0-2", "6-2, 4-6, 6-7 [10-12]", "2-6, 6-4, 7-6 [12-10]", 0),
        ("2-6, 7-6, 1-8, 0-6, 4-0", "2-6, 7-6 [10-8], 4-6", "6-2, 6-7 [8-10], 6-4", 0),
        ("6-3, 6-7, 5-7", "6-3, 6-7, 5-7", "3-6, 7-6, 7-5", 0),
        ("0-6, 0-6", "0-6, 0-6", "6-0, 6-0", -1),
        ("2-6, 2-6, 4-6", "2-6, 2-6, 4-6", "6-2, 6-2, 6-4", 0),
        ("2-6, 6-4, 6-6", "2-6, 6-4, 6-6", "6-2, 4-6, 6-6", 0),
        ("5-6", "5-6", "6-5", 0),
    ],
)
def test_score_form(text, printed, swapped, lead):
    """Each form found in real files is normalised; only clean, complete scores tell who won."""
    score = read_score(text)

    assert (printed, swapped, lead) == (score.printed, score.swapped, score.lead)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0, 6", "bad_score"),
        ("6-4, 0.3-6", "bad_score"),
        ("2-6, 6-4, 8-110", "bad_score"),
        ("6-1, 6-1, 6-1, 6-1, 6-1, 6-1, 6-1", "bad_score"),
        ("October 12, 2024", "shifted_row"),
        ("12-Oct-24", "shifted_row"),
        ("20.5", "shifted_row"),
        ("10.5 - 3", "shifted_row"),
        ("Hinsdale PC 1b", "shifted_row"),
    ],
)
def test_what_is_no_score(text, reason):
    """A broken score, a date, team points and a name have their own reasons."""
    with pytest.raises(Doubt) as doubt:
        read_score(text)
    assert reason == doubt.value.reason


@given(st.lists(SETS, min_size=1, max_size=5).map(", ".join))
def test_swap_is_an_involution_and_normalising_is_idempotent(text):
    """Swapping twice gives the score back, and what was normalised stays as it is."""
    score = read_score(text)
    turned = read_score(score.swapped)

    assert score.printed == turned.swapped
    assert score.printed == read_score(score.printed).printed
    assert score.lead in (0, -turned.lead)


@given(st.text(max_size=40))
def test_any_text_is_a_score_or_a_doubt(text):
    """Nothing else is ever raised."""
    try:
        assert read_score(text).printed
    except Doubt as doubt:
        assert doubt.reason in ("bad_score", "shifted_row")
