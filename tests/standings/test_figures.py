"""Figures of a team, recomputed from its lines by the rule of its league, and what becomes of each difference."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from rally_etl import standings
from series_table import AS_OF, FIGURES, LEAGUES, Table

TWO_TWO = ("6-4, 6-4", "6-1, 4-6, 6-3", "2-6, 6-3, 3-6", "1-6, 1-6")
HOME = (7, 0, 1, 0, 2, 2, 5, 5, 41, 45)  # two lines won, one lost in three sets; as many lines and sets, fewer games
AWAY = (7, 1, 0, 0, 2, 2, 5, 5, 45, 41)


@pytest.fixture
def connection(module_engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction on tables without rows, rolled back at the end."""
    with module_engine.connect() as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def table(connection: sa.Connection) -> Table:
    """APTA without teams."""
    return Table(connection)


@pytest.fixture
def met(table: Table) -> Table:
    """Two teams that have met once, as `HOME` and `AWAY` say."""
    table.meet("A", "B", *TWO_TWO)
    return table


def changed(figures: tuple[int, ...], **by: int) -> tuple[int, ...]:
    """The figures with some of them moved: ``points=3, lines_won=1``."""
    return tuple(value + by.get(name, 0) for name, value in zip(FIGURES, figures, strict=True))


def test_lines_then_sets_then_games_decide(met):
    """APTA: a line is worth 3 to its winner and 1 to who loses it in three sets; games decide what is else even."""
    assert {"A": HOME, "B": AWAY} == met.figures()


def test_all_even_is_a_tie(table):
    """As many lines, sets and games on both sides: nobody has won."""
    table.meet("A", "B", "6-4, 6-4", "4-6, 4-6", "6-1, 6-1", "1-6, 1-6")

    assert {"A": (6, 0, 0, 1, 2, 2, 4, 4, 34, 34), "B": (6, 0, 0, 1, 2, 2, 4, 4, 34, 34)} == table.figures()


def test_cnswpl_counts_sets_and_tie_breaks_of_a_lost_line(connection):
    """CNSWPL: 1 for a set won in a lost line, a half for a tie-break lost; the higher total wins the match."""
    table = Table(connection, "CNSWPL")
    table.meet("A", "B", "6-7 [5-7], 6-4, 6-7 [9-11]", "6-1, 6-1", day="2025-01-09")

    assert {"A": (5, 1, 0, 0, 1, 1, 3, 2, 30, 20), "B": (3, 0, 1, 0, 1, 1, 2, 3, 20, 30)} == table.figures()


def test_nstf_plays_five_lines(connection):
    """NSTF: five lines, a match tie-break printed as third set counts as one."""
    table = Table(connection, "NSTF")
    table.meet("A", "B", "6-4, 6-4", "2-6, 6-4, 0-1 [8-10]", "6-1, 6-1", "1-6, 1-6", "6-0, 6-0", day="2025-06-05")

    assert (10, 1, 0, 0, 3, 2, 7, 4, 46, 33) == table.figures()["A"]


def test_unknown_league_is_not_recomputed(connection):
    """Where nobody knows how a league counts, nothing is computed."""
    assert standings.compare(connection, LEAGUES.get("CITA"), 1, AS_OF) is None
    assert standings.compare(connection, LEAGUES.get("PADDLE_WEST"), 1, AS_OF) is None


def test_unfinished_line_goes_to_its_winner(table):
    """A line given up at 2-0 has a winner by the file alone; its one set counts as printed."""
    table.meet("A", "B", "2-0 won by away")

    assert {"A": (0, 0, 1, 0, 0, 1, 1, 0, 2, 0), "B": (3, 1, 0, 0, 1, 0, 0, 1, 0, 2)} == table.figures()


def test_score_that_is_not_there_counts_for_nobody(table):
    """A line without a score is one of the team match, and nobody has won it."""
    table.meet("A", "B", "6-1, 6-1", "")
    table.connection.execute(sa.text("update match_scores set scores = null, winner = null where scores = ''"))

    assert {"A": (3, 1, 0, 0, 1, 0, 2, 0, 12, 2), "B": (0, 0, 1, 0, 0, 1, 0, 2, 2, 12)} == table.figures()


def test_lines_of_one_number_are_one_team_match(table):
    """The scraper moves dates of re-read lines; the site's number of the match holds them together."""
    table.meet("A", "B", *TWO_TWO[:2], number="mX")
    table.connection.execute(sa.text("update match_scores set match_date = '2025-09-30' where scores = '6-4, 6-4'"))

    assert 1 == table.figures()["A"][1]


def test_unnumbered_lines_join_the_numbered_ones_of_their_day(table):
    """Two files of one season: an older one without numbers, and the lines that a newer one has numbered."""
    table.meet("A", "B", *TWO_TWO[:2], number="mX")
    table.meet("A", "B", *TWO_TWO[2:])

    assert HOME == table.figures()["A"]


def test_other_seasons_and_play_offs_do_not_count(met):
    """Last season's lines, and those after the last day of the season, are in no standings of this one."""
    met.meet("A", "B", "6-0, 6-0", day="2025-02-04")
    met.meet("A", "B", "6-0, 6-0", day="2026-03-04")
    met.prints("A", HOME)

    assert HOME == met.figures()["A"]


def test_new_season_begins_at_nothing(table):
    """Standings that say 0 throughout are those of the season that begins, whose matches are still to come."""
    table.meet("A", "B", *TWO_TWO, day="2025-02-04")
    table.prints("A", (0,) * 10)

    assert {} == {team.team: team.verdict for team in table.compared(dt.date(2025, 9, 20)).teams}


@pytest.mark.parametrize(
    ("verdict", "figures", "lines"),
    [
        ("agrees", HOME, {}),
        ("agrees", changed(HOME, matches_tied=1), {}),  # the site counts a match that is due as tied
        ("missing", changed(HOME, points=12, matches_won=1, lines_won=4, sets_won=8, games_won=48, games_lost=9), {}),
        ("ahead", (0,) * 10, {}),
        ("irregular", changed(HOME, games_won=1, games_lost=-1), {}),  # corrected on one side
        ("irregular", changed(HOME, lines_lost=-1), {"retired": 1}),
        ("unexplained", changed(HOME, points=1), {}),
        ("unexplained", changed(HOME, points=3, lines_won=1), {}),  # a fifth line
        ("unexplained", changed(HOME, matches_won=1, matches_lost=-1), {}),
        ("unexplained", changed(HOME, matches_won=1), {}),  # a match without lines
        ("unexplained", AWAY, {}),
    ],
)
def test_class_of_a_difference(met, verdict, figures, lines):
    """Four lines recorded: only another team match or one odd score explains a difference."""
    met.prints("A", figures, **lines)
    met.prints("B", AWAY)

    assert {"A": verdict, "B": "agrees"} == met.verdicts()


SHORT = (6, 1, 0, 0, 2, 1, 4, 3, 39, 29)
"""Of three lines: 6-2, 6-3; 6-1, 4-6, 6-3; 5-7, 6-7."""


@pytest.mark.parametrize(
    ("verdict", "figures", "lines"),
    [
        ("agrees", SHORT, {}),
        ("forfeit", changed(SHORT, points=3, lines_won=1), {}),  # the fourth line was given
        ("forfeit", changed(SHORT, lines_lost=1), {}),
        ("forfeit", changed(SHORT, matches_won=-1, matches_lost=1, sets_lost=2, games_lost=12), {"forfeited": 1}),
        ("unexplained", changed(SHORT, points=2), {}),  # points that no line explains
        ("unexplained", changed(SHORT, points=6, lines_won=2), {}),  # two lines where one is short
    ],
)
def test_class_of_a_difference_where_a_line_is_short(table, verdict, figures, lines):
    """Three of four lines recorded: the points must follow the lines, three for each that was given."""
    table.meet("A", "B", "6-2, 6-3", "6-1, 4-6, 6-3", "5-7, 6-7")
    table.prints("A", figures, **lines)

    assert SHORT == table.figures()["A"]
    assert verdict == table.verdicts()["A"]


def test_odd_score_explains_what_it_may_come_to(table):
    """Sets that end in no winner leave open who has won the line, and nothing else."""
    table.meet("A", "B", "2-6, 6-4, 6-6 won by home", "6-1, 6-1", "6-1, 6-1", "6-1, 6-1")
    own = table.figures()["A"]
    table.prints("A", changed(own, points=-2, lines_won=-1, lines_lost=1))
    table.prints("B", (9, 0, 1, 0, 2, 2, 4, 4, 22, 50))

    assert {"A": "irregular", "B": "unexplained"} == table.verdicts()


def test_team_without_a_row_is_named(met):
    """A team that has played and stands in no table is a class of its own."""
    met.prints("A", HOME)

    assert {"A": "agrees", "B": "unprinted"} == met.verdicts()


def test_doubled_lines_are_unexplained(met):
    """More lines than a team match has: nothing but an import does that."""
    met.meet("A", "B", *TWO_TWO)
    met.prints("A", HOME)

    assert "unexplained" == met.verdicts()["A"]


def test_points_that_are_not_printed_are_not_compared(connection):
    """A league whose points are 0 throughout has printed none (CNSWPL, June 2025)."""
    table = Table(connection, "CNSWPL")
    table.meet("A", "B", "6-1, 6-1", "6-1, 6-1", "6-1, 6-1", "1-6, 1-6", day="2025-01-09")
    for team, own in table.figures().items():
        table.prints(team, (0, *map(int, own[1:])))

    assert {"A": "agrees", "B": "agrees"} == table.verdicts()


def test_order_and_repetition_change_nothing(table):
    """Recomputing twice gives the same, whatever the order in which lines were written."""
    chance = random.Random(11)
    rounds = [(home, away, chance.sample(TWO_TWO, 4)) for home in "ABCD" for away in "ABCD" if home < away]
    for home, away, scores in rounds:
        table.meet(home, away, *scores)
    once = table.figures()
    table.connection.execute(sa.text("create temporary table kept on commit drop as select * from match_scores"))
    table.connection.execute(sa.text("delete from match_scores"))
    table.connection.execute(sa.text("insert into match_scores select * from kept order by random()"))

    assert once == table.figures() == table.figures()
    assert sum(own[1] for own in once.values()) == sum(own[2] for own in once.values())
