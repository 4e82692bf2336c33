"""The picture and the tables of references say what the map says."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from rally_etl.database.references import Reference
from rally_etl.protection.map import Counted
from rally_etl.reporting import references
from rally_etl.reporting.tables import Note
from rally_etl.workbook import Book


@pytest.fixture
def book(engine, settings) -> Book:
    """A workbook without a run."""
    return Book(settings=settings, engine=engine, stage="baseline", run_id="", facts=None, active=False)


def write(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def counted(table: str, target: str, filled: int, **changes) -> Counted:
    """Rows behind one reference."""
    column = changes.pop("column", "team_id")
    reference = Reference(table=table, column=column, target=target, target_column="id", is_hard=False, **changes)
    return Counted(reference, filled, 0)


@pytest.mark.parametrize(
    ("uncovered", "ends"),
    [
        ([], "; nothing is left uncovered"),
        (["table x"], "; 1 table or column is not covered"),
        (["table x", "table y"], "; 2 tables or columns are not covered"),
    ],
)
def test_sentence_counts(uncovered, ends):
    """The title counts references, tables and what is not covered."""
    found = [counted("polls", "teams", 3, is_users=True), counted("polls", "series", 0), counted("players", "teams", 9)]

    assert f"3 references of 2 tables point at imported rows{ends}" == references.sentence(found, uncovered)


def test_picture_has_a_flow_per_reference():
    """Users' rows stand above imported ones; each flow is as wide as its rows."""
    drawn = [
        counted("polls", "teams", 3, is_users=True),
        counted("schedule", "teams", 7, is_users=True, rows="true", label="practice time", column="home_team_id"),
        counted("players", "teams", 9),
    ]
    figure = references.picture(drawn, title="t", note="n")
    above, below = (trace for trace in figure.data if trace.type == "sankey")

    assert [3, 7] == list(above.link.value)
    assert ("polls (3)", "practice times in schedule (7)", "teams") == above.node.label
    assert ("players (9)", "teams") == below.node.label
    assert above.domain.y[0] > below.domain.y[1]


def test_book_shows_what_is_live(engine, book):
    """References with rows are drawn and listed; those of empty tables are counted, what is not covered is named."""
    assert isinstance(book.references_chart(), Note)
    write(
        engine,
        "insert into leagues (league_id, league_name) values ('SAMPLE', 'Sample')",
        "insert into users (email, password_hash, league_context) values ('a@example.org', 'x', 1)",
        "create table carpools (id serial, team_id int)",
    )
    table = book.references()

    assert ["users.league_context", "users.team_id"] == [row["column"] for row in table.rows]
    assert [1, 0] == [row["rows"] for row in table.rows]
    assert "82 references are left out" in table.note
    assert "Not covered: column carpools.team_id looks like a reference" in table.note
    assert "not covered" in book.references_chart().layout.title.text


def test_lines_of_columns_kept_by_hand():
    """Each column has a line, and each row that would change has one."""
    detail = ["clubs.logo_filename: 3 values, 1 would change", "clubs.logo_filename of Tennaqua"]
    rows = [{"metric": "hand_kept_changed", "detail": detail}, {"metric": "pages_broken", "detail": ["x"]}]
    table = references.hand_kept(SimpleNamespace(of_run=lambda query, stage: rows))

    assert [
        {"column": "clubs.logo_filename", "what the plan does": "3 values, 1 would change"},
        {"column": "clubs.logo_filename of Tennaqua", "what the plan does": "would change"},
    ] == table.rows
