"""The memory of users' rows follows what users do and keeps what somebody else has broken."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from rally_etl.database.catalog import read_catalog
from rally_etl.planning.schema import add_tables, create_plan, schemas
from rally_etl.protection.memory import Noted, note_users
from userland import RUN_ID, column, fill, params, write


@pytest.fixture
def live(engine: sa.Engine) -> sa.Engine:
    """The league and its users, noted once."""
    fill(engine)
    note(engine)
    return engine


def note(engine: sa.Engine, run_id: str | None = None) -> Noted:
    """Note in a transaction of its own."""
    with engine.begin() as connection:
        return note_users(connection, params(), run_id)


def image(engine: sa.Engine, table: str, key: str = "1") -> dict:
    """What the memory has of a row."""
    with engine.connect() as connection:
        return connection.scalar(
            sa.text("select image from etl.user_rows where table_name = :table and row_key = :key"),
            {"table": table, "key": key},
        )


def test_every_row_that_refers_to_imported_ones_is_remembered(live):
    """With its references' names and its parts, without secrets; practices yes, matches and settings no."""
    assert [
        ("captain_messages", "1"), ("player_availability", "1"), ("poll_choices", "1"), ("poll_responses", "1"),
        ("polls", "1"), ("polls", "2"), ("schedule", "1"), ("schedule", "2"), ("user_contexts", "1"),
        ("user_player_associations", "1, nndz-a"), ("users", "1"), ("users", "2"),
    ] == list(map(tuple, rows(live, "select table_name, row_key from etl.user_rows order by 1, 2")))  # fmt: skip
    assert {"team_id": "Lakeside 12"} == image(live, "polls")["_names"]
    assert {"league_id": "SAMPLE", "team_id": "Lakeside 12", "series_id": "Series 12"} == image(live, "user_contexts")[
        "_names"
    ]
    assert {"tenniscores_player_id": "Ann Example"} == image(live, "user_player_associations", "1, nndz-a")["_names"]
    assert "ann@example.org" == image(live, "users")["email"]
    assert "secret" not in str(column(live, "select image from etl.user_rows"))


def rows(engine: sa.Engine, sql: str) -> list[sa.Row]:
    """Rows of a query."""
    with engine.connect() as connection:
        return list(connection.execute(sa.text(sql)))


def test_noting_again_writes_nothing(live):
    """What has not changed costs no write: the rows of the memory are the very same."""
    before = column(live, "select xmin::text from etl.user_rows order by table_name, row_key")

    assert Noted() == note(live)
    assert before == column(live, "select xmin::text from etl.user_rows order by table_name, row_key")


def test_memory_follows_what_users_do(live):
    """A new row is added, a changed one taken over, one that goes is marked and one that comes back is there again."""
    write(live, "insert into polls (team_id, question) values (2, 'Where?')", "update polls set question = 'Who, now?'"
                " where id = 1", "update user_contexts set team_id = 2", "delete from captain_messages")  # fmt: skip
    assert Noted(added=1, changed=2, gone=1) == note(live)
    assert "Who, now?" == image(live, "polls")["question"]
    assert (2, "Hillcrest 3") == (
        image(live, "user_contexts")["team_id"], image(live, "user_contexts")["_names"]["team_id"]
    )  # fmt: skip
    assert ["captain_messages"] == column(live, "select table_name from etl.user_rows where gone_at is not null")
    assert "Bring balls" == image(live, "captain_messages")["message"]

    write(live, "insert into captain_messages (id, team_id, captain_user_id, message) values (1, 1, 1, 'Again')")
    assert Noted(back=1) == note(live)
    assert [] == column(live, "select table_name from etl.user_rows where gone_at is not null")
    assert "Again" == image(live, "captain_messages")["message"]


@pytest.mark.parametrize(
    ("statement", "table", "name"),
    [
        ("update polls set team_id = 2 where id = 1", "polls", "team_id"),
        ("update polls set team_id = null where id = 1", "polls", "team_id"),
        ("update polls set team_id = 99 where id = 1", "polls", "team_id"),
        ("update schedule set home_team_id = 2 where id = 1", "schedule", "home_team_id"),
        ("update user_contexts set team_id = 99", "user_contexts", "team_id"),
        ("delete from teams where id = 1; update user_contexts set team_id = null", "user_contexts", "team_id"),
    ],
)
def test_last_good_value_is_kept(live, statement, table, name):
    """A fixed reference that says another thing, one that points nowhere, one whose target went: the image keeps it."""
    write(live, *statement.split(";"))
    assert Noted(changed=1) == note(live)
    write(live, f"update {table} set {'question' if table == 'polls' else name} = {'id' if table == 'polls' else name}")
    note(live)

    assert (1, "Lakeside 12") == (image(live, table)[name], image(live, table)["_names"][name])


@pytest.mark.parametrize(
    "statement", ["update user_contexts set team_id = 2", "update user_contexts set team_id = null"]
)
def test_what_users_change_is_taken_over(live, statement):
    """People switch their team and leave it: nothing of before is kept."""
    write(live, statement)
    note(live)

    live_value = column(live, "select team_id from user_contexts")[0]
    assert live_value == image(live, "user_contexts")["team_id"]


def test_other_columns_follow_while_a_reference_is_kept(live):
    """A poll that lost its team and gets another text: the image has the new text and the old team."""
    write(live, "update polls set team_id = null, question = 'New?' where id = 1")
    note(live)

    assert ("New?", 1) == (image(live, "polls")["question"], image(live, "polls")["team_id"])


def test_value_that_never_was_good_is_not_kept(live):
    """A row that pointed nowhere when it was first seen is taken over as soon as it points somewhere."""
    write(live, "insert into polls (id, team_id, question) values (9, 77, 'Lost?')")
    note(live)
    assert (77, {}) == (image(live, "polls", "9")["team_id"], image(live, "polls", "9")["_names"])
    write(live, "update polls set team_id = 2 where id = 9")
    note(live)

    assert (2, "Hillcrest 3") == (image(live, "polls", "9")["team_id"], image(live, "polls", "9")["_names"]["team_id"])


def planned(engine: sa.Engine, *statements: str) -> str:
    """Make a plan with tables for polls, the schedule and teams, and fill it; answer its schema."""
    plan, _ = schemas(RUN_ID)
    with engine.begin() as connection:
        create_plan(connection, RUN_ID, read_catalog(connection, ("teams", "schedule")))
        add_tables(connection, RUN_ID, read_catalog(connection, ("polls",)))
        for statement in statements:
            connection.execute(sa.text(statement.format(plan=f'"{plan}"')))
    return plan


def test_run_notes_the_rows_that_it_wrote_and_no_other(live):
    """A published repair is remembered as it is; what somebody else did in between is left to the next noting."""
    write(live, "update polls set team_id = null", "delete from captain_messages")
    note(live)
    planned(
        live,
        "insert into {plan}.polls select p.*, 'update', array['SAMPLE'] from polls as p where id = 1",
        "insert into {plan}.polls_before select * from polls where id = 1",
    )
    write(live, "update polls set team_id = 2 where id = 1", "update polls set team_id = 1 where id = 2",
          "update user_contexts set team_id = 2")  # fmt: skip

    assert Noted(changed=1) == note(live, RUN_ID)
    assert (2, "Hillcrest 3") == (image(live, "polls")["team_id"], image(live, "polls")["_names"]["team_id"])
    assert 1 == image(live, "user_contexts")["team_id"]
    assert (2, "Hillcrest 3") == (image(live, "polls", "2")["team_id"], image(live, "polls", "2")["_names"]["team_id"])


def test_run_forgets_the_rows_that_it_deleted(live):
    """A practice that a run has folded into another one is not missed."""
    planned(live, "insert into {plan}.schedule select s.*, 'delete', array['SAMPLE'] from schedule as s where id = 2",
            "insert into {plan}.schedule_before select * from schedule where id = 2")  # fmt: skip
    write(live, "delete from schedule where id = 2")
    note(live, RUN_ID)

    assert image(live, "schedule", "2") is None
    assert Noted() == note(live)


def test_new_name_of_a_published_team_is_remembered(live):
    """A team that a run has renamed is known by its new name; one whose new name is not live keeps the old one."""
    planned(live, "insert into {plan}.teams select t.*, 'update', array['SAMPLE'] from teams as t",
            "insert into {plan}.teams_before select * from teams",
            "update {plan}.teams set team_name = team_name || ' SW'")  # fmt: skip
    write(live, "update teams set team_name = 'Lakeside 12 SW' where id = 1")
    note(live, RUN_ID)

    assert "Lakeside 12 SW" == image(live, "polls")["_names"]["team_id"]
    assert "Lakeside 12 SW" == image(live, "user_contexts")["_names"]["team_id"]
    assert "Hillcrest 3" == image(live, "polls", "2")["_names"]["team_id"]


def test_table_that_is_dropped_is_missed(live):
    """The rows of a user table that somebody dropped are gone, not forgotten."""
    write(live, "drop table captain_messages")

    assert Noted(gone=1) == note(live)
    assert "Bring balls" == image(live, "captain_messages")["message"]


def test_key_that_stands_twice_is_no_obstacle(live):
    """In a database that has lost its keys two rows of one id are one memory."""
    write(live, "alter table poll_choices drop constraint poll_choices_pkey cascade",
          "insert into poll_choices (id, poll_id, choice_text) values (1, 1, 'Friday'), (2, 1, 'Friday')",
          "insert into poll_choices (id, poll_id, choice_text) values (2, 1, 'Sunday')")  # fmt: skip
    note(live)

    assert ["1", "2"] == column(live, "select row_key from etl.user_rows where table_name = 'poll_choices' order by 1")


def test_odd_columns_and_tables_are_noted(live):
    """Types without an equality, names that need quotes, a table without a key: noted or left out, never an error."""
    write(live, 'create table "odd ones" ("the id" json, id serial primary key, "tëam" integer references teams(id))',
          'insert into "odd ones" ("the id", "tëam") values (\'{"a": 1}\', 1)',
          "create table keyless (team_id integer references teams(id))", "insert into keyless values (1)")  # fmt: skip
    assert Noted(added=1) == note(live)
    assert {"tëam": "Lakeside 12"} == image(live, "odd ones")["_names"]
    write(live, 'update "odd ones" set "the id" = \'{"a": 2}\'')

    assert Noted(changed=1) == note(live)
