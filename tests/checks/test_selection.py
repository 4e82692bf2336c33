"""Only what a run changed: a check that is left out could not have come out otherwise, and says why it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from rally_etl.checks import Check, check_candidate, check_live, read_checks
from rally_etl.checks.selection import Reach, Selection, touched_by
from rally_etl.errors import UsageError
from rally_etl.settings import Settings
from two_teams import AS_OF, RUN_ID, outcomes, planned_teams, team, with_plan

CHECK = Check(
    table="teams",
    statement="s",
    title="t",
    severity="error",
    dimension="validity",
    owner="o",
    why="w",
    mend="m",
    sql="",
)


@pytest.fixture(scope="module")
def planned(module_engine: sa.Engine) -> Iterator[sa.Engine]:
    """A run that plans a second spelling of a team."""
    planned_teams(module_engine)
    with_plan(module_engine, teams=[team(3, "LAKESIDE - 1")])
    yield module_engine


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("select id from teams where league_id = :league_id", {"teams"}),
        ("select 1 from public.players as p -- and of series", {"teams", "players", "series"}),
        ('select id from "Match_Scores"', {"teams", "match_scores"}),
        ("select format('select %I from polls', 'a')", {"teams", "polls"}),
        ("select word from ts_stat('select 1')", set()),
        ("select query_to_xml('select 1', true, true, '')", set()),
        ("select :run_id from teams", set()),
    ],
)
def test_reach_is_never_too_small(planned, sql, reads):
    """Whatever a query names it may read; where it hides what it reads it may read everything."""
    with planned.connect() as connection:
        assert reads == Reach(connection).reads(replace(CHECK, sql=sql))


@pytest.mark.parametrize(
    ("there", "sql"),
    [
        ("create view standings as select * from series_stats", "select id from standings"),
        (
            "create function fold(text) returns text language sql as 'select lower($1)'",
            "select fold(team_name) from teams",
        ),
        ("create sequence given", "select id from teams where id > (select last_value from given)"),
        ("create schema archive create table old (id integer)", "select id from teams join archive.old using (id)"),
        ('create table "Old" (id integer)', 'select id from teams join "Old" using (id)'),
        ('create table "old-teams" (id integer)', 'select id from players join "old-teams" using (id)'),
        ("create domain points as integer check (value > 0)", "select cast(id as points) from teams"),
    ],
)
def test_reach_does_not_look_into_what_is_no_plain_table(planned, there, sql):
    """A view or a function may read any table; what else is named must not be taken for nothing."""
    with planned.connect() as connection:
        connection.execute(sa.text(there))
        reach = Reach(connection)
        connection.rollback()

    assert frozenset() == reach.reads(replace(CHECK, sql=sql))


def test_share_is_read_too(planned):
    """The table that a share is a share of decides an outcome as well."""
    check = replace(CHECK, sql="select id from teams", share_of="match_scores of the last year")
    with planned.connect() as connection:
        assert {"teams", "match_scores"} == Reach(connection).reads(check)


def test_touched_are_changed_tables_and_their_referrers(planned, module_settings):
    """A planned team touches teams and all that refer to teams; clubs and series do not."""
    with planned.connect() as connection:
        touched = touched_by(connection, module_settings, RUN_ID)

    assert {"teams", "players", "match_scores", "series_stats", "schedule", "polls"} <= touched
    assert not {"clubs", "series", "leagues"} & touched


def test_only_changed_leaves_out_what_cannot_have_changed(planned, module_settings):
    """What is asked comes out as in the full sweep; what is left out had, in the full sweep, the outcome of live."""
    whole = check_candidate(planned, module_settings, RUN_ID)
    live = {(each.check, each.league): each.outcome for each in check_live(planned, module_settings, AS_OF)}
    found = {
        (each.check, each.league): each for each in check_candidate(planned, module_settings, RUN_ID, only_changed=True)
    }
    left_out = [each for each in whole if "changes nothing" in (found[each.check, each.league].error or "")]

    assert len(whole) == len(found)
    assert "failed" == found["teams/name_is_unique", "SAMPLE"].outcome
    assert left_out
    for each in whole:
        if each in left_out:
            assert live.get((each.check, each.league), each.outcome) == each.outcome
            assert found[each.check, each.league].error.startswith(f"run {RUN_ID} changes nothing that it reads")
        else:
            assert each.outcome == found[each.check, each.league].outcome


def test_live_is_asked_what_a_run_changed(planned, module_settings):
    """The same of live, for a run whose plan is kept; without a plan nobody can say what it changed."""
    found = outcomes(check_live(planned, module_settings, AS_OF, changed_by=RUN_ID))

    assert ("passed", "skipped") == (found["teams/name_is_unique"], found["leagues/key_is_unique"])
    with pytest.raises(UsageError, match="no longer kept"):
        check_live(planned, module_settings, AS_OF, changed_by="20200101T000000-0000")


def test_league_and_check_are_chosen(planned, module_settings):
    """Other leagues and other checks are skipped with the reason; a row of another league is not counted for this."""
    name = "teams/name_is_unique"
    selection = Selection(frozenset({"OTHER"}), frozenset({name}))
    results = check_candidate(planned, module_settings, RUN_ID, selection)
    asked = [(each.check, each.league) for each in results if each.outcome != "skipped"]

    assert [(name, "OTHER")] == asked
    assert {"another league was asked for", "another check was asked for"} == {
        each.error for each in results if each.outcome == "skipped"
    }


@pytest.mark.parametrize(
    ("selection", "says"),
    [
        (Selection(checks=frozenset({"teams/name_is_uniqe"})), "is teams/name_is_unique meant"),
        (Selection(leagues=frozenset({"SMPLE"})), "is SAMPLE meant"),
    ],
)
def test_unknown_name_is_refused(planned, module_settings, selection, says):
    """A name that nothing has is refused with the nearest one: nothing asked is not the same as nothing wrong."""
    with pytest.raises(UsageError, match=says):
        check_live(planned, module_settings, AS_OF, selection=selection)


def test_every_check_says_what_it_reads(planned, module_settings: Settings):
    """Most checks of the project name what they read; those that ask users' tables by name of column may read all."""
    with planned.connect() as connection:
        reach = Reach(connection)
    hidden = [check.name for check in read_checks(module_settings.params_dir) if not reach.reads(check)]

    assert [] == [name for name in hidden if not name.startswith(("clubs/", "series/", "teams/"))]
