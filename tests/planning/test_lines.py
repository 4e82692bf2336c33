"""Lines of a re-scrape are the lines that live has, whatever of them was printed differently."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import MakeDatabase, first, project
from rally_etl import planning
from rally_etl.database.catalog import quote
from rally_etl.database.engine import connect
from rally_etl.planning.lines import HELD
from scrapes import APTA, TEAMS, Import, Kinds, line, meeting, small

HOME, AWAY = list(TEAMS)[:2]
SEATS = tuple(f"{side} Player {n} ID" for side in ("Home", "Away") for n in (1, 2))
Record = dict[str, Any]


def lines_of(importing: Import) -> dict[int, str]:
    """Row id -> match id of every live line."""
    return dict(importing.rows("select id, tenniscores_match_id from match_scores order by id"))


def identified(importing: Import, run_id: str) -> dict[int, str]:
    """Row id -> strategy of the lines that no match id tied."""
    return dict(
        importing.rows(
            f"select id, strategy from {quote(planning.schemas(run_id)[0], 'identified')}"
            " where table_name = 'match_scores'"
        )
    )


def court(number: int, *people: str, **changes: Any) -> Record:
    """A line of the first two teams without a match id; court *number* has players of its own unless given."""
    people = people or tuple(f"{side}{number}{n}" for side in ("h", "a") for n in (1, 2))
    return line(None, HOME, AWAY) | dict(zip(SEATS, (f"nndz-{person}" for person in people), strict=True)) | changes


def scrape_of(*lines: Record) -> Kinds:
    """The small scrape with these match lines only."""
    return small() | {"match_scores": list(lines)}


def turned(record: Record) -> Record:
    """The same line with home and away exchanged in everything: teams, players, score and winner."""
    swapped = {seat: record[seat.replace("Home", "x").replace("Away", "Home").replace("x", "Away")] for seat in SEATS}
    scores = ", ".join("-".join(reversed(each.split("-"))) for each in record["Scores"].split(", "))
    winner = {"home": "away", "away": "home"}[record["Winner"]]
    teams = {"Home Team": record["Away Team"], "Away Team": record["Home Team"]}
    return record | teams | swapped | {"Scores": scores, "Winner": winner}


def opposite(record: Record) -> Record:
    """The same line with the players on the side of their opponents."""
    return record | {seat: record[other] for seat, other in zip(SEATS, SEATS[2:] + SEATS[:2], strict=True)}


@pytest.mark.parametrize("suffix", ["_Line1_Line1", "_Line1_Line1_Line1"])
def test_doubled_suffix_in_live_is_the_line(loaded, suffix):
    """A live row under a doubled match id keeps its row id and gets the id that is meant (incident 15)."""
    before = lines_of(loaded)
    row_id = next(each for each, match_id in before.items() if match_id == "nndz-match0_Line1")
    loaded.write(f"update match_scores set tenniscores_match_id = 'nndz-match0{suffix}' where id = {row_id}")

    run_id = loaded.load(small())

    assert {"match_scores": (0, 1, 0)} == loaded.changes(run_id)
    assert before == lines_of(loaded)
    assert {row_id: "doubled id"} == identified(loaded, run_id)


def test_doubled_suffix_in_the_file_is_the_line(loaded):
    """A file that prints `_Line1_Line1` means the line that live has."""
    scrape = small()
    for record in scrape["match_scores"]:
        record["match_id"] += record["match_id"][-6:]

    assert {} == loaded.changes(loaded.plan(scrape))


def test_doubled_row_beside_the_line_is_left_alone(loaded):
    """Where live has both forms the normal one is the line; the other is a double that no import touches."""
    copy = (
        "insert into match_scores (league_id, match_date, home_team, away_team, home_team_id, away_team_id, scores,"
        " winner, tenniscores_match_id) select league_id, match_date, home_team, away_team, home_team_id,"
        " away_team_id, scores, winner, tenniscores_match_id || '_Line1' from match_scores"
        " where tenniscores_match_id = 'nndz-match0_Line1'"
    )
    loaded.write(copy)
    before = lines_of(loaded)
    corrected = small()
    corrected["match_scores"][0]["Scores"] = "1-6, 4-6"

    assert {"match_scores": (0, 1, 0)} == loaded.changes(loaded.load(corrected))
    assert before == lines_of(loaded)
    for record in corrected["match_scores"]:
        del record["match_id"]
    assert {} == loaded.changes(loaded.load(corrected)), "a file without ids means the lines, not the double"
    assert before == lines_of(loaded)


@pytest.mark.parametrize(
    ("again", "strategy"),
    [
        (court(1, Scores="1-6, 4-6"), "players"),
        (turned(court(1)), "players"),
        (opposite(court(1)), "sides exchanged"),
        (turned(opposite(court(1))), "sides exchanged"),
        (court(1, "h11", "new", "a11", "other", Scores="1-6, 4-6"), "players"),
        (court(1, "b", "new", "a11", "other", Scores="1-6, 4-6"), "players"),
        (court(1, Date="30-Sep-25"), "moved date"),
        (turned(opposite(court(1, Date="07-Oct-25"))), "moved date"),
        (court(1, Date="16-Sep-25", Scores="1-6, 4-6"), "moved date"),
    ],
)
@pytest.mark.parametrize("match_id", first(1, [None, "nndz-match0_Line1"]))
def test_line_without_an_id_is_known_again(importing, again, strategy, match_id):
    """Players, sides, home and away, score or date changed: it is the same row, and it takes the file's match id."""
    importing.load(scrape_of(court(1), court(2)))
    before = lines_of(importing)
    (row_id,) = importing.column("select id from match_scores where home_player_1_id = :id", id=court(1)[SEATS[0]])

    run_id = importing.load(scrape_of(again | {"match_id": match_id} if match_id else again, court(2)))

    assert before.keys() == lines_of(importing).keys()
    assert strategy == identified(importing, run_id)[row_id]
    assert match_id == lines_of(importing)[row_id]
    row = importing.rows("select * from match_scores where id = :id", id=row_id)[0]
    assert ("2025-09-23", again["Home Team"]) == (str(row.match_date), row.home_team), "the schedule has the old date"
    assert again["Home Player 1 ID"] == row.home_player_1_id
    assert importing.column("select count(*) from match_scores where (winner = 'home') <> (scores > '5')") == [0]
    assert {} == importing.changes(importing.plan(scrape_of(again, court(2))))


@pytest.mark.parametrize("match_id", [None, "nndz-match0_Line1"])
def test_person_under_another_id_is_the_known_one(importing, match_id):
    """An alias of a person holds in every seat: the line says what it said, under the id that live knows."""
    first = court(1, "Tennaqua121", "Tennaqua122", "Winnetka121", "Winnetka122", match_id=match_id)
    importing.load(scrape_of(first))
    importing.write(
        "insert into etl.aliases (league, entity, spelling, target, strategy, confidence, evidence)"
        " values (:league, 'player', 'made-up', 'Tennaqua122', 'name', 1, '')",
        league=APTA,
    )
    again = scrape_of(first | {SEATS[1]: "nndz-made-up"})

    assert {} == importing.changes(importing.plan(again))
    del again["players"]
    assert {} == importing.changes(importing.plan(again)), "also when no rosters were scraped"


def test_court_tells_lines_apart_that_share_nothing_else(loaded):
    """A file without match ids that prints the court means the live line of that court."""
    scrape = small()
    for number, record in enumerate(scrape["match_scores"]):
        del record["match_id"]
        record |= {"Line": f"Line {number % 2 + 1}", "Scores": f"{number}-6, 4-6"}
        record |= {seat: f"nndz-other{number}{seat[0]}{seat[12]}" for seat in SEATS}
    before = lines_of(loaded)

    run_id = loaded.load(scrape)

    assert {"match_scores": (0, 4, 0)} == loaded.changes(run_id)
    assert dict.fromkeys(before, "line") == identified(loaded, run_id)
    assert ["6-0, 6-4", "6-1, 6-4", "6-2, 6-4", "6-3, 6-4"] == loaded.column(
        "select scores from match_scores order by tenniscores_match_id"
    )


def test_score_decides_when_no_court_is_left(importing):
    """Four courts are known: four lines under other ids of other people are these, by score; the last by exclusion."""
    scores = ["2-6, 4-6", "1-6, 4-6", "0-6, 4-6", "3-6, 4-6"]
    importing.load(scrape_of(*(court(n, Scores=score) for n, score in enumerate(scores))))
    before = lines_of(importing)
    scores[3] = "4-6, 4-6"
    others = [court(n + 4, Scores=score, match_id=f"nndz-x_Line{n + 1}") for n, score in enumerate(scores)]

    run_id = importing.load(scrape_of(*others))

    assert before.keys() == lines_of(importing).keys()
    assert ["last line", "score", "score", "score"] == sorted(identified(importing, run_id).values())


def test_another_court_is_a_new_line(importing):
    """A line that shares date and teams with a known one, and nothing else, is a new one while courts are left."""
    importing.load(scrape_of(court(1)))

    assert {"match_scores": (1, 0, 0)} == importing.changes(importing.load(scrape_of(court(2, Scores="1-6, 4-6"))))


def test_two_match_ids_are_two_lines(loaded):
    """Lines that say the same under different match ids are two."""
    scrape = small()
    for record in scrape["match_scores"]:
        record["match_id"] = record["match_id"].replace("match", "other")

    assert {"match_scores": (4, 0, 0)} == loaded.changes(loaded.plan(scrape))


def test_second_meeting_is_not_the_first(importing):
    """The same eight people meet again: a second team match when the scrape holds both, or the schedule does."""
    first = [court(1), court(2)]
    importing.load(scrape_of(*first))
    second = [record | {"Date": "07-Oct-25"} for record in first]
    both = scrape_of(*first, *second)

    assert {"match_scores": (2, 0, 0)} == importing.changes(importing.plan(both))
    alone = scrape_of(*(record | {"Scores": "1-6, 1-6"} for record in second))
    alone["schedules"].append(meeting("10/07/2025", HOME, AWAY))
    assert {"schedule": (1, 0, 0), "match_scores": (2, 0, 0)} == importing.changes(importing.plan(alone))
    later = scrape_of(*(record | {"Date": "15-Oct-25"} for record in first))
    assert {"match_scores": (2, 0, 0)} == importing.changes(importing.plan(later)), "more than three weeks later"


def test_rest_of_a_moved_team_match_is_found(importing):
    """Where one line of a team match moved, its others are looked for on the old date, also those of unknown people."""
    nobody = dict.fromkeys(SEATS, "")
    importing.load(scrape_of(court(1), court(2, Scores="1-6, 1-6") | nobody))
    before = lines_of(importing)

    again = [court(1, Date="30-Sep-25"), court(2, Scores="1-6, 1-6", Date="30-Sep-25") | nobody]
    run_id = importing.load(scrape_of(*again))

    assert {} == importing.changes(run_id), "the schedule has the old date"
    assert dict.fromkeys(before, "moved date") == identified(importing, run_id)


@pytest.mark.parametrize(
    ("known", "again"),
    [
        # one court of a score, the other people of another court or the same under other ids?
        ([court(1)], [court(5)]),
        # one of two scraped lines is the moved one
        ([court(1)], [court(1, Date="30-Sep-25"), court(1, Date="07-Oct-25")]),
        # the schedule has neither date, and the score is another
        ([court(1, Date="24-Sep-25")], [court(1, Date="01-Oct-25", Scores="1-6, 1-6")]),
        # five lines for four courts
        ([court(n, Scores=f"{n}-6, 4-6") for n in (0, 1, 2)], [court(n, Scores=f"{n}-6, 3-6") for n in (3, 4)]),
    ],
)
def test_line_that_may_be_known_waits(importing, known, again):
    """Neither doubled nor written over another: it is held, and the same again the next time."""
    importing.load(scrape_of(*known))
    before = importing.rows("select * from match_scores order by id")

    for _ in range(2):
        run_id = importing.load(scrape_of(*again))
        assert {} == importing.changes(run_id)
        held = {reason: count for (kind, reason, _), count in importing.held(run_id).items() if kind == "match_scores"}
        assert held.keys() == {HELD}
    assert before == importing.rows("select * from match_scores order by id")
    assert len(again) == sum(importing.held(run_id).values())


@pytest.mark.parametrize(
    ("day", "scheduled", "expected"),
    [
        ("30-Sep-25", "09/23/2025", "2025-09-23"),  # the date of the page, a week late
        ("30-Sep-25", "09/30/2025", "2025-09-30"),  # the whole team match moved, and the schedule says so
    ],
)
def test_new_lines_of_a_known_team_match_are_of_its_day(importing, day, scheduled, expected):
    """A team match is not torn in two by the later date with which the rest of its lines is printed (domain 2.7)."""
    lines = [court(number, match_id=f"nndz-match0_Line{number}") for number in (1, 2, 3)]
    schedule = {"schedules": [meeting("09/23/2025", AWAY, HOME)]}
    importing.load(scrape_of(lines[0]) | schedule)

    again = scrape_of(*(each | {"Date": day} for each in lines)) | {"schedules": [meeting(scheduled, AWAY, HOME)]}
    importing.load(again)

    assert [expected] * 3 == importing.column("select match_date::text from match_scores")
    assert {} == importing.changes(importing.plan(again))


@pytest.mark.parametrize("with_ids", first(1, [True, False]))
@pytest.mark.parametrize(
    ("live", "printed", "scheduled", "expected"),
    [
        ("23-Sep-25", "30-Sep-25", ["09/23/2025"], "2025-09-23"),
        ("23-Sep-25", "16-Sep-25", ["09/23/2025"], "2025-09-23"),
        ("23-Sep-25", "30-Sep-25", ["09/30/2025"], "2025-09-30"),
        ("23-Sep-25", "30-Sep-25", ["09/23/2025", "09/30/2025"], "2025-09-23"),
        ("23-Sep-25", "30-Sep-25", ["12/02/2025"], "2025-09-23"),
        ("30-Sep-25", "23-Sep-25", ["09/23/2025"], "2025-09-23"),
        ("02-Oct-25", "25-Sep-25", ["09/23/2025"], "2025-09-25"),
        ("25-Sep-25", "16-Sep-25", ["09/24/2025"], "2025-09-25"),
        ("30-Sep-25", "23-Sep-25", [], "2025-09-23"),
        ("23-Sep-25", "30-Sep-25", [], "2025-09-23"),
    ],
)
def test_date_follows_the_schedule(importing, with_ids, live, printed, scheduled, expected):
    """A scheduled date stays; another moves to a scheduled one, or back, never forward by itself (domain 2.7)."""

    def scrape(day: str) -> Kinds:
        record = court(1, Date=day) | ({"match_id": "nndz-match0_Line1"} if with_ids else {})
        # the host of the schedule is not the host of the match file
        return scrape_of(record) | {"schedules": [meeting(when, AWAY, HOME) for when in scheduled or ["12/02/2026"]]}

    first = scrape(live)
    if not scheduled:
        first["schedules"] = [meeting("12/02/2026", AWAY, "Hinsdale PC I 7 SW")]
    importing.load(first)
    again = scrape(printed) | {"schedules": first["schedules"]}
    run_id = importing.load(again)

    assert [expected] == importing.column("select match_date::text from match_scores")
    assert [1] == importing.column("select count(*) from match_scores")
    is_kept = expected == importing.column("select to_date(:day, 'DD-Mon-YY')::text", day=live)[0]
    told = importing.column(f"select count(*) from {quote(planning.schemas(run_id)[0], 'kept_dates')}")[0]
    # of two scheduled meetings without ids nobody can say which it is
    assert is_kept == bool(told or importing.held(run_id))


FIRST, SECOND = date(2025, 9, 23), date(2025, 12, 2)
PLAYED = [(*list(TEAMS)[place : place + 2], day) for place in (0, 2) for day in (FIRST, SECOND)]


@dataclass(frozen=True, slots=True)
class Truth:
    """One line that was played; the same people play the same court of both meetings of their teams."""

    place: int  # in PLAYED
    court: int
    score: str  # the home side first

    @property
    def people(self) -> tuple[str, ...]:
        """Home players, then away players."""
        home, away, _ = PLAYED[self.place]
        return tuple(f"nndz-{team.replace(' ', '')}{self.court * 2 + n}" for team in (home, away) for n in (0, 1))


@dataclass(frozen=True, slots=True)
class Printing:
    """How one file prints lines."""

    has_ids: bool
    is_doubled: bool
    away_first: bool
    late: frozenset[int]  # meetings that are printed a week or two late
    weeks: int
    turned: frozenset[int]  # meetings that are printed with home and away exchanged
    opposite: frozenset[int]  # meetings that are printed with the players on the other side

    def record(self, line_: Truth) -> Record:
        """The record of a line."""
        home, away, day = PLAYED[line_.place]
        if line_.place in self.late:
            day += timedelta(days=7 * self.weeks)
        match_id = f"nndz-m{line_.place}_Line{line_.court}" + f"_Line{line_.court}" * self.is_doubled
        record = line(match_id if self.has_ids else None, home, away, Date=f"{day:%d-%b-%y}", Scores=line_.score)
        record |= dict(zip(SEATS, line_.people, strict=True))
        sets = [tuple(map(int, each.split("-"))) for each in line_.score.split(", ")]
        record["Winner"] = "home" if sets[-1][0] > sets[-1][1] else "away"
        if line_.place in self.opposite:
            record = opposite(record)
        if line_.place in self.turned:
            record = turned(record)
        if self.away_first:
            record["Scores"] = ", ".join("-".join(reversed(each.split("-"))) for each in record["Scores"].split(", "))
        return record


PLACES = st.frozensets(st.sampled_from(range(len(PLAYED))), max_size=2)
PRINTINGS = st.builds(
    Printing,
    has_ids=st.booleans(),
    is_doubled=st.booleans(),
    away_first=st.booleans(),
    late=PLACES,
    weeks=st.integers(1, 2),
    turned=PLACES,
    opposite=PLACES,
)
LINES = st.builds(
    Truth,
    place=st.sampled_from(range(len(PLAYED))),
    court=st.integers(1, 4),
    score=st.sampled_from(["6-2, 6-4", "6-2, 6-1", "2-6, 6-4, 6-3", "3-6, 2-6"]),
)
SEASONS = st.lists(LINES, min_size=2, max_size=8, unique_by=lambda each: (each.place, each.court))


def row_of(importing: Import, played: Truth) -> int:
    """The id of the live row of a line: its people, nearest to the day on which it was played."""
    sql = (
        "select id from match_scores where array[home_player_1_id, home_player_2_id, away_player_1_id,"
        " away_player_2_id] @> cast(:people as text[]) order by abs(match_date - :day) limit 1"
    )
    return importing.column(sql, people=list(played.people), day=PLAYED[played.place][2])[0]


@hypothesis_settings(
    max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
@given(season=SEASONS, printings=st.lists(PRINTINGS, min_size=2, max_size=3), known=st.integers(1, 4))
def test_every_line_keeps_its_row(make_database: MakeDatabase, small_database: str, season, printings, known):
    """However files print the lines of a season, live has one row for each, the same row for ever."""
    with TemporaryDirectory() as folder, make_database(small_database) as url:
        settings = project(Path(folder), url)
        engine = connect(settings, application_name="rally-etl tests")
        importing = Import(engine, settings, count(3000))
        importing.write("delete from match_scores")
        rows: dict[Truth, int] = {}
        for number, printing in enumerate([replace(printings[0], late=frozenset()), *printings]):
            lines = season[:known] if number == 0 else season
            scrape = {
                "match_scores": [printing.record(each) for each in lines],
                "schedules": [meeting(f"{day:%m/%d/%Y}", away, home) for home, away, day in PLAYED],
            }
            importing.load(scrape)
            found = {each: row_of(importing, each) for each in lines}
            assert len(lines) == len(set(found.values())) == len(lines_of(importing))
            assert rows.items() <= found.items()
            assert {} == importing.changes(importing.plan(scrape))
            rows = found
        engine.dispose()
