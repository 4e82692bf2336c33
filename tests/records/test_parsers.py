"""Record parsers: both generations of keys, every reason, and never an exception."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rally_etl.errors import UsageError
from rally_etl.naming import load_leagues
from rally_etl.records import KINDS, REASONS, Quarantined, parser

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
LEAGUES = load_leagues(ROOT / "params")
PLAYER = {"Player ID": "nndz-A1", "First Name": "Ada", "Last Name": "Example", "Team": "Tennaqua 12",
          "Series": "Series 12", "League": "APTA_CHICAGO", "PTI": "-0.8", "Wins": "1", "Losses": "0",
          "Win %": "100.0%", "Captain": "Yes", "Scraped At": "2025-09-22T08:45:16.5", "Career Wins": 105,
          "Career Losses": "103", "Career Win %": "50.5%"}  # fmt: skip
MATCH = {"league_id": "APTACHICAGO", "match_id": "nndz-M1T09_Line2", "Line": "Line 2", "Date": "23-Sep-25",
         "Home Team": "Skokie 23", "Away Team": "Prairie Club 23", "Scores": "6-1, 4-6, 2-6", "Winner": "Home",
         "Home Player 1": "A", "Home Player 1 ID": "nndz-A1", "Home Player 2": "B (S)", "Home Player 2 ID": "nndz-B1",
         "Away Player 1": "", "Away Player 1 ID": None, "Away Player 2": "D", "Away Player 2 ID": ""}  # fmt: skip
FIGURES = {"won": 1, "lost": 2, "tied": 0, "for": 0, "ret": 1, "percentage": "33.3%"}
STATS = {"series": "Chicago 9", "team": "Tennaqua - 9", "league_id": "APTA_CHICAGO", "points": 10.5,
         "matches": FIGURES, "lines": FIGURES, "sets": FIGURES, "games": FIGURES}  # fmt: skip
MEETING = {"date": "09/24/2025", "time": "06:30 pm", "home_team": "Westmoreland 1", "away_team": "Glen Ellyn 1",
           "location": "Glen Ellyn", "series": "Series 1", "League": "APTA_CHICAGO"}  # fmt: skip
HISTORY = {"league_id": "APTA_CHICAGO", "player_id": "nndz-A1", "name": "Ada Example",
           "matches": [{"date": "04/05/2025", "end_pti": "-21.6", "series": "Chicago 1"},
                       {"date": "04/06/2025", "end_pti": 20.5}]}  # fmt: skip
GOOD = {
    "players": PLAYER,
    "match_scores": MATCH,
    "series_stats": STATS,
    "schedules": MEETING,
    "player_history": HISTORY,
}


def parse(kind, record, league="APTA_CHICAGO"):
    """Parse one record given as an object."""
    return parser(kind, LEAGUES.get(league), LEAGUES).parse(json.dumps(record).encode())


def one_row(kind, record, league="APTA_CHICAGO"):
    """The only row of a record, by column."""
    rows = parse(kind, record, league)
    assert isinstance(rows, list), rows
    assert 1 == len(rows)
    return dict(zip(parser(kind, LEAGUES.get(league), LEAGUES).columns, rows[0], strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_those_of_the_staged_table(kind):
    """The parser's columns are the table's, in order, after the three that all tables have."""
    ledger = ROOT / "lib/rally_etl/database/ledger"
    ddl = "".join(path.read_text() for path in sorted(ledger.glob("*.sql")))
    table = re.search(rf"create unlogged table etl\.staged_{kind} \((.*?)\n\);", ddl, re.DOTALL)[1]
    columns = [line.split()[0] for line in table.strip().splitlines()]
    columns += re.findall(rf"alter table etl\.staged_{kind} add column (\w+)", ddl)

    assert tuple(columns[3:]) == parser(kind, LEAGUES.get("NSTF"), LEAGUES).columns


def test_unknown_kind_is_refused():
    """A kind of file that does not exist is the operator's mistake."""
    with pytest.raises(UsageError, match="rankings"):
        parser("rankings", LEAGUES.get("NSTF"), LEAGUES)


def test_player_of_the_new_generation():
    """Every value of a September 2025 record in its column."""
    assert {
        "player_id": "nndz-A1", "person_key": "A1", "first_name": "Ada", "last_name": "Example", "team": "Tennaqua 12",
        "series": "Series 12", "pti": "-0.8", "wins": "1", "losses": "0", "win_percentage": "100.0", "captain": "t",
        "career_wins": "105", "career_losses": "103", "career_win_percentage": "50.5",
        "scraped_at": "2025-09-22 08:45:16.500000", "is_substitute": "f",
    } == one_row("players", PLAYER)  # fmt: skip


def test_player_of_the_old_generation():
    """`Series Mapping ID` is the team; career fields that are not there stay NULL."""
    old = {"League": "CNSWPL", "Series": "Division 14b", "Series Mapping ID": "Biltmore 14b",
           "Player ID": "cnswpl_nndz-A1", "First Name": "Ada", "Last Name": "Example (S)", "PTI": "N/A",
           "Wins": 3, "Losses": 0.0, "Captain": ""}  # fmt: skip
    row = one_row("players", old, "CNSWPL")

    assert ("Biltmore 14b", "A1", "Example", None, "3", "0", "f", None, "t") == tuple(
        row[c]
        for c in (
            "team", "person_key", "last_name", "pti", "wins", "losses", "captain", "career_wins", "is_substitute",
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "is_made_up"),
    [
        ("FALLBACK_dXEWpUxb", True),
        ("0123456789abcdef", True),
        ("0123456789abcdef" * 2, True),
        ("0123456789abcdef0", False),
        ("WkMrOXhMajhodz09", False),
        ("A1", False),
    ],
)
def test_made_up_ids_are_told_by_their_form(key, is_made_up):
    """Fillers and digests promise nothing; the body of an id of the site does."""
    assert is_made_up == LEAGUES.get("CNSWPL").is_made_up(key)


def test_player_without_an_id_of_the_site_is_staged():
    """A filler in a roster stands for a person with a name and a team, who may be known by them."""
    assert "FALLBACK_dXEWpUxb" == one_row("players", PLAYER | {"Player ID": "FALLBACK_dXEWpUxb"})["person_key"]


def test_match_of_the_new_generation():
    """Teams as printed, players without id as NULL, both orientations, and a vote for away first."""
    assert {
        "match_id": "nndz-M1T09_Line2", "line": "2", "match_date": "2025-09-23", "home_team": "Skokie 23",
        "away_team": "Prairie Club 23", "series": None, "home_player_1_id": "nndz-A1", "home_player_2_id": "nndz-B1",
        "away_player_1_id": None, "away_player_2_id": None, "scores": "6-1, 4-6, 2-6",
        "scores_swapped": "1-6, 6-4, 6-2", "winner": "home", "vote": "-1",
    } == one_row("match_scores", MATCH)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "column", "value"),
    [
        ({"match_id": "nndz-M1_Line4_Line4"}, "match_id", "nndz-M1_Line4"),
        ({"match_id": "nndz-M1_Line4_Line4"}, "line", "4"),
        ({"match_id": None, "Line": 3}, "line", "3"),
        ({"match_id": ""}, "match_id", None),
        ({"Winner": "tie"}, "winner", None),
        ({"Winner": "AWAY"}, "vote", "1"),
        ({"Scores": "6-1, 2-1"}, "vote", "0"),
        ({"Home Player 1": "Court 5 No Player 1"}, "home_player_1_id", None),
        ({"Home Player 1 ID": "FALLBACK_abcdefgh"}, "home_player_1_id", None),
        ({"Scores": "0-6, 0-6", "Home Player 1": "", "Home Player 1 ID": None}, "scores", "0-6, 0-6"),
        ({"Home Team": "LifeSport-Lshire - 23"}, "home_team", "LifeSport-Lshire - 23"),
    ],
)
def test_match_value(change, column, value):
    """Odd but understood values of match lines are staged."""
    assert value == one_row("match_scores", MATCH | change)[column]


def test_other_kinds_are_staged():
    """Standings, schedule and history in their columns."""
    stats, meeting = one_row("series_stats", STATS), one_row("schedules", MEETING)

    assert ("Chicago 9", "Tennaqua - 9", "10.5", "1", "1") == tuple(
        stats[c] for c in ("series", "team", "points", "matches_won", "lines_ret")
    )
    assert ("2025-09-24", "18:30", "Westmoreland 1", "Glen Ellyn 1", "Glen Ellyn", "Series 1") == tuple(
        meeting.values()
    )
    assert [
        ("0", "nndz-A1", "A1", "Chicago 1", "2025-04-05", "-21.6"),
        ("1", "nndz-A1", "A1", None, "2025-04-06", "20.5"),
    ] == parse("player_history", HISTORY)
    assert [] == parse("player_history", HISTORY | {"matches": []})


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        ("players", dict.fromkeys(PLAYER, ""), "empty_fields"),
        ("players", {"Player ID": "sharing"}, "menu_row"),
        ("players", {"Last Name": "PTI Algo Description & FAQs"}, "menu_row"),
        ("players", {"First Name": "Birchwood", "Last Name": "2"}, "placeholder"),
        ("players", {"First Name": "Court 5", "Last Name": "No Player 1"}, "placeholder"),
        ("players", {"Team": "BYE - 9"}, "bye"),
        ("players", {"Team": ""}, "missing_field"),
        ("players", {"Player ID": ""}, "missing_field"),
        ("players", {"Player ID": "cnswpl_abc"}, "foreign_league"),
        ("players", {"League": "CNSWPL"}, "foreign_league"),
        ("players", {"Player ID": "a b"}, "bad_id"),
        ("players", {"Wins": "20.5"}, "bad_number"),
        ("players", {"PTI": "high"}, "bad_number"),
        ("players", {"Wins": {"many": 1}}, "not_readable"),
        ("players", {"Team": "Somewhere"}, "team_name_not_understood"),
        ("match_scores", {"Home Team": "Unknown Home Team"}, "placeholder"),
        ("match_scores", {"Scores": "Unknown Scores"}, "placeholder"),
        ("match_scores", {"Home Player 1": "Unknown Player H4A"}, "placeholder"),
        ("match_scores", {"Date": "Unknown Date"}, "bad_date"),
        ("match_scores", {"Date": None}, "missing_field"),
        ("match_scores", {"Winner": "unknown"}, "bad_winner"),
        ("match_scores", {"Winner": None}, "bad_winner"),
        ("match_scores", {"Scores": "0, 6"}, "bad_score"),
        ("match_scores", {"Scores": "October 12, 2024", "Winner": "unknown"}, "shifted_row"),
        ("match_scores", {"match_id": "table_Series_C_12", "Away Team": "20.5", "Date": None}, "shifted_row"),
        ("match_scores", {"match_id": "nndz 1_Line2"}, "bad_id"),
        ("match_scores", {"Away Team": "Skokie - 23"}, "against_itself"),
        ("match_scores", {"league_id": "NSTF"}, "foreign_league"),
        ("series_stats", {"team": "BYE - 22"}, "bye"),
        ("series_stats", {"team": "Legends"}, "team_name_not_understood"),
        ("series_stats", {"sets": FIGURES | {"percentage": "340"}}, "shifted_row"),
        ("series_stats", {"games": FIGURES | {"won": "many"}}, "bad_number"),
        ("series_stats", {"games": [1]}, "not_readable"),
        ("schedules", {"Practice": "Tennaqua", "home_team": None, "away_team": None}, "practice_row"),
        ("schedules", {"home_team": "BYE - 22"}, "bye"),
        ("schedules", {"home_team": "Glen Ellyn - 1"}, "against_itself"),
        ("schedules", {"date": "02/30/2025"}, "bad_date"),
        ("player_history", {"player_id": "FALLBACK_dXEWpUxb"}, "placeholder"),
        ("player_history", {"matches": [{"date": "04/05/2025", "end_pti": "x"}]}, "bad_number"),
        ("player_history", {"matches": "none"}, "not_readable"),
    ],
)
def test_reason_of_quarantine(kind, change, reason):
    """A damaged record is kept aside under the reason that tells most."""
    aside = parse(kind, GOOD[kind] | change)

    assert isinstance(aside, Quarantined)
    assert reason == aside.reason
    assert aside.faults


def test_all_faults_of_a_record_are_listed():
    """Nothing is found one fault at a time."""
    aside = parse(
        "match_scores", MATCH | {"Date": "31-Feb-25", "Scores": "0, 6", "Winner": "nobody", "Home Player 1 ID": [1]}
    )

    assert {"Date", "Scores", "Winner", "Home Player 1 ID"} == {fault.field for fault in aside.faults}
    assert "not_readable" == aside.reason
    assert "31-Feb-25" in {fault.value for fault in aside.faults}


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b'"x"', b"[1]", b"null", b"12", b'{"a": "\\ud800"}', b"\xff\xfe", b'{"Team": "\xff"}', b"[" * 5000],
)
@pytest.mark.parametrize("kind", KINDS)
def test_bytes_that_are_no_record(kind, raw):
    """Broken JSON and other values are kept aside, never raised."""
    aside = parser(kind, LEAGUES.get("NSTF"), LEAGUES).parse(raw)

    assert isinstance(aside, Quarantined)
    assert aside.reason in ("not_readable", "not_an_object", "empty_fields")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_object_is_rows_or_kept_aside(kind, data):
    """Whatever stands in the fields, the answer is rows that COPY takes or a reason with faults."""
    keys = st.sampled_from(sorted(GOOD[kind])) | st.text(max_size=8)
    record = GOOD[kind] | data.draw(st.dictionaries(keys, JSON, max_size=4))
    league = data.draw(st.sampled_from(["APTA_CHICAGO", "SOMETHING_ELSE"]))
    reader = parser(kind, LEAGUES.get(league), LEAGUES)
    outcome = reader.parse(msgspec.json.encode(record))

    if isinstance(outcome, Quarantined):
        assert outcome.faults and outcome.reason in REASONS
    else:
        assert all(len(row) == len(reader.columns) for row in outcome)
        cells = [cell for row in outcome for cell in row if cell is not None]
        assert all(isinstance(cell, str) and cell and not {"\t", "\n", "\r"} & set(cell) for cell in cells)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(MATCH)),
        st.sampled_from(["", " ", "6-1", "nndz-X", "Skokie  23", "tie", "Line 4", "x_Line1", None]),
        max_size=3,
    )
)
def test_quick_and_careful_reading_agree(change):
    """A match line read by look-ups is the same as one read field by field."""
    record = MATCH | change
    slow = parse("match_scores", record | {"Line": 7} if record.get("match_id") else record)
    reader = parser("match_scores", LEAGUES.get("APTA_CHICAGO"), LEAGUES)
    first, second = (reader.parse(json.dumps(record).encode()) for _ in range(2))

    assert first == second
    if isinstance(first, list) and record.get("match_id"):
        assert slow == first or "_Line" not in record["match_id"]


@pytest.mark.skipif(not DATA.exists(), reason="the real scrapes are not beside this clone")
@pytest.mark.parametrize("path", sorted(DATA.glob("*/*/*/*.json")), ids=lambda path: "/".join(path.parts[-3:]))
def test_real_file(path):
    """Of a good real file at most one record in twenty is faulty and its scores vote one way; broken ones show it."""
    kind = path.stem.replace("match_history", "match_scores")
    reader = parser(kind, LEAGUES.get(path.parent.name), LEAGUES)
    records = msgspec.json.decode(path.read_bytes(), type=list[msgspec.Raw])
    outcomes = [reader.parse(raw) for raw in records]
    aside = [outcome.reason for outcome in outcomes if isinstance(outcome, Quarantined)]
    faulty = sum(REASONS[reason] == "fault" for reason in aside) / max(1, len(records))
    votes = [rows[0][-1] for rows in outcomes if isinstance(rows, list)] if kind == "match_scores" else []

    if path.parts[-3] == "2025-09-21_empty_rows":
        assert 7537 == aside.count("empty_fields")
    elif path.parts[-3] == "2025-08-17_mixed_sides":
        assert 96 == aside.count("placeholder")
    elif path.parent.name == "CITA":
        assert path.stem == "schedules" or faulty > 0.1
    else:
        assert faulty < 0.05
    if votes and path.parent.name != "CITA":
        first, other = ("1", "-1") if "2025-06-21" in path.parts else ("-1", "1")
        assert votes.count(first) >= 0.99 * (votes.count(first) + votes.count(other)) > 0
