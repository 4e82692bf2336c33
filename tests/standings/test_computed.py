"""Standings that a scrape does not bring are computed from its lines: planned, marked, and replaced by printed ones."""

from __future__ import annotations

import pytest

from operating import do, undo
from rally_etl.checks.standings_evidence import standings_measures
from rally_etl.measures import store_metrics
from scrapes import APTA, Import, Kinds, line, meeting, player, stats, write

CLUBS = "Tennaqua Winnetka Skokie Exmoor Evanston Birchwood Briarwood Knollwood Medinah Northmoor"
TEAMS = [f"{club} 12" for club in CLUBS.split()]
PAIRS = list(zip(TEAMS[::2], TEAMS[1::2], strict=True))
ROW = "select team, points, matches_won, matches_lost, lines_won, lines_lost, sets_won, games_won from series_stats"
HOME, AWAY = (12, 1, 0, 4, 0, 8, 48), (0, 0, 1, 0, 4, 0, 24)


def scrape(*printed: str) -> Kinds:
    """Ten teams, each with one team match that the home side won in all lines; standings only of the *printed* ones."""
    kinds = {
        "players": [player(f"{team}{n}".replace(" ", ""), team, Series="Series 12") for team in TEAMS for n in (1, 2)],
        "match_scores": [
            line(f"nndz-match{number}_Line{court}", home, away)
            for number, (home, away) in enumerate(PAIRS)
            for court in (1, 2, 3, 4)
        ],
        "schedules": [meeting("09/23/2025", home, away, series="Series 12") for home, away in PAIRS],
    }
    if printed:
        kinds["series_stats"] = [stats(team, series="Series 12") for team in printed]
    return kinds


def rows(importing: Import) -> dict[str, tuple[int, ...]]:
    """Team -> its live figures."""
    return {row[0]: tuple(row[1:]) for row in importing.rows(ROW)}


def computed(importing: Import, run_id: str) -> dict[str, str]:
    """Team -> why its row is a computed one after the run."""
    found = importing.rows(
        "select s.team, c.reason from etl.computed_rows as c join series_stats as s on s.id = c.id"
        " where c.run_id = :run and c.league = :league and c.table_name = 'series_stats'",
        run=run_id,
        league=APTA,
    )
    return {row.team: row.reason for row in found}


def ids(importing: Import) -> dict[str, int]:
    """Team -> id of its row."""
    return {row.team: row.id for row in importing.rows("select team, id from series_stats")}


@pytest.fixture
def importing(engine, settings) -> Import:
    """Imports into an empty database."""
    return Import(engine, settings)


def test_missing_standings_are_computed(importing):
    """A first load without standings: every team that has played gets its row, and each says why."""
    run_id = importing.load(scrape())

    assert {home: HOME for home, _ in PAIRS} | {away: AWAY for _, away in PAIRS} == rows(importing)
    assert {"computed from its lines: standings are printed of 0 % of the teams that have played"} == set(
        computed(importing, run_id).values()
    )
    assert {} == importing.changes(importing.plan(scrape()))


def test_one_printed_row_of_many_stays_as_printed(importing):
    """Incident 22, one row of 164: the others are computed, the printed one is not touched."""
    run_id = importing.load(scrape(TEAMS[0]))

    assert 10 == len(rows(importing))
    assert 12 == rows(importing)[TEAMS[0]][0]
    assert (1, 1) == rows(importing)[TEAMS[0]][1:3]
    assert set(TEAMS[1:]) == computed(importing, run_id).keys()


def test_covered_standings_are_left_alone(importing):
    """Six of ten are printed: a check names the four, nothing is computed."""
    run_id = importing.load(scrape(*TEAMS[:6]))

    assert set(TEAMS[:6]) == rows(importing).keys()
    assert {} == computed(importing, run_id)


def test_printed_rows_replace_computed_ones_under_their_id(importing):
    """When the real standings come, every row keeps its id and is no computed one any more."""
    importing.load(scrape())
    before = ids(importing)

    run_id = importing.load(scrape(*TEAMS))

    assert before == ids(importing)
    assert {(12, 1, 1, 4, 4, 8, 48)} == set(rows(importing).values())
    assert {} == computed(importing, run_id)
    assert {} == importing.changes(importing.plan(scrape(*TEAMS)))


def test_computed_rows_follow_their_lines(importing):
    """A row stays a computed one until it is printed, and counts the matches of each new scrape."""
    importing.load(scrape(TEAMS[0]))
    week = scrape(*TEAMS[:7])
    home, away = TEAMS[8:10]
    week["match_scores"] += [line(f"nndz-week2_Line{court}", away, home, Date="30-Sep-25") for court in (1, 2, 3, 4)]

    run_id = importing.load(week)

    assert set(TEAMS[7:]) == computed(importing, run_id).keys()
    assert ((12, 1, 1, 4, 4, 8, 72), AWAY) == (rows(importing)[home], rows(importing)[TEAMS[7]])


def test_undo_brings_back_what_was_computed(importing):
    """Real standings taken back: the rows are computed ones again, under their ids, and the next import knows it."""
    importing.load(scrape())
    before = ids(importing), rows(importing)

    do(importing, undo(importing.load(scrape(*TEAMS))))
    again = importing.plan(scrape())

    assert before == (ids(importing), rows(importing))
    assert {} == importing.changes(again)
    assert set(TEAMS) == computed(importing, again).keys()


def test_gate_hears_what_was_computed_and_what_agreed_before(importing):
    """Measures of a run: shares, classes, computed rows, the fall against the last good load; the ledger keeps them."""
    first = importing.load(scrape(TEAMS[0]))
    measures = standings_measures(importing.engine, importing.settings, first)[APTA]
    store_metrics(importing.engine, first, "validation", {APTA: measures})
    second = importing.plan(scrape(*TEAMS))  # printed: one match more than there are lines
    again = standings_measures(importing.engine, importing.settings, second)[APTA]

    names = ("standings_agree_share", "standings_computed", "standings_printed_share", "standings_agree_drop")
    assert [0.9, 9, 0.1, 0.0] == [round(measures[name]["value"], 3) for name in names]
    assert [0.0, 0, 1.0, 0.9] == [round(again[name]["value"], 3) for name in names]
    assert [({"missing": 1, "agrees": 9}, 9), ({"missing": 10}, 0)] == [
        (row.counts, row.computed)
        for row in importing.rows("select counts, computed from etl.standings order by run_id")
    ]


def test_few_teams_say_nothing_of_a_share(importing):
    """With fewer teams than the params ask for nothing is computed."""
    few = scrape()
    few["match_scores"] = few["match_scores"][:12]

    importing.load(few)

    assert {} == rows(importing)


def test_league_without_a_rule_is_left_alone(importing):
    """CITA counts in a way that nobody knows: its standings are taken as printed, or not at all."""
    kinds = scrape()
    for records in kinds.values():
        for record in records:
            record["League" if "League" in record else "league_id"] = "CITA"

    run_id = importing.load(write(importing.settings.root / "cita", kinds, "CITA"))

    assert [] == importing.column("select id from etl.computed_rows where run_id = :run", run=run_id)
