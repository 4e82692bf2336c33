"""The account counts every row of users and every reference, before, in the candidate and live; each count can rise."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from rally_etl.database.catalog import read_catalog
from rally_etl.naming import load_leagues
from rally_etl.planning.schema import create_plan, finish_plan, schemas
from rally_etl.protection import integration_measures, note_users, verify_users
from rally_etl.protection.account import Account, account, totals
from rally_etl.protection.live import account_live
from rally_etl.protection.meaning import read_meaning
from rally_etl.settings import Settings
from userland import RUN_ID, column, fill, params, put, write

LIVE = ("public",)


@pytest.fixture
def live(engine: sa.Engine) -> sa.Engine:
    """The league, its users and a run."""
    fill(engine)
    return engine


def accounts(engine: sa.Engine, settings: Settings, before=LIVE, after=("after", *LIVE)) -> dict[str, Account]:
    """Name -> account between two pictures; `after` is a schema of the test's own."""
    with engine.connect() as connection:
        meaning = read_meaning(connection, load_leagues(settings.params_dir), params().series_words, RUN_ID)
        return {each.name: each for each in account(connection, params(), before, after, meaning)}


def copy(engine: sa.Engine, *tables: str, **changes: str) -> None:
    """Make schema `after` with copies of tables, then execute statements on them."""
    write(
        engine,
        "create schema after",
        *(f"create table after.{table} as select * from public.{table}" for table in tables),
        *changes.values(),
    )


def of(found: Account) -> dict[str, int]:
    """What an account counts, without zeros."""
    names = ("same", "renamed", "repointed", "changed", "added", "gone", "lost", "moved", "emptied", "dangling")
    return {name: getattr(found, name) for name in names if getattr(found, name)}


def test_all_is_the_same_where_nothing_happened(live, settings):
    """Every row and every reference of live compared with itself is the same."""
    found = accounts(live, settings, LIVE, LIVE)

    assert {"rows", "same_rows", "references", "same_references"} == {
        name for name, count in totals(found.values()).items() if count
    }
    assert (2, 2) == (found["polls"].row_count, found["polls.team_id"].same)
    assert 2 == found["schedule"].row_count, "practice rows, not matches"
    assert "schedule.home_team" not in found


def test_rows_are_compared_one_by_one(live, settings):
    """Changed, added and gone rows are told apart, and another content is another fingerprint."""
    before = accounts(live, settings, LIVE, LIVE)["polls"].fingerprint
    copy(live, "polls", "poll_choices", a="update after.polls set question = 'x' where id = 1",
         b="delete from after.polls where id = 2",
         c="insert into after.polls (id, team_id, question) values (7, 1, 'y')",
         d="insert into after.polls (id, team_id, question) values (8, 1, 'z')")  # fmt: skip
    found = accounts(live, settings)

    assert {"changed": 1, "added": 2, "gone": 1} == of(found["polls"])
    assert {"same": 3} == of(found["polls.team_id"])
    assert before != found["polls"].fingerprint
    assert {"same": 1} == of(found["poll_choices"])


def test_practices_are_told_from_matches(live, settings):
    """A practice that goes is gone, a match that goes is not the users'."""
    copy(live, "schedule", a="delete from after.schedule where id in (1, 3)")

    assert {"same": 1, "gone": 1} == of(accounts(live, settings)["schedule"])


@pytest.mark.parametrize(
    ("statement", "name", "counts"),
    [
        ("update after.polls set team_id = null where id = 1", "polls.team_id", {"same": 1, "emptied": 1}),
        ("update after.polls set team_id = 99 where id = 1", "polls.team_id", {"same": 1, "lost": 1}),
        ("update after.polls set team_id = 2 where id = 1", "polls.team_id", {"same": 1, "moved": 1}),
        ("delete from after.teams where id = 1", "user_contexts.team_id", {"lost": 1}),
        ("update after.teams set team_name = 'Winnetka 7' where id = 1", "polls.team_id", {"same": 1, "moved": 1}),
        ("update after.teams set team_name = 'Lakeside - 12' where id = 1", "polls.team_id", {"same": 2}),
        ("update after.players set first_name = 'Cleo', last_name = 'Other' where id = 1",
         "user_player_associations.tenniscores_player_id", {"moved": 1}),
        ("delete from after.players where id = 1", "poll_responses.player_id", {"lost": 1}),
    ],
)  # fmt: skip
def test_every_fate_of_a_reference(live, settings, statement, name, counts):
    """Emptied, lost and moved are told apart, whether the user's row changed or what it points at."""
    copy(live, "polls", "teams", "players", change=statement)

    assert counts == of(accounts(live, settings)[name])


def test_other_id_of_the_same_thing_is_repointed(live, settings):
    """A team under another id, with the users' rows after it: by its name, or because a merge was decided on."""
    copy(live, "teams", "polls", a="update after.teams set id = 31 where id = 1",
         b="update after.polls set team_id = 31")  # fmt: skip
    assert {"repointed": 1, "moved": 1} == of(accounts(live, settings)["polls.team_id"])
    write(live, "insert into etl.redirects (table_name, from_id, into_id, run_id, decided_by, reason)"
                " values ('teams', 2, 31, 'x', 'Ann', 'one team')")  # fmt: skip

    assert {"repointed": 2} == of(accounts(live, settings)["polls.team_id"])


def test_reference_that_pointed_nowhere_is_dangling(live, settings):
    """What was broken before is not this run's; a new team under that id does not get the poll in silence."""
    write(live, "update polls set team_id = 50 where id = 2")
    assert {"same": 1, "dangling": 1} == of(accounts(live, settings, LIVE, LIVE)["polls.team_id"])

    copy(live, "teams", a="insert into after.teams select 50, club_id, series_id, league_id, 'Winnetka 7' from teams"
                          " where id = 1")  # fmt: skip
    found = accounts(live, settings)["polls.team_id"]
    assert {"same": 1, "moved": 1} == of(found)
    assert "polls.team_id: 1 row of teams 50, which was not there would be of 'Winnetka 7'" == found.told[0][3]

    write(live, "insert into etl.entity_history (table_name, entity_id, league, name, is_active)"
                " values ('teams', 50, 'SAMPLE', 'Winnetka 7', true)")  # fmt: skip
    assert {"same": 2} == of(accounts(live, settings)["polls.team_id"]), "the very team is back under its id"


def test_table_that_is_dropped_is_gone(live, settings):
    """A user table that only the picture of before has: all its rows are gone."""
    copy(live, "captain_messages", a="drop table public.captain_messages")
    found = accounts(live, settings, ("after", *LIVE), LIVE)

    assert {"gone": 1} == of(found["captain_messages"])


def test_column_that_is_dropped_changes_its_rows(live, settings):
    """A column that a command took away from a user table is a change of every row that said something in it."""
    copy(live, "captain_messages", a="alter table public.captain_messages drop column message")
    write(live, "alter table public.captain_messages add column message text")

    assert {"changed": 1} == of(accounts(live, settings, ("after", *LIVE), LIVE)["captain_messages"])


def test_rows_without_a_key_are_matched_by_what_they_say(live, settings):
    """Of a table without a primary key equal rows are the same, as many as there are."""
    write(live, "create table notes (team_id integer references teams(id), said text)",
          "insert into notes values (1, 'a'), (1, 'a'), (1, 'b')")  # fmt: skip
    copy(live, "notes", a="delete from after.notes where ctid = (select min(ctid) from after.notes where said = 'a')",
         b="insert into after.notes values (2, 'c')")  # fmt: skip

    assert {"same": 2, "added": 1, "gone": 1} == of(accounts(live, settings)["notes"])


# The stage integration


def with_plan(engine: sa.Engine, *views: str, **tables: list[dict]) -> None:
    """A plan of these images and its candidate; *views* are added to the candidate, `{}` its schema."""
    plan, candidate = schemas(RUN_ID)
    with engine.begin() as connection:
        catalog = read_catalog(connection)
        create_plan(connection, RUN_ID, catalog)
        for table, images in tables.items():
            put(connection, f'"{plan}".{table}', [each | {"_leagues": ["SAMPLE"]} for each in images])
        finish_plan(connection, RUN_ID, catalog)
        for view in views:
            connection.execute(sa.text(view.format(f'"{candidate}"')))


def measured(engine: sa.Engine, settings: Settings) -> dict[str, dict]:
    """Measures of the league."""
    return integration_measures(engine, settings, RUN_ID)["SAMPLE"]


def test_candidate_is_accounted_for_in_the_ledger(live, settings):
    """The account of the candidate is kept; a second measuring replaces it."""
    with_plan(live)
    for _ in range(2):
        assert {0} == {each["value"] for each in measured(live, settings).values()}

    assert [2] == column(live, "select same from etl.accounts where moment = 'candidate' and table_name = 'polls'"
                               " and column_name = 'team_id'")  # fmt: skip


def test_practices_of_a_team_are_counted(live, settings):
    """A practice that the candidate lacks, has twice or gives to another team is named with its team."""
    with_plan(live, schedule=[
        {"id": 1, "_op": "update", "league_id": 1, "home_team_id": 2, "home_team": "Lakeside Practice - Series 12"},
    ])  # fmt: skip
    found = measured(live, settings)["practices_differ"]

    assert 2 == found["value"]
    assert [
        "Hillcrest 3 had 0 practices and would have 1", "Lakeside 12 had 2 practices and would have 1",
    ] == found["detail"]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "select", "telling"),
    [
        ("user_player_associations", "user_id, 'nndz-x' as tenniscores_player_id",
         "2 rows of user_player_associations with another user_id and tenniscores_player_id"),
        ("user_contexts", "* from public.user_contexts where false union all select *",
         None),
        ("user_contexts", "user_id + 1 as user_id, league_id, team_id, series_id",
         "2 rows of user_contexts with another user_id"),
        ("player_availability", "id, player_name, match_date + interval '1 day' as match_date, availability_status,"
         " series_id, player_id, user_id", "2 rows of player_availability with another user_id and match_date"),
    ],
)  # fmt: skip
def test_keys_of_users_are_compared(live, settings, table, select, telling):
    """A row that the application would no longer find under its account, player and day is counted."""
    with_plan(live, f"create view {{}}.{table} as select {select} from public.{table}")
    found = measured(live, settings)["keys_differ"]

    assert (([telling], 2) if telling else ([], 0)) == (found["detail"], found["value"])


def test_operation_may_repoint_and_not_rekey(live, settings):
    """A repair that re-points availability is no key that differs; one that moves it to another day is."""
    write(live, """update etl.runs set operation = '{"kind": "orphans"}'""")
    with_plan(
        live,
        "create view {}.player_availability as select id, player_name, match_date, availability_status, series_id,"
        " 2 as player_id, user_id, notes, updated_at from public.player_availability",
    )
    assert 0 == measured(live, settings)["keys_differ"]["value"]
    with_plan(
        live,
        "create view {}.player_availability as select id, player_name, match_date + interval '1 day' as match_date,"
        " availability_status, series_id, player_id, user_id, notes, updated_at from public.player_availability",
        schedule=[{"id": 1, "_op": "update", "league_id": 1, "home_team_id": 2, "match_date": "2025-10-03",
                   "home_team": "Lakeside Practice - Series 12", "match_time": "20:00:00"}],
    )  # fmt: skip
    found = measured(live, settings)

    assert (1, ["1 row of player_availability with another user_id and match_date"]) == (
        found["keys_differ"]["value"], found["keys_differ"]["detail"]
    )  # fmt: skip
    assert ["1 practice at another time"] == found["practices_differ"]["detail"]


# After the publish


@pytest.fixture
def begun(live: sa.Engine, settings: Settings) -> sa.Engine:
    """A run whose baseline is taken."""
    from rally_etl.protection import baseline_measures

    baseline_measures(live, settings, RUN_ID)
    return live


def live_counts(engine: sa.Engine, settings: Settings) -> dict[str, dict[str, int]]:
    """Name -> what is not the same in live."""
    with engine.begin() as connection:
        meaning = read_meaning(connection, load_leagues(settings.params_dir), params().series_words, RUN_ID)
        found = account_live(connection, params(), meaning, RUN_ID)
    return {each.name: counts for each in found if (counts := of(each)).keys() - {"same"}}


def test_live_is_as_at_the_baseline(begun, settings):
    """Nothing happened: everything is the same, and it is kept as the account of that moment."""
    assert [] == verify_users(begun, settings, RUN_ID)
    assert {} == live_counts(begun, settings)
    assert column(
        begun, "select same from etl.accounts where moment = 'baseline' order by table_name, column_name"
    ) == (column(begun, "select same from etl.accounts where moment = 'live' order by table_name, column_name"))


def test_what_users_do_meanwhile_is_theirs(begun, settings):
    """Rows that users add, change and delete while a run goes on are counted as that; nobody is blamed."""
    write(begun, "insert into polls (team_id, question) values (1, 'Where?')",
          "update user_contexts set team_id = 2", "update polls set question = 'x', team_id = null where id = 2",
          "delete from captain_messages")  # fmt: skip

    assert [] == verify_users(begun, settings, RUN_ID)
    assert {
        "polls": {"same": 1, "changed": 1, "added": 1}, "user_contexts": {"changed": 1},
        "captain_messages": {"gone": 1},
    } == live_counts(begun, settings)  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "telling"),
    [
        ("delete from teams where id = 1",
         "polls.team_id: 1 row more than planned point at nothing (teams 1)"),
        ("update teams set team_name = 'Winnetka 7' where id = 1",
         "polls.team_id: 1 row of 'Lakeside 12' are of 'Winnetka 7' now"),
        ("update players set first_name = 'Cleo', last_name = 'Other'",
         "user_player_associations.tenniscores_player_id: 1 row of 'Ann Example' are of 'Cleo Other' now"),
    ],
)  # fmt: skip
def test_row_that_means_something_else_fails_the_verification(begun, settings, statement, telling):
    """Nobody changed the user's row, and what it points at is gone or is another thing: the publish is not verified."""
    write(begun, statement)

    assert telling in verify_users(begun, settings, RUN_ID)


def test_what_was_broken_before_is_not_blamed(begun, settings):
    """A row that pointed nowhere at the baseline, and still does, is no fault of the publish."""
    write(begun, "update polls set team_id = 50 where id = 2")
    from rally_etl.protection import baseline_measures

    baseline_measures(begun, settings, RUN_ID)

    assert [] == verify_users(begun, settings, RUN_ID)
    assert {"same": 1, "dangling": 1} == live_counts(begun, settings)["polls.team_id"]


def test_what_the_plan_itself_leaves_without_a_target_is_no_surprise(begun, settings):
    """The undo of a repair gives a row the dead id it had; its candidate said so, and more than that is a loss."""
    planned = """
        insert into etl.accounts (run_id, moment, table_name, column_name, target, row_count, same, lost)
        values (:run, 'candidate', 'polls', 'team_id', 'teams', 2, 1, 1)
        """
    write(begun, "update polls set team_id = 50 where id = 2")
    with begun.begin() as connection:
        note_users(connection, params())
    assert ["polls.team_id: 1 row more than planned point at nothing (teams 50)"] == verify_users(
        begun, settings, RUN_ID
    )
    with begun.begin() as connection:
        connection.execute(sa.text(planned), {"run": RUN_ID})
    assert [] == verify_users(begun, settings, RUN_ID)


def test_decided_rename_is_no_move(begun, settings):
    """A team that identity has found under another name is the same team after the publish."""
    with_plan(begun)
    plan = schemas(RUN_ID)[0]
    write(begun, f"""insert into "{plan}".identified values ('SAMPLE', 'teams', 1, 'roster', 1, 'eight players')""",
          "update teams set team_name = 'Winnetka 7' where id = 1")  # fmt: skip

    assert [] == verify_users(begun, settings, RUN_ID)
    assert {"same": 1, "renamed": 1} == live_counts(begun, settings)["polls.team_id"]


def test_repair_that_is_published_is_remembered_with_it(begun, settings):
    """What the run itself wrote of users' rows is noted in its transaction, so that nobody takes it for a user's."""
    from rally_etl.planning.schema import add_tables

    plan = schemas(RUN_ID)[0]
    with begun.begin() as connection:
        create_plan(connection, RUN_ID, read_catalog(connection))
        add_tables(connection, RUN_ID, read_catalog(connection, ("polls",)))
        put(connection, f'"{plan}".polls', [{"id": 1, "team_id": 2, "question": "Who?", "_op": "update"}])
        connection.execute(sa.text("update polls set team_id = 2 where id = 1"))
        note_users(connection, params(), RUN_ID)

    assert {} == live_counts(begun, settings)


def test_accounts_name_every_column_of_the_ledger(live, settings):
    """What an account counts is what the ledger keeps."""
    kept = set(column(live, "select column_name from information_schema.columns where table_schema = 'etl'"
                            " and table_name = 'accounts'"))  # fmt: skip
    found = next(iter(accounts(live, settings, LIVE, LIVE).values()))

    assert kept == {"run_id", "moment", "table_name", "column_name"} | (
        set(found.__dataclass_fields__) - {"table", "column", "told"}
    )
    assert json.dumps(found.told) == "[]"
