"""Values: dates, times, numbers, marks and ids of every generation."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rally_etl.naming.text import clean
from rally_etl.records import values
from rally_etl.records.reasons import Doubt

PREFIXES = ("apta_nndz-", "nndz-", "cnswpl_")


@pytest.mark.parametrize(
    ("read", "printed", "staged"),
    [
        (values.iso_date, "23-Sep-25", "2025-09-23"),
        (values.iso_date, "09/23/2025", "2025-09-23"),
        (values.iso_date, "2025-09-23", "2025-09-23"),
        (values.iso_date, "2025-09-23T08:00:00", "2025-09-23"),
        (values.iso_date, "09/23/01", "2001-09-23"),
        (values.iso_date, "1990-01-01", "1990-01-01"),
        (values.iso_date, "", None),
        (values.clock_time, "06:30 pm", "18:30"),
        (values.clock_time, "12:05 AM", "00:05"),
        (values.clock_time, "18:30", "18:30"),
        (values.clock_time, "", None),
        (values.timestamp, "2025-09-22T08:45:16.545454", "2025-09-22 08:45:16.545454"),
        (values.timestamp, "2025-09-22T08:45:16+02:00", "2025-09-22 06:45:16"),
        (values.number, "-17.9", "-17.9"),
        (values.number, "N/A", None),
        (values.number, "14.5", "14.5"),
        (values.whole_number, "12.0", "12"),
        (values.whole_number, "", None),
        (values.percentage, "50.0%", "50.0"),
        (values.captain, "CC", "t"),
        (values.captain, "Yes", "t"),
        (values.captain, "No", "f"),
        (values.captain, "Player", "f"),
        (values.captain, None, None),
        (values.person_name, "Ada  Example (S ↑)", "Ada Example"),
        (values.person_name, "Ada Example (S) (Default)", "Ada Example"),
        (values.person_name, "Ada Example (Briarwood)", "Ada Example (Briarwood)"),
        (values.person_name, "(jw) Ada", "(jw) Ada"),
        (values.person_name, "Ada (Stune)", "Ada (Stune)"),
        (values.person_name, "Ada Example(S↑)", "Ada Example"),
        (values.person_name, "Ada (s)", "Ada"),
        (values.person_name, "Example [S]", "Example"),
        (values.person_name, "Example (Sub)", "Example"),
        (values.person_name, "Ada Example(Default)", "Ada Example"),
        (values.person_name, "Ada Example (S ↑)(Forfeit)", "Ada Example"),
        (values.person_name, "Ada Example - Forfeit", "Ada Example"),
        (values.person_name, "Ada Example (S)By Forfeit", "Ada Example"),
        (values.person_name, "Ada Smith-Forfeit", "Ada Smith-Forfeit"),
        (values.person_name, "(Forfeit)", None),
        (values.text, "a\tb\u0000c\\d", "a bc\\d"),
        (values.text, " \u200b ", None),
    ],
)
def test_value_is_staged(read, printed, staged):
    """A printed value becomes the text that PostgreSQL reads, or NULL."""
    assert staged == read(printed)


@pytest.mark.parametrize(
    ("read", "printed", "reason"),
    [
        (values.iso_date, "31-Feb-25", "bad_date"),
        (values.iso_date, "13/01/2025", "bad_date"),
        (values.iso_date, "0001-09-23", "bad_date"),
        (values.iso_date, "09/23/0001", "bad_date"),
        (values.iso_date, "23-Sep-0025", "bad_date"),
        (values.iso_date, "0000-01-01", "bad_date"),
        (values.iso_date, "1989-12-31", "bad_date"),
        (values.iso_date, "01/01/2101", "bad_date"),
        (values.iso_date, "Unknown Date", "bad_date"),
        (values.clock_time, "13:30 pm", "bad_date"),
        (values.clock_time, "25:00", "bad_date"),
        (values.timestamp, "yesterday", "bad_date"),
        (values.number, "NaN", "bad_number"),
        (values.number, "1e5", "bad_number"),
        (values.number, "99999", "bad_number"),
        (values.whole_number, "20.5", "bad_number"),
        (values.whole_number, "-1", "bad_number"),
        (values.percentage, "340", "bad_number"),
        (values.player_id, "sharing", "menu_row"),
        (values.player_id, "unknown_h4a", "placeholder"),
        (values.player_id, "FALLBACK_dXEWpUxb", "placeholder"),
        (values.player_id, "two words", "bad_id"),
        (values.person_name, "PTI Algo Description & FAQs", "menu_row"),
        (values.text, "Unknown Home Team", "placeholder"),
        (values.text, "X XX", "placeholder"),
    ],
)
def test_value_is_doubted(read, printed, reason):
    """A value that cannot be says why."""
    with pytest.raises(Doubt) as doubt:
        read(printed)
    assert reason == doubt.value.reason


@pytest.mark.parametrize(
    ("parts", "is_one"),
    [
        (("Ada", "Example (S)"), True),
        (("Ada (S ↓)", "Example"), True),
        (("Ada", "Example [sub]"), True),
        (("Ada", "Example (Substitute)"), True),
        (("Ada", "Example (Default)"), False),
        (("Ada (Sue)", "Example"), False),
        (("Ada", None), False),
    ],
)
def test_substitute_is_told_by_the_mark(parts, is_one):
    """Only the mark itself makes a substitute, behind any part of the name."""
    assert is_one == values.is_substitute(*parts)


def test_foreign_id_is_doubted():
    """An id with the prefix of another league is a person of that league."""
    with pytest.raises(Doubt) as doubt:
        values.player_id("cnswpl_abc", ("cnswpl_",))
    assert "foreign_league" == doubt.value.reason


@pytest.mark.parametrize("printed", ["nndz-BODY", "apta_nndz-BODY", "cnswpl_BODY", "cnswpl_nndz-BODY", "BODY"])
def test_person_key_is_the_body_of_the_id(printed):
    """One person has one key under every prefix."""
    assert "BODY" == values.person_key(printed, PREFIXES)


@given(st.text())
def test_clean_text_is_clean(text):
    """Cleaning twice is cleaning once, and nothing that breaks COPY is left."""
    tidy = clean(text)

    assert tidy == clean(tidy)
    assert not {"\t", "\n", "\r", "\x00"} & set(tidy)
    assert "  " not in tidy and tidy == tidy.strip()


@given(st.dates(min_value=date(2000, 1, 1), max_value=date(2099, 12, 31)))
def test_every_date_is_read_in_each_form(day):
    """Three forms of one day are one day."""
    assert {day.isoformat()} == {values.iso_date(day.strftime(form)) for form in ("%d-%b-%y", "%m/%d/%Y", "%Y-%m-%d")}
