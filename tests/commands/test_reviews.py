"""`rally-etl reviews`: what a person reads about the queue, and how an answer is given."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from rally_etl import cli
from rally_etl.commands.reviews import lines_of
from rally_etl.errors import UsageError
from rally_etl.identity.reviews import Candidate, Question, Review, write_reviews

FIVE = Candidate(5, "Tennaqua 12", "roster", 0.92, "11 of 12 players are the same")
SIX = Candidate(6, "Winnetka 12", "similar", 0.61, "")
HELD = Review("team", "ambiguous", "= tennaqua sw", "Tennaqua SW", "", (FIVE, SIX), True)
PROPOSAL = Review("team", "moved", "tennaqua | Series 14 | ", "Tennaqua 14", "Series 14", (FIVE,), False)
HOSTILE = Review("team", "similar", "= x", "\x1b[31mTennaqua\n12", "", (FIVE,), False)
RUN = "20251001T060000-0001"
LIVE = """
    insert into leagues (id, league_id, league_name) values (1, 'APTA_CHICAGO', 'APTA Chicago');
    insert into clubs (id, name) values (1, 'Tennaqua');
    insert into series (id, name, display_name, league_id) values (1, 'Series 12', 'Series 12', 1);
    insert into teams (id, club_id, series_id, league_id, team_name, display_name)
        values (5, 1, 1, 1, 'Tennaqua 12', 'Tennaqua 12');
    """


@pytest.fixture
def queue(engine, settings, monkeypatch) -> sa.Engine:
    """A queue of three questions, and the command on its database."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("RALLY_HOME", str(settings.root))
    with engine.begin() as connection:
        connection.execute(sa.text(LIVE))
        write_reviews(
            connection, RUN, "APTA_CHICAGO", [HELD, PROPOSAL, HOSTILE], {"Tennaqua SW": 34}, ["team", "player"]
        )
    return engine


def rally(*arguments: str):
    """Run `rally-etl reviews` in this process; an error of ours is raised."""
    done = CliRunner().invoke(cli.app, ["reviews", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_the_queue_as_text(queue):
    """Questions that rows wait for come first; each in words, with its candidates; then how to answer."""
    done = rally()

    assert (
        """\
APTA_CHICAGO  rows wait, several fit: 1 question
     1  team Tennaqua SW, 34 rows wait
        Several teams fit this name. Which one is it?
             5  Tennaqua 12  roster 92 %  11 of 12 players are the same
             6  Winnetka 12  similar 61 %
APTA_CHICAGO  proposals, another series: 1 question
     2  team Tennaqua 14 (Series 14), taken as new until it is answered
        Is this the team below, in another series now?
             5  Tennaqua 12  roster 92 %  11 of 12 players are the same
APTA_CHICAGO  proposals, another spelling: 1 question
     3  team  [31mTennaqua 12, taken as new until it is answered
        Is this the team below, spelled in another way?
             5  Tennaqua 12  roster 92 %  11 of 12 players are the same
"""
        == done.stdout
    )
    assert "hint: rally-etl reviews accept N --by WHO --reason TEXT  (--as ID if there are several)" in done.stderr
    assert "merge" not in done.stderr


def test_the_queue_as_json(queue):
    """One document on stdout; names stay as they were printed."""
    done = rally("--json", "--league", "aptachicago")
    found = json.loads(done.stdout)["reviews"]

    assert [1, 2, 3] == [row["number"] for row in found]
    assert {"id": 5, "name": "Tennaqua 12", "strategy": "roster", "confidence": 0.92, "evidence": FIVE.evidence} == (
        found[0]["candidates"][0]
    )
    assert ("open", 34, RUN) == (found[0]["state"], found[0]["held_rows"], found[0]["last_run"])
    assert HOSTILE.name == found[2]["name"]


def test_an_empty_queue_says_so(queue):
    """Nothing on stdout, a sentence on stderr."""
    done = rally("--league", "NSTF")

    assert ("", "no question waits for an answer\n") == (done.stdout, done.stderr)


def test_accept_and_reject(queue):
    """What was decided is printed; the rest of the queue stays."""
    accepted = rally("accept", "1", "--as", "5", "--by", "ann", "--reason", "asked them")
    rejected = rally("reject", "3", "--by", "ann", "--reason", "a joke", "--json")

    assert "accepted  1  team Tennaqua SW is 5 Tennaqua 12\n" == accepted.stdout
    assert "the next run of APTA_CHICAGO takes up the 34 rows that waited" in accepted.stderr
    assert {"number": 3, "state": "rejected", "target": None}.items() <= json.loads(rejected.stdout).items()
    assert [2] == [row["number"] for row in json.loads(rally("--json").stdout)["reviews"]]


def test_an_answer_needs_a_name_and_a_reason(queue):
    """As an approval does; nothing is changed."""
    assert 2 == rally("accept", "2").exit_code
    with pytest.raises(UsageError, match="needs a name and a reason"):
        rally("reject", "2", "--by", " ", "--reason", "x")
    assert 3 == len(json.loads(rally("--json").stdout)["reviews"])


def test_a_long_queue_is_cut_per_kind():
    """The list stays readable; what is left out is counted."""
    many = [Question(n, "NSTF", PROPOSAL, 0, "open", RUN, RUN) for n in range(1, 43)]

    assert "        and 12 more (--all)" == list(lines_of(many, 30))[-1]
    assert 1 + 3 * 42 == len(list(lines_of(many, None)))
