"""Asking pages: what is counted, who is affected, which examples are named, and what is no pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from copies import change, copy_live, put_back
from rally_etl.database.same_moment import join_moment, one_moment
from rally_etl.features.ask import ask
from rally_etl.features.feature import Feature
from userland import RUN_ID, fill

LEAGUE = "SAMPLE"
PAGE = Feature(
    name="roster",
    title="The roster",
    route="/roster",
    subject="team",
    right="has a player",
    sql="""
    select t.id as subject_id, count(p.id) > 0 as works, count(p.id) || ' players' as shown
    from teams as t
    left join players as p on p.team_id = t.id and p.is_active and p.league_id = :league_id
    where t.league_id = :league_id and t.is_active
    group by t.id
    """,
)


@pytest.fixture(scope="module")
def filled(module_engine):
    """Two teams, a user of the first, what they wrote, and three teams without players; the candidate is the same."""
    fill(module_engine)
    with module_engine.begin() as connection:
        for statement in (
            "insert into teams (team_name, display_name, club_id, series_id, league_id)"
            " select name, name, 1, 1, 1 from unnest(array['B 1', 'A 1', 'C 1']) as name",
            f"insert into etl.run_leagues (run_id, league) values ('{RUN_ID}', 'GHOST')",
        ):
            connection.execute(sa.text(statement))
    copy_live(module_engine, RUN_ID)
    return module_engine


@pytest.fixture
def live(filled):
    """The same; what a test changes in the candidate is put back."""
    yield filled
    put_back(filled, RUN_ID, {"teams", "players"})


def asked(engine, settings, feature=PAGE, league=LEAGUE):
    """The answer of one page for one league."""
    found = [each for each in ask(engine, settings, RUN_ID, [feature]) if each.league == league]
    assert 1 == len(found)
    return found[0]


def test_page_that_breaks_is_counted_with_its_users(live, module_settings):
    """A roster that is switched off breaks the page of its team, for the user who sees it, in words."""
    change(live, RUN_ID, "update players set is_active = false where id = 1")
    answer = asked(live, module_settings)

    assert (5, 2, 5, 1) == (answer.before, answer.works_before, answer.after, answer.works_after)
    assert (1, 0, 0) == (answer.broken, answer.mended, answer.gone)
    assert (1, 1) == (answer.users, answer.users_affected)
    example = {"subject": "Lakeside 12", "users": 1, "before": "1 players", "after": "0 players", "broken": True}
    assert example == answer.examples[0]
    assert answer.error is None and answer.skipped is None


def test_page_of_a_team_that_goes_is_gone_and_not_broken(live, module_settings):
    """Who has no page any more does not miss it."""
    change(live, RUN_ID, "update teams set is_active = false where id = 2; delete from players where id = 2")
    answer = asked(live, module_settings)

    assert (5, 4, 0, 1) == (answer.before, answer.after, answer.broken, answer.gone)
    assert {False} == {example["broken"] for example in answer.examples}


def test_page_that_begins_to_work_is_mended(live, module_settings):
    """Empty in live, filled in the candidate, by the player of another team."""
    change(live, RUN_ID, "update players set team_id = (select id from teams where team_name = 'A 1') where id = 2")
    answer = asked(live, module_settings)

    assert (2, 2, 1, 1) == (answer.works_before, answer.works_after, answer.mended, answer.broken)


def test_worst_examples_come_first(live, module_settings):
    """What would break stands before what never worked, then what more users see, then by name; three are named."""
    change(live, RUN_ID, "update players set is_active = false where id = 1")
    answer = asked(live, module_settings)

    assert ["Lakeside 12", "A 1", "B 1"] == [example["subject"] for example in answer.examples]
    assert [True, False, False] == [example["broken"] for example in answer.examples]


def test_user_is_shown_by_name_and_never_by_address(live, module_settings):
    """An example is read by many."""
    page = replace(
        PAGE, subject="user", sql="select id as subject_id, id = :league_id and false as works, 'x' as shown from users"
    )
    answer = asked(live, module_settings, page)

    assert ["user 1", "user 2"] == sorted(example["subject"] for example in answer.examples)
    assert (2, 0) == (answer.users, answer.users_affected)


@pytest.mark.parametrize(
    ("sql", "told"),
    [("select id as subject_id, nothing as works, '' as shown from teams where league_id = :league_id", "nothing"),
     ("select id as subject_id, null::boolean as works, '' as shown from teams", "neither yes nor no for 10"),
     ("select t.id as subject_id, true as works, '' as shown from teams as t, generate_series(1, 2)", "more than once"),
     ("select id as subject_id, pg_sleep(5) is null as works, '' as shown from teams", "statement timeout"),
     ("select id as subject_id, nextval('teams_id_seq') > 0 as works, '' as shown from teams", "read-only"),
     ("select id as subject_id, works from teams", "does not exist")],
)  # fmt: skip
def test_page_that_cannot_be_asked_is_an_error(live, module_settings, sql, told):
    """A query that fails, writes, takes too long or answers in another shape passes nothing; the next page is asked."""
    limited = replace(module_settings, statement_timeout_s=0.5)
    found = ask(live, limited, RUN_ID, [replace(PAGE, name="bad", sql=sql), PAGE])
    bad, good = [each for each in found if each.league == LEAGUE]

    assert told in bad.error
    assert (0, 0, 0) == (bad.before, bad.works_after, bad.broken)
    assert (2, None) == (good.works_after, good.error)


def test_page_without_its_table_is_skipped_with_the_reason(live, module_settings):
    """Not every environment has every table of users."""
    answer = asked(live, module_settings, replace(PAGE, needs=("polls", "pigeons")))

    assert "this database has no table pigeons" == answer.skipped
    assert answer.error is None


def test_league_that_is_not_there_is_an_error(live, module_settings):
    """Nothing was looked at."""
    assert "not in the table leagues" in asked(live, module_settings, league="GHOST").error


def test_nothing_is_left_in_the_session(live, module_settings):
    """Temporary tables go, and the session can write again."""
    asked(live, module_settings)
    with live.begin() as connection:
        left = connection.scalar(sa.text("select count(*) from pg_class where relname like 'asked%'"))
        connection.execute(sa.text("update teams set updated_at = now()"))

    assert 0 == left


def test_all_sessions_see_one_moment(engine):
    """What is written after the moment is not seen by who joins it later, and nothing can be written there."""
    fill(engine)
    with one_moment(engine) as snapshot:
        with engine.begin() as connection:
            connection.execute(sa.text("delete from polls where id = 2"))
        with engine.connect() as connection:
            join_moment(connection, snapshot, timeout_s=5)

            assert 2 == connection.scalar(sa.text("select count(*) from polls"))
            assert "5s" == connection.scalar(sa.text("show statement_timeout"))
            with pytest.raises(sa.exc.DBAPIError, match="read-only"):
                connection.execute(sa.text("delete from polls"))


def test_before_of_a_guarded_command_is_its_snapshot(live, module_settings):
    """Where the command's own rows are live already, pages worked before as the snapshot shows them."""
    written = (
        "create schema guard_copy",
        "create table guard_copy.players as select * from players where id <> 2",
        f"insert into etl.guards (run_id, command, method, details)"
        f""" values ('{RUN_ID}', 'import', 'direct', '{{"snapshot": "guard_copy"}}')""",
    )
    taken_back = ("drop schema guard_copy cascade", "delete from etl.guards")
    with live.begin() as connection:
        for statement in written:
            connection.exec_driver_sql(statement)
    answer = asked(live, module_settings)
    with live.begin() as connection:
        for statement in taken_back:
            connection.exec_driver_sql(statement)

    assert (1, 2, 1) == (answer.works_before, answer.works_after, answer.mended)
