"""The review queue on a real database: raised, updated, closed, answered, and never asked twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from rally_etl.database.locks import run_lock
from rally_etl.errors import RunLocked, UsageError
from rally_etl.identity import answers, wording
from rally_etl.identity.aliases import aliases_in_force
from rally_etl.identity.reviews import Candidate, Review, read_open, rejected_pairs, write_reviews
from rally_etl.identity.spelling import printed_spelling, team_spelling
from rally_etl.naming import load_clubs, load_leagues

LEAGUE = "APTA_CHICAGO"
RUNS = ("20251001T060000-0001", "20251008T060000-0002", "20251015T060000-0003")
LIVE = """
    insert into leagues (id, league_id, league_name) values (1, 'APTA_CHICAGO', 'APTA Chicago'), (2, 'NSTF', 'NSTF');
    insert into clubs (id, name) values (1, 'Tennaqua'), (2, 'Winnetka');
    insert into series (id, name, display_name, league_id)
        values (1, 'Series 12', 'Series 12', 1), (2, 'Series 14', 'Series 14', 1), (3, 'Series 2B', 'Series 2B', 2);
    insert into teams (id, club_id, series_id, league_id, team_name, display_name)
        values (5, 1, 1, 1, 'Tennaqua 12', 'Tennaqua 12'), (6, 2, 1, 1, 'Winnetka 12', 'Winnetka 12'),
               (7, 1, 3, 2, 'Tennaqua S2B', 'Tennaqua S2B');
    insert into players (id, tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id)
        values (50, 'nndz-abc_1', 'Ann', 'Example', 1, 1, 1, 5), (51, 'nndz-abcd1', 'Bea', 'Example', 1, 1, 1, 5);
    """
FIVE = Candidate(5, "Tennaqua 12", "roster", 0.92, "11 of 12 players are the same")
SIX = Candidate(6, "Winnetka 12", "similar", 0.61, "the name is alike")


@pytest.fixture
def database(engine: sa.Engine) -> sa.Engine:
    """Two leagues with three teams and two players."""
    with engine.begin() as connection:
        connection.execute(sa.text(LIVE))
    return engine


def review(*candidates: Candidate, **changes) -> Review:
    """A held question about a printed name; *changes* are its other fields."""
    asked = Review("team", "ambiguous", printed_spelling("Tennaqua SW"), "Tennaqua SW", "", candidates, True)
    return replace(asked, **changes)


def moved(settings, name: str = "Tennaqua 14") -> Review:
    """A proposal: a team that was taken as new may be team 5 in another series."""
    leagues, clubs = load_leagues(settings.params_dir), load_clubs(settings.params_dir)
    team = leagues.get(LEAGUE).parse_team(name)
    spelling = team_spelling((clubs.key(team.club), team.series, team.ordinal))
    return Review("team", "moved", spelling, name, team.series, (FIVE,), is_held=False)


def ask(engine: sa.Engine, *reviews: Review, run: str = RUNS[0], entities=("team", "player"), held=None) -> dict:
    """Raise reviews as a run does; answer number -> question of what is open then."""
    with engine.begin() as connection:
        write_reviews(connection, run, LEAGUE, reviews, held or {}, entities)
    return {question.number: question for question in opened(engine)}


def opened(engine: sa.Engine) -> list:
    """The open questions of the league."""
    with engine.connect() as connection:
        return read_open(connection, LEAGUE)


def refused(call, *arguments, **options) -> str:
    """What a refused answer says."""
    with pytest.raises(UsageError) as error:
        call(*arguments, **options)
    assert "nothing was changed" in str(error.value)
    return str(error.value)


def test_a_question_asked_again_keeps_its_number(database):
    """The next run updates candidates and rows of an open question; numbers stay, and none is burnt."""
    ask(database, review(FIVE, SIX), held={"Tennaqua SW": 4})
    again = review(SIX, kind="ambiguous")
    found = ask(database, again, review(FIVE, name="Other", spelling="= other"), run=RUNS[1], held={"Tennaqua SW": 9})

    assert [1, 2] == sorted(found)
    assert (9, RUNS[0], RUNS[1]) == (found[1].held_rows, found[1].first_run, found[1].last_run)
    assert (SIX,) == found[1].review.candidates


def test_a_question_no_longer_asked_is_obsolete(database):
    """Only what the run could have asked is closed: without rosters, questions about players stay."""
    ask(database, review(FIVE), review(FIVE, entity="player", name="Ann"))
    found = ask(database, run=RUNS[1], entities=["team"])

    assert ["player"] == [question.review.entity for question in found.values()]
    assert "no longer" in refused(answers.reject, database, 2, "ann", "x")


@pytest.mark.parametrize(("scraped", "left"), [(["players"], [1]), (["players", "schedules"], [])])
def test_a_question_stays_while_its_file_is_not_scraped(database, scraped, left):
    """Rows of the schedule wait: a scrape of the rosters alone says nothing of them, be it published or refused."""
    ask(database, review(FIVE))
    with database.begin() as connection:
        for run in RUNS[:2]:
            connection.execute(
                sa.text("insert into etl.runs (run_id, source, as_of) values (:run, 'x', '2025-10-01')"), {"run": run}
            )
        connection.execute(
            sa.text(
                "insert into etl.held_rows (run_id, league, kind, reason, name, row_count)"
                " values (:run, :league, 'schedules', 'waits for Tennaqua SW', 'Tennaqua SW', 18)"
            ),
            {"run": RUNS[0], "league": LEAGUE},
        )
        for kind in scraped:
            connection.execute(
                sa.text(
                    "insert into etl.source_files (run_id, league, kind, path, size_bytes)"
                    " values (:run, :league, :kind, :kind, 2)"
                ),
                {"run": RUNS[1], "league": LEAGUE, "kind": kind},
            )

    assert left == list(ask(database, run=RUNS[1]))


def test_questions_of_another_league_stay(database):
    """A run of one league leaves the queue of the others alone."""
    ask(database, review(FIVE))
    with database.begin() as connection:
        write_reviews(connection, RUNS[1], "NSTF", [], {}, ["team"])

    assert 1 == len(opened(database))


def test_accepting_makes_an_alias(database, settings):
    """The alias is filed under the spelling, with who, why and the evidence; the question is closed."""
    ask(database, review(FIVE), held={"Tennaqua SW": 4})
    answer = answers.accept(database, settings, 1, " ann ", "asked the captain")

    with database.connect() as connection:
        alias = aliases_in_force(connection, LEAGUE, "team")[printed_spelling("Tennaqua SW")]
        row = connection.execute(sa.text("select decided_by, reason, run_id from etl.aliases")).one()
    assert ("5", "review", FIVE.evidence) == (alias.target, alias.strategy, alias.evidence)
    assert ("ann", "asked the captain", RUNS[0]) == tuple(row)
    assert ("5", "Tennaqua 12") == (answer.target, answer.target_name)
    assert [] == opened(database)


def test_accepting_ends_the_alias_before(database, settings):
    """One spelling stands for one thing: the alias in force is ended, not removed."""
    ask(database, review(FIVE))
    answers.accept(database, settings, 1, "ann", "x")
    ask(database, review(FIVE, SIX), run=RUNS[1])
    answers.accept(database, settings, 2, "bob", "the other one after all", target="6")

    with database.connect() as connection:
        rows = connection.execute(sa.text("select target, ended_at is null from etl.aliases order by id")).all()
    assert [("5", False), ("6", True)] == [tuple(row) for row in rows]


def test_several_candidates_need_as(database, settings):
    """Nothing is guessed: the error lists the candidates, and `--as` may name any live team of the league."""
    ask(database, review(FIVE, SIX))

    assert "5 Tennaqua 12 (92 %), 6 Winnetka 12 (61 %)" in refused(answers.accept, database, settings, 1, "ann", "x")
    for wrong in ("7", "99", "Tennaqua 12", "1 or 1=1"):
        assert f"'{wrong}' is no live team of {LEAGUE}" in refused(
            answers.accept, database, settings, 1, "ann", "x", target=wrong
        )
    assert "Winnetka 12" == answers.accept(database, settings, 1, "ann", "x", target=6).target_name


def test_a_question_is_answered_once(database, settings):
    """The second answer is told who gave the first one, and why."""
    ask(database, review(FIVE), review(FIVE, name="Other", spelling="= other"))
    answers.accept(database, settings, 1, "ann", "knows")
    answers.reject(database, 2, "bob", "never")

    assert "accepted as 5 by ann" in refused(answers.reject, database, 1, "bob", "x")
    assert "rejected by bob" in refused(answers.accept, database, settings, 2, "ann", "x")
    assert "no question 9" in refused(answers.reject, database, 9, "ann", "x")
    assert "--by WHO" in refused(answers.reject, database, 2, " ", "x")


def test_a_rejected_question_is_not_asked_again(database):
    """The same candidates are settled whatever the kind; other candidates are a new question."""
    ask(database, review(FIVE, SIX))
    answers.reject(database, 1, "ann", "neither")

    assert {} == ask(database, review(SIX, FIVE, kind="similar"), run=RUNS[1])
    assert [2] == list(ask(database, review(FIVE), run=RUNS[2]))


def test_an_accepted_question_is_asked_again_once_its_alias_has_ended(database, settings):
    """While the alias holds there is nothing to ask; when a merge or an undo ended it, there is."""
    ask(database, review(FIVE))
    answers.accept(database, settings, 1, "ann", "x")

    assert {} == ask(database, review(FIVE), run=RUNS[1])
    with database.begin() as connection:
        connection.execute(sa.text("update etl.aliases set ended_at = now()"))
    assert [2] == list(ask(database, review(FIVE), run=RUNS[2]))


def test_rejected_pairs(database, settings):
    """Matching learns what a name is not; a later acceptance and a rejected merge take nothing away from a name."""
    spelling = printed_spelling("Tennaqua SW")
    ask(database, review(FIVE, SIX), review(FIVE, SIX, kind="merge"))
    answers.reject(database, 1, "ann", "neither")
    answers.reject(database, 2, "ann", "two teams")
    with database.connect() as connection:
        assert {(spelling, 5), (spelling, 6)} == rejected_pairs(connection, LEAGUE, "team")
        assert set() == rejected_pairs(connection, LEAGUE, "player")

    ask(database, review(FIVE), run=RUNS[1])
    answers.accept(database, settings, 3, "bob", "it is")
    with database.connect() as connection:
        assert {(spelling, 6)} == rejected_pairs(connection, LEAGUE, "team")


def test_a_proposal_is_accepted_before_its_new_side_is_published(database, settings):
    """A team that was only planned as new is the known one from the next run on."""
    ask(database, moved(settings))

    assert "5" == answers.accept(database, settings, 1, "ann", "moved up").target


@pytest.mark.parametrize("name", ["Tennaqua 14", "Tennaqua - 14"])
def test_a_proposal_whose_new_side_is_live_needs_a_merge(database, settings, name):
    """Users may refer to the new row by now: the answer is a merge, and the error has its command."""
    ask(database, moved(settings))
    with database.begin() as connection:
        connection.execute(
            sa.text(
                "insert into teams (id, club_id, series_id, league_id, team_name, display_name)"
                " values (812, 1, 2, 1, :name, :name)"
            ),
            {"name": name},
        )

    said = refused(answers.accept, database, settings, 1, "ann", "it's them")

    assert "rally-etl merge teams 812 INTO 5 --by ann --reason 'it'\"'\"'s them'" in said
    assert [1] == [question.number for question in opened(database)]


def test_two_live_rows_need_a_merge(database, settings):
    """A question of kind merge is not answered by an alias; rejecting it is allowed."""
    ask(database, review(SIX, FIVE, kind="merge", is_held=False))

    assert "rally-etl merge teams 6 INTO 5 --by ann" in refused(answers.accept, database, settings, 1, "ann", "x")
    assert "merge teams 5 INTO 6" in refused(answers.accept, database, settings, 1, "ann", "x", target="6")
    assert "rejected" == answers.reject(database, 1, "ann", "two teams").state


def test_a_merged_row_is_no_target(database, settings):
    """A candidate that was merged since is refused with the row that it is now."""
    ask(database, review(SIX))
    with database.begin() as connection:
        connection.execute(
            sa.text(
                "insert into etl.redirects (table_name, from_id, into_id, run_id, decided_by, reason)"
                " values ('teams', 6, 5, 'r', 'ann', 'x')"
            )
        )

    assert "hint: --as 5" in refused(answers.accept, database, settings, 1, "ann", "x")


@pytest.mark.parametrize("target", [None, "abc_1", "nndz-abc_1", "apta_nndz-abc_1"])
def test_a_person_under_any_spelling_of_the_id(database, settings, target):
    """A player is named by person key or by any printed id; the alias leads to the key that live knows."""
    ann = Candidate("abc_1", "Ann Example", "name", 0.9, "the same name in the same team")
    ask(database, Review("player", "renamed", "xyz", "Ann Example", "Tennaqua 12", (ann,), True))

    assert ("abc_1", "Ann Example") == (
        (answer := answers.accept(database, settings, 1, "ann", "x", target=target)).target,
        answer.target_name,
    )


def test_a_person_who_is_live_by_now_needs_a_merge(database, settings):
    """A proposal about a person whose new id was published names the rows to merge."""
    ann = Candidate("abc_1", "Ann Example", "name", 0.7, "the same name in the same team")
    ask(database, Review("player", "renamed", "abcd1", "Bea Example", "Tennaqua 12", (ann,), is_held=False))

    assert "merge players 51 INTO 50" in refused(answers.accept, database, settings, 1, "ann", "x")


def test_an_alias_of_a_club_is_for_all_leagues(database, settings):
    """Leagues share clubs, so an answer of one of them holds in all."""
    club = Candidate(1, "Tennaqua", "similar", 0.9, "one letter differs")
    ask(database, Review("club", "similar", "tenaqua", "Tenaqua", "", (club,), False), entities=["club"])
    answers.accept(database, settings, 1, "ann", "x")

    with database.connect() as connection:
        assert ["tenaqua"] == list(aliases_in_force(connection, "*", "club"))


def test_a_series_is_one_of_the_league(database, settings):
    """`--as` takes a series of the league of the question, no other's."""
    ask(database, Review("series", "unknown", "= 12", "Division 12", "", (), True), entities=["series"])

    assert "no candidate" in refused(answers.accept, database, settings, 1, "ann", "x")
    assert "no live series" in refused(answers.accept, database, settings, 1, "ann", "x", target="3")
    assert "Series 12" == answers.accept(database, settings, 1, "ann", "x", target="1").target_name


def test_no_answer_while_a_run_goes_on(database, settings):
    """A plan that is being made would miss the answer; nothing is changed."""
    ask(database, review(FIVE))

    with run_lock(database), pytest.raises(RunLocked):
        answers.accept(database, settings, 1, "ann", "x")
    assert 1 == len(opened(database))


def test_a_held_plan_made_before_the_answer_is_named(database, settings):
    """Approving such a plan would publish what the answer has overtaken."""
    ask(database, review(FIVE))
    with database.begin() as connection:
        connection.execute(
            sa.text("insert into etl.runs (run_id, source, as_of) values (:r, 's', now())"), {"r": RUNS[0]}
        )
        connection.execute(
            sa.text("insert into etl.run_leagues (run_id, league, state) values (:r, :l, 'held')"),
            {"r": RUNS[0], "l": LEAGUE},
        )

    assert RUNS[0] == answers.accept(database, settings, 1, "ann", "x").held_run


@pytest.mark.parametrize("kind", ["ambiguous", "contradiction", "moved", "renamed", "similar", "unknown", "merge", "x"])
def test_every_kind_is_a_question(kind):
    """Whatever the kind, a person reads a question and gets a command for each answer."""
    asked = review(FIVE, SIX, kind=kind)

    assert wording.asked(asked).endswith("?")
    assert "{" not in wording.asked(asked)
    assert "rally-etl reviews reject 7 --by WHO --reason TEXT" == wording.commands(7, asked)[-1]


def test_only_certainty_is_100_percent():
    """0.999 is shown as 99 %, so that nobody takes a proposal for a fact."""
    assert ["99 %", "100 %", "0 %"] == [wording.percent(share) for share in (0.999, 1, 0)]
