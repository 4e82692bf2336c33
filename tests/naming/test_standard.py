"""The series standard: every spelling of a league to one, how it was printed, and several leagues in one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from rally_etl.naming import compare, is_one_name, load_leagues, standard_of, standardise

LEAGUES = load_leagues(Path(__file__).parents[2] / "params")
KEYS = LEAGUES.keys()
APTA, CITA, CNSWPL, NSTF = (LEAGUES.get(key) for key in ("APTA_CHICAGO", "CITA", "CNSWPL", "NSTF"))


@pytest.mark.parametrize(
    ("league", "printed", "kind", "standard", "series", "told"),
    [
        (APTA, "Chicago 12", "series", "Series 12", "Series 12", "Chicago N (before 2025-26)"),
        (APTA, "Division 07 sw", "series", "Series 7 SW", "Series 7 SW", "Division N SW (before 2025-26)"),
        (APTA, "Chicago: 1", "series", "Series 1", "Series 1", "Chicago: N (rating points of 2024-25)"),
        (APTA, "Series  12", "series", "Series 12", "Series 12", "Series N (standard)"),
        (APTA, "Tennaqua - 12", "team", "Tennaqua 12", "Series 12", "Club - N (2024-25)"),
        (APTA, "Tennaqua 12", "team", "Tennaqua 12", "Series 12", "Club N (2025-26)"),
        (APTA, "Salt Creek I - 27 SW", "team", "Salt Creek I 27 SW", "Series 27 SW", "Club I - N SW (2024-25)"),
        (APTA, "Midtown - Chicago - 6", "team", "Midtown Chicago 6", "Series 6", "Club - N (2024-25)"),
        (APTA, "Skokie - 3 - Series 3", "team", "Skokie 3", "Series 3", "Club - N - Series N (2024-25)"),
        (APTA, "Wilmette 99 B", "team", "Wilmette 99 B", "Series 99", "Club N A (Series 99 of September 2025)"),
        (APTA, "Biltmore CC - 21 23", "team", "Biltmore CC 23", "Series 23", "listed in team_aliases"),
        (CNSWPL, "Division 14b", "series", "Series 14", "Series 14", "Division Na (June 2025)"),
        (CNSWPL, "Series SN", "series", "Series SN", "Series SN", "Series SN (Sunday night)"),
        (CNSWPL, "Biltmore 14a 14", "team", "Biltmore 14a", "Series 14", "Club Na N (numbered series)"),
        (CNSWPL, "Hinsdale PC 1b - Series 1b", "team", "Hinsdale PC 1b", "Series 1",
         "Club Na - Series Na (numbered series)"),
        (CNSWPL, "Skokie 3 (Division 3)", "team", "Skokie 3", "Series 3", "Club N (Division N) (numbered series)"),
        (CNSWPL, "Wilmette H (1) H", "team", "Wilmette H(1)", "Series H", "Club X (n) X (letter series)"),
        (CNSWPL, "Winnetka SN(2)", "team", "Winnetka SN (2)", "Series SN", "Club SN(n) (Sunday night)"),
        (NSTF, "Lake Forest  S1", "team", "Lake Forest S1", "Series 1", "Club SN (numbered series)"),
        (NSTF, "Wilmette S1 T2 - Series 1", "team", "Wilmette S1 T2", "Series 1",
         "Club SN Tn - Series N (numbered series)"),
        (CITA, "4.0 & Under Wed", "series", "Series 4.0 & Under Wed", "Series 4.0 & Under Wed",
         "N & Under Day (level alone)"),
        (CITA, "Midtown - Palatine - 4.5+ Sat", "team", "Midtown - Palatine - 4.5+ Sat", "Series 4.5+ Sat",
         "Club - N+ Day (schedules)"),
    ],
)  # fmt: skip
def test_spelling_has_a_standard_and_a_format(league, printed, kind, standard, series, told):
    """Each spelling that a league has used is read, and the answer says which one it was."""
    found = standard_of(league, printed)

    assert (kind, standard, series) == (found.kind, found.standard, found.series)
    assert told == found.format
    assert printed == found.printed
    assert () == found.suggestions


def test_series_beside_a_bare_name_is_part_of_its_format():
    """A club alone is a team only with the series that was printed beside it."""
    alone, beside = standard_of(NSTF, "Skokie"), standard_of(NSTF, "Skokie", "Division 2A")

    assert ("none", "it says the club but not the series") == (alone.kind, alone.why)
    assert ("team", "Skokie S2A", "Series 2A") == (beside.kind, beside.standard, beside.series)
    assert "Club beside Series N (numbered series)" == beside.format


@pytest.mark.parametrize("key", KEYS)
def test_standard_is_its_own_standard(key):
    """What an example becomes is read as itself; so normalising twice changes nothing more."""
    league = LEAGUES.get(key)
    names = {example.name for example in league.team_examples if example.name}
    names |= {series for series in league.series_examples.values() if series}

    assert names
    assert [] == [name for name in sorted(names) if standard_of(league, name).standard != name]


@pytest.mark.parametrize("key", KEYS)
def test_every_form_has_a_word(key):
    """Each form of a league's file says for people when or where the league prints it."""
    league = LEAGUES.get(key)

    assert [] == [form.pattern for form in (*league.teams, *league.series) if not form.format]


@pytest.mark.parametrize(
    ("league", "ordered"),
    [
        (APTA, ["Chicago 2", "Series 9", "Series 10", "Chicago 10 SW", "Series 11"]),
        (CNSWPL, ["Division 2", "Series 10", "Series A", "Series K", "Series SN"]),
        (NSTF, ["Series 1", "Series 2A", "Series 2B", "Series 3", "Series A"]),
        (CITA, ["3.5 & Under Wed", "3.5 & Under Sat", "4.0 & Under Wed", "4.5 & Under Fri", "4.5+ Sat", "Boys"]),
    ],
    ids=lambda value: value.key if hasattr(value, "key") else "",
)
def test_level_puts_series_in_their_order(league, ordered):
    """Numbers by size, letters behind them, a region behind its number: never by the text, where 10 is before 2."""
    found = standardise(league, reversed(ordered)).sort_values("level")

    assert ordered == found["printed"].tolist()


@pytest.mark.parametrize(
    ("league", "printed", "why", "suggestions"),
    [
        (APTA, "Tennaqa 12", "the league lists no club Tennaqa", ("Tennaqua 12",)),
        (APTA, "Wilmete PD II 26", "the league lists no club Wilmete PD", ("Wilmette PD II 26", "Wilmette II 26")),
        (APTA, "Serie 12", "the league lists no club Serie", ("Series 12", "Series 1")),
        (APTA, "Series 99 A", "the league lists no club Series", ()),
        (APTA, "BYE - 9", "it stands where a team belongs", ()),
        (APTA, "Chicago Chicago", "no form of the league reads it", ()),
        (APTA, "Chicago 19022", "no form of the league reads it", ()),
        (CNSWPL, "20.5", "no form of the league reads it", ()),
        (CNSWPL, "", "no form of the league reads it", ()),
    ],
)
def test_name_that_is_not_read_is_not_guessed(league, printed, why, suggestions):
    """A misprint has no standard; what it may have meant stands beside it for a person."""
    found = standard_of(league, printed)

    assert ("none", None, None, "") == (found.kind, found.standard, found.series, found.format)
    assert (why, suggestions) == (found.why, found.suggestions)


@pytest.mark.parametrize(
    ("league", "first", "second", "is_one"),
    [
        (APTA, "Chicago 12", "Series 12", True),
        (APTA, "Salt Creek I - 27 SW - Series 27 SW", "Salt Creek I 27 SW", True),
        (CNSWPL, "Biltmore 14a 14", "Biltmore 14a", True),
        (CNSWPL, "Wilmette H (1) H", "Wilmette H(1)", True),
        (CNSWPL, "Biltmore 14a", "Biltmore 14b", False),
        (APTA, "Series 7", "Series 7 SW", False),
        (APTA, "Wilmette 7", "Wilmette PD 7", False),
        (APTA, "Legends", "Legends", False),
        (NSTF, "Skokie", "Skokie S2A", False),
    ],
)
def test_two_names_are_one_by_the_standard(league, first, second, is_one):
    """Two spellings of one team or series are one name; whatever is not read is not, even when it is the same text."""
    assert is_one is is_one_name(league, first, second)


def test_known_standards_are_read_and_suggested():
    """A team of a new club is read once it exists, and existing teams are what a misprint is compared with."""
    assert "none" == standard_of(APTA, "Pine Hill - 12").kind
    assert "Pine Hill 12" == standard_of(APTA, "Pine Hill - 12", known=["Pine Hill 12"]).standard
    assert ("Pine Hill 12",) == standard_of(APTA, "Pinehill 12", known=["Pine Hill 12", "Skokie 12"]).suggestions


def test_table_has_a_row_per_name_in_order():
    """Repeated and unread names keep their rows, so that the table stands beside the column it was made from."""
    found = standardise(APTA, ["Chicago 12", "nonsense", "Chicago 12", ("Tennaqua - 12", "Chicago 12")])

    assert ["Chicago 12", "nonsense", "Chicago 12", "Tennaqua - 12"] == found["printed"].tolist()
    assert ["Series 12", None, "Series 12", "Tennaqua 12"] == found["standard"].astype(object).where(
        found["standard"].notna(), None
    ).tolist()
    assert list(standardise(APTA, []).columns) == list(found.columns)


def test_series_of_several_leagues_stand_side_by_side():
    """Chicago 12, Division 12 and Series 12 are one series to a reader of several leagues; Series 12 SW is another."""
    found = compare(
        LEAGUES,
        [
            ("apta", "Chicago 12"),
            ("CNSWPL", "Division 12b"),
            ("CNSWPL", "Series 12"),
            ("APTA_CHICAGO", "Tennaqua - 12"),
            ("APTA_CHICAGO", "Chicago 12 SW"),
            ("NSTF", "Series 2B"),
            ("NSTF", "Wilmette Sunday A"),
            ("CITA", "Series 4.0 - 4.5 Singles Thur"),
        ],
    )

    assert ["Series 12"] * 4 + ["Series 12 SW", "Series 2B", "Series A", "Series 4.0 - 4.5 Singles Thur"] == found[
        "series"
    ].tolist()
    assert ["APTA_CHICAGO", "CNSWPL"] == found["league"].unique().tolist()[:2]
    parts = found[["number", "letter", "region", "tier", "day"]].iloc[-4:]
    assert [(12.0, "", "SW", "", ""), (2.0, "B", "", "", "")] == [tuple(row) for row in parts.values[:2]]
    assert ("A", "Sun") == (found["letter"].iloc[-2], found["day"].iloc[-2])
    assert (4.0, "4.5 Singles", "Thu") == tuple(found[["number", "tier", "day"]].iloc[-1])


def test_league_without_a_file_has_the_common_standard():
    """Series and teams are told apart by the common forms; a word alone is a series."""
    league = LEAGUES.get("Paddle_West")

    assert ("series", "Series 4", 4.0) == _told(league, "Division 4")
    assert ("team", "Lakeside 4", 4.0) == _told(league, "Lakeside - 4")
    assert ("series", "Gold", None) == _told(league, "Gold")


def _told(league, printed):
    found = standard_of(league, printed)
    return found.kind, found.standard, found.number
