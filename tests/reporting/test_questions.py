"""Questions for a person and the fate of every row, on the report page, in the notebook and in the run's document."""

from __future__ import annotations

import html
import re

import pytest
import sqlalchemy as sa

from rally_etl import ledger, workbook
from rally_etl.identity.reviews import Candidate, Review, write_reviews
from rally_etl.planning.schema import schemas
from rally_etl.reporting import charts, write_report

HOSTILE = "<script>alert(1)</script>"
RUN = "20251001t1200_abcd"
LEAGUE = "APTA_CHICAGO"
ONE = Candidate(1, "Tennaqua 1", "roster", 0.92, "11 of 12 players are the same")
TWO = Candidate(2, HOSTILE, "similar", 0.61, "")
REVIEWS = [
    Review("team", "moved", "tennaqua | Series 2 | ", "Tennaqua 2", "Series 2", (ONE,), False),
    Review("team", "ambiguous", "= x", f"{HOSTILE} SW", "", (ONE, TWO), True),
    Review("team", "merge", "= y", "Tennaqua 1", "", (TWO, ONE), False),
]
FATES = [
    ("teams", "kept", "exact", 221),
    ("teams", "kept", "roster", 3),
    ("teams", "new", "new", 2),
    ("teams", "untouched", HOSTILE, 1),
    ("match_scores", "updated", "counted", 12),
]


@pytest.fixture
def asking(engine: sa.Engine, finished_run: str) -> str:
    """The finished run, with three questions and the fates of two tables."""
    with engine.begin() as connection:
        write_reviews(connection, RUN, LEAGUE, REVIEWS, {f"{HOSTILE} SW": 340}, ["team"])
        connection.execute(
            sa.text("insert into etl.fates values (:run, :league, :table, :fate, :why, :count)"),
            [
                {"run": RUN, "league": LEAGUE, "table": table, "fate": fate, "why": why, "count": count}
                for table, fate, why, count in FATES
            ],
        )
    return finished_run


@pytest.fixture
def book(settings, asking, monkeypatch) -> workbook.Book:
    """The import notebook's book, opened by hand on the run."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("RALLY_HOME", str(settings.root))
    return workbook.open("import")


def section(page: str, anchor: str) -> str:
    """The text of a section of the page, without its tags; blanks folded."""
    (found,) = re.findall(rf'<section id="{anchor}">(.*?)</section>', page, re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found)).split())


def test_questions_stand_on_the_page(engine, settings, asking, document):
    """Those that rows wait for first, each with candidates and the commands that answer; names of scrapes are text."""
    page = write_report(engine, settings, asking, document).read_text(encoding="utf-8")
    found = section(page, "questions")

    assert "3 questions; rows wait for the answer to 1 of them, 340 in all." in found
    assert found.index(f"team {HOSTILE} SW") < found.index("Tennaqua 2 (Series 2)")
    assert "1 Tennaqua 1: roster 92 %, 11 of 12 players are the same" in found
    assert "rally-etl reviews accept 1 --as ID --by WHO --reason TEXT" in found
    assert "rally-etl merge teams 2 INTO 1 --by WHO --reason TEXT" in found
    assert HOSTILE not in page


def test_fates_stand_on_the_page(engine, settings, asking, document):
    """One row per table, only those fates that occur, and why."""
    found = section(write_report(engine, settings, asking, document).read_text(encoding="utf-8"), "plan")

    assert "League Table New Updated Kept Untouched APTA_CHICAGO teams why" in found
    assert "221 kept: exact 3 kept: roster" in found
    assert "2 0 224 1 match_scores 0 12 0 0" in found


def test_a_run_without_questions_says_so(engine, settings, finished_run, document):
    """No empty table: a sentence."""
    page = write_report(engine, settings, finished_run, document).read_text(encoding="utf-8")

    assert "This run asks nobody anything." in section(page, "questions")
    assert "What becomes of every row" not in page


def test_the_document_counts_what_waits(engine, settings, asking):
    """Per league; rows that two questions wait for count once, and questions asked later do not count."""
    with engine.begin() as connection:
        twice = Review("team", "unknown", "= x", f"{HOSTILE} SW", "", (), True)
        write_reviews(connection, RUN, "NSTF", [twice], {}, ["team"])
        connection.execute(sa.text("update etl.reviews set first_run = '2999' where kind = 'moved'"))
    found = ledger.run_document(engine, settings, asking)["leagues"]

    assert {"open": 2, "held_rows": 340} == found[LEAGUE]["reviews"]
    assert {"open": 1, "held_rows": 0} == found["NSTF"]["reviews"]
    assert {"open": 0, "held_rows": 0} == found["CITA"]["reviews"]


def test_the_notebook_shows_the_queue(book):
    """One row per question, in words; control characters and markup stay text."""
    table = book.reviews()

    assert [1, 2, 3] == sorted(row["number"] for row in table.rows)
    assert (f"team {HOSTILE} SW", "340 rows wait") == (table.rows[0]["about"], table.rows[0]["until answered"])
    assert "<script>" not in table._repr_html_()


def test_the_notebook_shows_fates(book):
    """Tables in the order of publishing, the rarest fate first."""
    rows = [(row["table"], row["fate"], row["rows"]) for row in book.fates().rows]

    assert [("teams", "new", 2), ("teams", "kept", 221), ("teams", "kept", 3), ("teams", "untouched", 1)] == rows[:4]


def test_the_notebook_shows_how_things_were_found(book, engine):
    """The doubtful first, with confidence and evidence; counts per table and strategy below; a chart of the same."""
    assert "Nothing was identified yet." == repr(book.identities())
    assert "Nothing was identified yet." == repr(book.identities_chart())
    plan = schemas(RUN)[0]
    with engine.begin() as connection:
        connection.execute(sa.text(f'create schema "{plan}"'))
        connection.execute(sa.text(f'set local search_path = "{plan}"'))
        connection.execute(sa.text(PLAN), {"hostile": HOSTILE})

    table = book.identities()
    told = [(row["what"], row["name"], row["found as"], row["strategy"], row["confidence"]) for row in table.rows]
    assert [
        ("sides of match_scores", "Nobody 9 v Tennaqua 1", "held", "ambiguous", "0 %"),
        ("teams", HOSTILE, "teams 2", "roster", "92 %"),
        ("sides of match_scores", "Tennaqua SW", "Tennaqua 1", "schedule", "95 %"),
        ("players", "Ann New", "players 99", "name", "97 %"),
    ] == told
    assert table.note == (
        "Found in all: players: 1 name; sides of match scores: 4 exact, 7 not found, 2 schedule;"
        " teams: 1 exact, 1 roster."
    )
    figure = book.identities_chart()
    assert "31.2 % of 16 things were found by their very name or id, 7 wait" == figure.layout.title.text
    assert "not found" == figure.data[-1].name


PLAN = """
    create table identified (league text, table_name text, id integer, strategy text, confidence float8, evidence text);
    create table names (league text, kind text, printed text, series text, opponent text, row_count bigint,
        strategy text, confidence float8, evidence text, candidates text[], team_id integer, team_name text);
    create table teams (id integer, team_name text);
    create table clubs (id integer, name text);
    create table series (id integer, name text);
    create table players (id integer, first_name text, last_name text);
    insert into players values (99, 'Ann', 'New');
    insert into identified values ('APTA_CHICAGO', 'teams', 1, 'exact', 1, 'the same name'),
        ('APTA_CHICAGO', 'teams', 2, 'roster', 0.92, '11 of 12'), ('APTA_CHICAGO', 'players', 99, 'name', 0.97, 'x');
    insert into names values
        ('APTA_CHICAGO', 'match_scores', 'Tennaqua 1', '', '', 4, 'exact', 1, '', '{}', 1, 'Tennaqua 1'),
        ('APTA_CHICAGO', 'match_scores', 'Tennaqua SW', '', '', 2, 'schedule', 0.95, 'met', '{}', 1, 'Tennaqua 1'),
        ('APTA_CHICAGO', 'match_scores', 'Nobody 9', '', 'Tennaqua 1', 7, 'ambiguous', 0.5, '', '{}', null, null);
"""


def test_the_chart_of_strategies_is_in_shares():
    """Seven thousand players and sixty clubs are both readable; texts of scrapes are no markup."""
    rows = [
        {"what": "clubs", "strategy": "exact", "found": 60},
        {"what": "players", "strategy": "exact", "found": 6000},
        {"what": "players", "strategy": "<b>x", "found": 2000},
    ]
    figure = charts.strategies(rows, title=charts.strategies_title(rows))

    assert ["exact", "&lt;b&gt;x"] == [bar.name for bar in figure.data]
    assert (100.0, 75.0) == tuple(figure.data[0].x)
    assert ("clubs (60)", "players (8,000)") == tuple(figure.data[0].y)
