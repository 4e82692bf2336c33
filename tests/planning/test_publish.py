"""Publishing writes exactly the plan that was made, on the rows it was made from, or nothing at all."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from rally_etl import planning, runs
from rally_etl.errors import PlanIsStale, RallyEtlError, UsageError
from rally_etl.planning.recording import plan_hash
from rally_etl.planning.schema import read_planned
from scrapes import APTA, TEAMS, Import, changed, fingerprint, small


def refused(importing: Import, run_id: str, telling: str) -> None:
    """Publishing is refused with these words and writes nothing."""
    before = fingerprint(importing.engine)
    with pytest.raises(PlanIsStale, match=telling) as error:
        planning.publish(importing.engine, run_id, [APTA])
    assert "nothing was written\nhint: " in str(error.value)
    assert before == fingerprint(importing.engine)
    assert ["audited"] == importing.column("select distinct state from etl.run_leagues where run_id = :run", run=run_id)


@pytest.mark.parametrize(
    ("statement", "telling"),
    [
        ("update players set pti = 12 where tenniscores_player_id = 'nndz-Tennaqua121'",
         r"players row \d+ has changed: pti was 40\.5, is 12"),
        ("update schedule set location = null where home_team = 'Winnetka 12'",
         r"schedule row \d+ has changed: location was 'Tennaqua', is None"),
        ("delete from series_stats where team = 'Tennaqua 12'", r"series_stats row \d+ is gone"),
        ("delete from match_scores", r"match_scores row \d+ is gone"),
        ("update teams set team_alias = 'x'", None),
        ("insert into series_stats (league_id, series, team) values (1, 'Series 12', 'Skokie 12')",
         "the database refused a planned row"),
        ("insert into clubs (name) values ('Skokie')", "the database refused a planned row"),
        ("alter table players add column nickname text", "the columns of players changed"),
    ],
)  # fmt: skip
def test_live_row_that_moved_stops_the_publish(loaded, statement, telling):
    """Somebody changed live between plan and publish: the error names table, row and column, and nothing is written."""
    loaded.write("update players set id = id")  # the rows' place in the table does not matter
    run_id = loaded.plan(changed())
    loaded.write(statement)

    if telling is None:  # rows that the plan does not touch may move
        loaded.publish(run_id)
        assert ["Series 12", "x"] == loaded.column("select distinct team_alias from teams order by 1")
    else:
        refused(loaded, run_id, telling)


def test_failing_audit_stops_the_publish(loaded):
    """What the blocking checks find on the state made is named; with an empty plan they are not asked."""
    run_id = loaded.plan(changed())
    before = fingerprint(loaded.engine)
    seen = []

    def audit(connection: sa.Connection) -> list[str]:
        seen.append(connection.execute(sa.text("select count(*) from public.teams")).scalar_one())
        return ["teams/name_is_unique"]

    with pytest.raises(PlanIsStale, match="fails teams/name_is_unique; nothing was written"):
        planning.publish(loaded.engine, run_id, [APTA], audit)

    assert [5] == seen, "the audit sees the state that publishing makes"
    assert before == fingerprint(loaded.engine)
    assert 0 == planning.publish(loaded.engine, loaded.plan(small()), [APTA], audit).rows


def test_a_plan_is_published_once(loaded):
    """A second publish of the same league of a run is refused, and so is a league that the run does not have."""
    run_id = loaded.load(changed())

    for league in (APTA, "NSTF"):
        with pytest.raises(RallyEtlError, match=r"is (verified|published|not of this run); nothing was written"):
            planning.publish(loaded.engine, run_id, [league])


def test_a_plan_that_another_run_overtook_is_refused(loaded):
    """Another run published the league meanwhile: the older plan is not applied on top, whatever rows it touches."""
    old = loaded.plan(changed())
    new = loaded.load(small())

    refused(loaded, old, f"run {new} published {APTA} after this plan was made")


def test_a_plan_that_is_no_longer_kept_is_refused(loaded):
    """Old plans are dropped; publishing one says so."""
    run_id = loaded.plan(changed())
    loaded.forget(run_id)

    refused(loaded, run_id, f"the plan of run {run_id} is no longer kept")


def test_verification_sees_what_others_wrote(loaded):
    """A published row that is no longer what the plan says is counted per table, over another connection."""
    run_id = loaded.load(changed())
    assert [] == planning.verify(loaded.engine, run_id, [APTA])

    loaded.write("update players set wins = 99 where tenniscores_player_id = 'nndz-new'")
    loaded.write("delete from match_scores where tenniscores_match_id = 'nndz-match9_Line1'")

    player = loaded.column("select id from players where tenniscores_player_id = 'nndz-new'")[0]
    players, lines = planning.verify(loaded.engine, run_id, [APTA])
    assert f"players: 1 published rows are not what the plan says ({player}: wins is 99, planned 1)" == players
    assert re.fullmatch(r"match_scores: 1 published rows are not what the plan says \(\d+ is gone\)", lines)
    assert [lines] == planning.verify(loaded.engine, run_id, [APTA], {("players", "wins")})
    loaded.write("alter table player_history rename to away")
    assert ["player_history: the table is gone", players, lines] == planning.verify(loaded.engine, run_id, [APTA])


def candidate(importing: Import, run_id: str) -> dict[str, list]:
    """Table -> rows of the candidate, or of live for a run of '', without the moment of the change."""
    schema = planning.schemas(run_id)[1] if run_id else "public"
    tables = (
        "leagues",
        "clubs",
        "series",
        "teams",
        "players",
        "match_scores",
        "series_stats",
        "schedule",
        "club_leagues",
        "series_leagues",
    )
    return {table: importing.column(f'select to_jsonb(t) from "{schema}".{table} as t order by id') for table in tables}


def test_live_is_before_or_after_whatever_fails(loaded):
    """Rule 2: a failure at any statement or the commit leaves live as it was; without one live is the candidate."""
    run_id = loaded.plan(changed())
    before, promised = fingerprint(loaded.engine), candidate(loaded, run_id)
    statements = failures = 0
    at = 0

    def count(*_: object) -> None:
        nonlocal statements
        statements += 1
        if statements == at:
            raise RuntimeError("the machine stops here")

    def commit(_: object) -> None:
        count()

    while True:
        at, statements = at + 1, 0
        sa.event.listen(loaded.engine, "before_cursor_execute", count)
        sa.event.listen(loaded.engine, "commit", commit)
        try:
            planning.publish(loaded.engine, run_id, [APTA])
        except RuntimeError:
            failures += 1
        finally:
            sa.event.remove(loaded.engine, "before_cursor_execute", count)
            sa.event.remove(loaded.engine, "commit", commit)
        if statements < at:
            break
        if at % 5 == 1 or statements != at:
            assert before == fingerprint(loaded.engine), f"statement {at}"

    assert failures == at - 1 > 40, "every statement has failed once"
    assert promised == candidate(loaded, "")


def test_server_that_goes_away_leaves_live_as_it_was(loaded):
    """The session is ended by the server in the middle of the publish: nothing of it stays."""
    run_id = loaded.plan(changed())
    before = fingerprint(loaded.engine)

    def end_session(connection: sa.Connection) -> list[str]:
        connection.execute(sa.text("select pg_terminate_backend(pg_backend_pid())"))
        return []

    with pytest.raises(sa.exc.OperationalError):
        planning.publish(loaded.engine, run_id, [APTA], end_session)

    assert before == fingerprint(loaded.engine)


@pytest.fixture
def held(loaded: Import) -> tuple[Import, str]:
    """A run whose plan is held for approval."""
    run_id = loaded.plan(changed())
    hold(loaded, run_id)
    return loaded, run_id


def hold(importing: Import, run_id: str) -> None:
    """Put a run into the state that a HOLD leaves."""
    importing.write("update etl.run_leagues set decision = 'HOLD', state = 'held' where run_id = :run", run=run_id)
    importing.write(
        "update etl.runs set status = 'completed', decision = 'HOLD', exit_code = 4 where run_id = :run", run=run_id
    )


def test_approval_publishes_the_held_plan(held):
    """The plan goes live under the approver's name, and a second approval finds nothing to approve."""
    importing, run_id = held
    promised = candidate(importing, run_id)

    document = runs.approve(importing.settings, run_id, "Ann Example", "the season has begun")

    assert document["leagues"][APTA]["published"], document["leagues"][APTA]["reasons"]
    assert promised == candidate(importing, "")
    assert [("Ann Example", "the season has begun", True)] == importing.rows(
        "select a.approved_by, a.reason, a.plan_hash = l.plan_hash from etl.approvals as a"
        " join etl.run_leagues as l using (run_id, league)"
    )
    with pytest.raises(UsageError, match="holds no league for approval"):
        runs.approve(importing.settings, run_id, "Ann Example", "again")


@pytest.mark.parametrize("what", ["live", "run", "plan"])
def test_approval_of_a_plan_that_no_longer_holds_is_refused(held, what):
    """Live moved, a later run published the league, or the plan was altered: nothing is written, and why is said."""
    importing, run_id = held
    if what == "live":
        importing.write("update players set pti = 1")
    elif what == "run":
        importing.load(small())
    else:
        importing.write(f'update "{planning.schemas(run_id)[0]}".players set pti = 1')
    before = fingerprint(importing.engine)

    document = runs.approve(importing.settings, run_id, "Ann Example", "the season has begun")

    assert not document["leagues"][APTA]["published"]
    assert "nothing was written" in document["leagues"][APTA]["reasons"][0]["message"]
    assert 3 == document["exit_code"]
    assert before == fingerprint(importing.engine)


def test_only_held_leagues_can_be_approved(held):
    """An unknown run, and a league that is not held, are wrong use."""
    importing, run_id = held

    with pytest.raises(UsageError, match="there is no run 'x'"):
        runs.approve(importing.settings, "x", "Ann Example", "why not")
    with pytest.raises(UsageError, match=f"run {run_id} holds {APTA} for approval; nothing was published"):
        runs.approve(importing.settings, run_id, "Ann Example", "why not", ("NSTF",))
    assert len(TEAMS) == importing.column("select count(*) from teams")[0]


ALIEN = {
    "a trigger that writes a user table": (
        "create function spoil() returns trigger language plpgsql as $$ begin"
        " update users set last_name = 'x'; return null; end $$;"
        " create trigger spoil after update on series_stats for each statement execute function spoil()",
        r"a trigger or a foreign key would change 2 rows of users; nothing was written",
    ),
    "one that waits for the commit": (
        "create function spoil() returns trigger language plpgsql as $$ begin"
        " insert into polls (question) values ('x'); return null; end $$;"
        " create constraint trigger spoil after insert on teams deferrable initially deferred"
        " for each row execute function spoil()",
        r"would insert 1 row of polls; nothing was written",
    ),
    "one that empties a table": (
        "create function spoil() returns trigger language plpgsql as $$ begin"
        " truncate captain_messages; return null; end $$;"
        " create trigger spoil after insert on teams for each statement execute function spoil()",
        r"would empty or rewrite captain_messages; nothing was written",
    ),
    "one that writes to a planned table": (
        "create function spoil() returns trigger language plpgsql as $$ begin"
        " update players set pti = 1 where tenniscores_player_id = 'nndz-Tennaqua122'; return null; end $$;"
        " create trigger spoil after insert on teams for each statement execute function spoil()",
        r"would change 1 row of players; nothing was written",
    ),
}


@pytest.mark.parametrize("what", ALIEN)
def test_trigger_that_writes_rows_stops_the_publish(loaded, what):
    """A publish writes its plan and nothing else: rows that a trigger would write are counted and named."""
    loaded.write("insert into users (email, password_hash) values ('a@example.org', 'x'), ('b@example.org', 'x')")
    loaded.write("insert into polls (question) values ('Who?')")
    trigger, telling = ALIEN[what]
    run_id = loaded.plan(changed())
    loaded.write(trigger)

    refused(loaded, run_id, telling)

    loaded.write("drop function spoil cascade")
    loaded.publish(run_id)


@pytest.mark.parametrize(
    ("on_delete", "telling"),
    [("set null", "would change 3 rows of rides"), ("cascade", "would delete 3 rows of rides")],
)
def test_foreign_key_that_writes_rows_stops_the_publish(loaded, on_delete, telling):
    """A planned delete must not empty or delete what refers to the row."""
    loaded.write("insert into club_leagues (club_id, league_id) values (1, (select max(id) from leagues))"
                 " on conflict do nothing")  # fmt: skip
    run_id = loaded.plan(small())
    plan = planning.schemas(run_id)[0]
    pair = loaded.column("select max(id) from club_leagues")[0]
    for name, more in (("club_leagues", ", 'delete', array['APTA_CHICAGO']"), ("club_leagues_before", "")):
        loaded.write(f'insert into "{plan}".{name} select l.*{more} from club_leagues as l where id = {pair}')
    recorded(loaded, run_id)
    loaded.write(f"create table rides (id serial, pair integer references club_leagues(id) on delete {on_delete})")
    loaded.write(f"insert into rides (pair) values ({pair}), ({pair}), ({pair})")

    refused(loaded, run_id, telling)


def recorded(importing: Import, run_id: str) -> None:
    """Make the plan as it stands now the one that was decided on."""
    with importing.engine.begin() as connection:
        found = plan_hash(connection, run_id, read_planned(connection, run_id), APTA)
        connection.execute(
            sa.text("update etl.run_leagues set plan_hash = :hash where run_id = :run"), {"hash": found, "run": run_id}
        )


def test_server_that_does_not_count_stops_the_publish(loaded, make_database):
    """Without counters nobody could say what else is written: the publish is refused and says why."""
    run_id = loaded.plan(changed())
    database = sa.make_url(loaded.settings.database_url).database
    loaded.write(f'alter database "{database}" set track_counts = off')
    loaded.engine.dispose()

    refused(loaded, run_id, "track_counts is off")


def test_counters_of_earlier_transactions_do_not_count(loaded):
    """A session that has written before, and has not yet told the server, publishes all the same."""
    run_id = loaded.plan(changed())
    with loaded.engine.connect() as connection:
        for _ in range(3):
            with connection.begin():
                connection.execute(sa.text("insert into polls (question) values ('Who?')"))
    loaded.publish(run_id)

    assert 3 == loaded.column("select count(*) from polls")[0]
