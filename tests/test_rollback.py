"""After a publish others look at live: what is not as promised is taken back; locks are waited for, then held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
import stamina

from conftest import MakeDatabase, first, project
from rally_etl import planning, publishing, reporting, rollback, runs, states, verification, writing
from rally_etl.database.engine import connect
from rally_etl.database.locks import run_lock
from rally_etl.errors import PublishUnknown
from rally_etl.incidents import read_incidents
from rally_etl.operations import KINDS
from rally_etl.outcomes import Outcome, no_go
from rally_etl.protection import note_users, read_reference_params
from scrapes import APTA, TEAMS, Import, Kinds, changed, fingerprint, small

PLANNED_PLAYER = "tenniscores_player_id = 'nndz-Tennaqua121'"  # the plan changes its rating
OTHER_TEAM = list(TEAMS)[2]  # the plan does not touch it
ONE_LINE = "tenniscores_match_id = 'nndz-match0_Line1'"  # a line that the plan does not touch


@dataclass(slots=True)
class Live:
    """A database with the small scrape and a poll; imports of it end as `rally-etl run` ends, without notebooks."""

    importing: Import
    monkeypatch: pytest.MonkeyPatch
    told: list[tuple[str, str]]
    again: Callable[[], None] = lambda: None  # called before something is tried once more

    def run(self, kinds: Kinds | None = None, decision: str = "GO", *, dry_run: bool = False) -> dict[str, Any]:
        """Stage and plan the scrape of a week later, with this decision of the gate; answer the run's document."""
        run_id = self.importing.stage(changed() if kinds is None else kinds)
        self.importing.write("update etl.runs set dry_run = :dry where run_id = :run", dry=dry_run, run=run_id)
        return self._go_through(run_id, decision, dry_run)

    def undo(self, run_id: str) -> dict[str, Any]:
        """Take a run back as `rally-etl undo` does."""
        with self._without_notebooks("GO"):
            operation = {"kind": "undo", "run": run_id, "by": "Ann Example", "reason": "a try"}
            return runs.operate(self.importing.settings, operation, tell=self._tell)

    def approve(self, run_id: str) -> dict[str, Any]:
        """Approve what a run holds."""
        return runs.approve(self.importing.settings, run_id, "Ann Example", "it is right", tell=self._tell)

    def others(self, *statements: str) -> None:
        """Let another program write after the next publish, before anybody looks."""
        look, left = publishing.see, list(statements)

        def see(*arguments: Any, **named: Any) -> verification.Seen:
            for statement in left:
                self.importing.write(statement)
            left.clear()
            return look(*arguments, **named)

        self.monkeypatch.setattr(publishing, "see", see)

    @contextmanager
    def verification_ended(self, times: int) -> Iterator[None]:
        """End the session of so many looks at live."""
        look, ended = planning.verify, []

        def verify(engine: sa.Engine, *arguments: Any) -> list[str]:
            if len(ended) < times:
                ended.append(True)
                with engine.connect() as connection:
                    connection.execute(sa.text("select pg_terminate_backend(pg_backend_pid())"))
            return look(engine, *arguments)

        with self.monkeypatch.context() as patched:
            patched.setattr(planning, "verify", verify)
            yield
        assert times == len(ended)

    def steps(self, run_id: str) -> list[str]:
        """States that the league of a run went through."""
        return self.importing.column("select state from etl.state_changes where run_id = :r order by number", r=run_id)

    def incidents(self, run_id: str) -> list[tuple[str, str, str]]:
        """Rule, severity and league of the open incidents of a run."""
        with self.importing.engine.connect() as connection:
            return [(each.rule, each.severity, each.league) for each in read_incidents(connection, run_id)]

    def print(self) -> dict[str, str]:
        """A digest per live table."""
        return fingerprint(self.importing.engine)

    def _go_through(self, run_id: str, decision: str, dry_run: bool) -> dict[str, Any]:
        with self._without_notebooks(decision), run_lock(self.importing.engine):
            return runs.go_through(self.importing.engine, self.importing.settings, run_id, dry_run, self._tell)

    @contextmanager
    def _without_notebooks(self, decision: str) -> Iterator[None]:
        def stages(engine: sa.Engine, settings: Any, run_id: str, *_: Any, **__: Any) -> list[Any]:
            planning.make_plan(engine, settings, run_id, kinds=KINDS)
            return []

        severity = {"GO": "warn", "HOLD": "hold", "NO-GO": "error"}[decision]

        def decided(engine: sa.Engine, settings: Any, run_id: str, results: Any) -> dict[str, Outcome]:
            return {APTA: Outcome(decision, [no_go("a_rule", "gate", "a sentence of the gate", severity)])}

        with self.monkeypatch.context() as patched:
            patched.setattr(runs.pipeline, "run_stages", stages)
            patched.setattr(runs, "_decided", decided)
            yield

    def _tell(self, label: str, text: str) -> None:
        self.told.append((label, text))
        if label == "again":
            self.again()


@pytest.fixture(scope="module")
def shared(
    make_database: MakeDatabase, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Import]:
    """One database for the tests that leave it as they found it."""
    with make_database(template_database) as url:
        settings = replace(project(tmp_path_factory.mktemp("rollback"), url), lock_timeout_s=1)
        engine = connect(settings, application_name="rally-etl tests")
        importing = Import(engine, settings, count(1000))
        importing.load(small())
        importing.write(
            f"insert into polls (team_id, question) select id, 'Dinner?' from teams where {_named(OTHER_TEAM)}"
        )
        with engine.begin() as connection:
            note_users(connection, read_reference_params(settings.params_dir / "references.yaml"))
        yield importing
        engine.dispose()


@pytest.fixture
def reported() -> None:
    """Asked for by a test that reads the reports; the others go without, which is faster."""


@pytest.fixture
def live(shared: Import, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Live]:
    """The shared database; a test must leave its live tables as they were."""
    before = fingerprint(shared.engine)
    if "reported" not in request.fixturenames:
        monkeypatch.setattr(reporting, "write_report", lambda *_: None)
    with stamina.set_testing(True, attempts=2):
        yield Live(shared, monkeypatch, [])
    assert before == fingerprint(shared.engine)


def _named(team: str) -> str:
    return f"team_name = '{team}'"


def _reasons(document: dict[str, Any]) -> dict[str, str]:
    return {
        each["rule"]: each["message"] for each in document["leagues"][APTA]["reasons"] if each["severity"] != "warn"
    }


def _undo_of(live: Live, run_id: str) -> str:
    sql = "select run_id from etl.runs where operation ->> 'run' = :run order by started_at desc limit 1"
    return live.importing.column(sql, run=run_id)[0]


def test_check_that_fails_on_live_only_takes_the_run_back(live, reported):
    """A check fails on live though it held on the candidate: live is as before, by a run of its own, and it is said."""
    before = live.print()
    live.others(f"update match_scores set winner = 'away' where {ONE_LINE}")

    document = live.run()
    live.importing.write(f"update match_scores set winner = 'home' where {ONE_LINE}")

    run_id = document["run_id"]
    undo_id = _undo_of(live, run_id)
    assert before == live.print()
    assert ("NO-GO", 1, False) == (document["decision"], document["exit_code"], document["leagues"][APTA]["published"])
    assert ["planned", "audited", "published", "undone"] == live.steps(run_id)
    assert ["planned", "audited", "published", "verified"] == live.steps(undo_id)
    told = _reasons(document)["live_passes_checks"]
    assert "fails match_scores/winner_is_that_of_the_score in 1 row: id " in told
    assert (
        f"run {undo_id} took it back at once: everything it wrote is as before. To do: find the program that wrote"
        in told
    )
    assert [("live_passes_checks", "error", APTA)] == live.incidents(run_id)
    cause = document["leagues"][APTA]["states"][-1]["cause"]
    assert cause.startswith(f"run {undo_id} took ")
    reports = live.importing.settings.reports_dir
    assert (reports / undo_id / "index.html").is_file()
    assert "published, taken back and is as before" in (reports / run_id / "index.html").read_text()


def test_row_that_others_changed_stays_theirs(live):
    """Another program writes a published row: the plan is taken back, that value is kept and listed."""
    before = live.print()
    rating = live.importing.column(f"select pti from players where {PLANNED_PLAYER}")[0]
    live.others(f"update players set pti = 77 where {PLANNED_PLAYER}")

    document = live.run()

    told = _reasons(document)["live_equals_candidate"]
    assert "players: 1 published rows are not what the plan says" in told
    assert "pti is 77.0, planned 39.5" in told
    assert "everything it wrote is as before but 1 row that others use or have changed since: players " in told
    assert [77] == live.importing.column(f"select pti from players where {PLANNED_PLAYER}")
    live.importing.write(f"update players set pti = {rating} where {PLANNED_PLAYER}")
    assert before == live.print()


def test_users_rows_that_mean_something_else_take_the_run_back(live):
    """User accounting differs after the publish: taken back, with the rows and names that differ."""
    before = live.print()
    live.others(f"update teams set team_name = 'Elsewhere 9' where {_named(OTHER_TEAM)}")

    document = live.run()

    undo_id = _undo_of(live, document["run_id"])
    told = _reasons(document)["users_keep_their_rows"]
    assert f"polls.team_id: 1 row of '{OTHER_TEAM}' are of 'Elsewhere 9' now" in told
    assert f"run {undo_id} took it back at once: everything it wrote is as before" in told
    assert ["planned", "audited", "published", "verified"] == live.steps(undo_id)
    assert "undone" == live.steps(document["run_id"])[-1]
    live.importing.write(f"update teams set team_name = '{OTHER_TEAM}' where team_name = 'Elsewhere 9'")
    assert before == live.print()


def test_rollback_that_is_impossible_is_said_loudly(live):
    """A trigger of others refuses the way back: the rows stay, the league has failed, an incident says what to do."""
    before = live.print()
    live.others(
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'not now'; end $$",
        "create trigger refuse before update or delete on series_stats for each row execute function refuse()",
        f"update match_scores set winner = 'away' where {ONE_LINE}",
    )

    document = live.run()

    run_id = document["run_id"]
    assert before["series_stats"] != live.print()["series_stats"]
    assert ("NO-GO", 1, True) == (document["decision"], document["exit_code"], document["leagues"][APTA]["published"])
    assert ["planned", "audited", "published", "failed"] == live.steps(run_id)
    assert ["planned", "audited", "failed"] == live.steps(_undo_of(live, run_id))
    told = _reasons(document)["live_passes_checks"]
    assert "it could not be taken back (not now): its rows are still live" in told
    assert f"`rally-etl undo {run_id}`" in told
    assert [("live_passes_checks", "error", APTA)] == live.incidents(run_id)
    live.importing.write("drop function refuse() cascade")
    live.importing.write(f"update match_scores set winner = 'home' where {ONE_LINE}")
    assert ("GO", "undone") == (live.undo(run_id)["decision"], live.steps(run_id)[-1])


def test_live_that_cannot_be_read_is_never_called_verified(live):
    """The verification cannot run: the rows stay published, not verified, exit code 1, with an incident."""
    with live.verification_ended(times=2):
        document = live.run()

    run_id = document["run_id"]
    assert ("GO", 1, True) == (document["decision"], document["exit_code"], document["leagues"][APTA]["published"])
    assert ["planned", "audited", "published"] == live.steps(run_id)
    assert [("live_can_be_read", "error", APTA)] == live.incidents(run_id)
    assert "could not be read again: " in _reasons(document)["live_can_be_read"]
    assert "undone" == (live.undo(run_id), live.steps(run_id)[-1])[1]


@pytest.mark.slow
def test_lost_connection_while_reading_again_is_tried_again(live):
    """The session of the verification ends once: the second look verifies, nothing is taken back."""
    with live.verification_ended(times=1):
        document = live.run()

    assert ("GO", 0) == (document["decision"], document["exit_code"])
    assert ["planned", "audited", "published", "verified"] == live.steps(document["run_id"])
    assert any(label == "again" for label, _ in live.told)
    live.undo(document["run_id"])


@pytest.mark.slow
def test_empty_plan_is_not_taken_back(live):
    """What others broke before is not mended by taking back nothing; it is said, with an incident."""
    live.others(f"update match_scores set winner = 'away' where {ONE_LINE}")

    document = live.run(small())
    live.importing.write(f"update match_scores set winner = 'home' where {ONE_LINE}")

    assert 1 == document["exit_code"]
    assert (
        "the plan was empty, so nothing was written and nothing is taken back"
        in _reasons(document)["live_passes_checks"]
    )
    assert ["planned", "audited", "published"] == live.steps(document["run_id"])


@contextmanager
def _locked(live: Live, statement: str) -> Iterator[Callable[[], None]]:
    """Another program's open transaction that has executed *statement*; what it yields ends it."""
    other = connect(live.importing.settings, application_name="the application")
    with other.connect() as connection:
        connection.execute(sa.text(statement))
        yield connection.rollback
    other.dispose()


@pytest.mark.parametrize(
    "lock", first(1, ["select 1 from players for update", "lock table series_stats in share mode"])
)
def test_locks_that_cannot_be_had_hold_the_plan(live, lock):
    """Rows or a table stay locked: HOLD, who holds them is named, nothing is written; an approval publishes later."""
    before = live.print()
    with _locked(live, lock):
        document = live.run()
        again = live.approve(document["run_id"])

    run_id = document["run_id"]
    told = _reasons(document)["live_is_free"]
    assert ("HOLD", 4, False) == (document["decision"], document["exit_code"], document["leagues"][APTA]["published"])
    assert "the application (server process " in told and " UTC) holds rows or tables of it" in told
    assert f"nothing was written. `rally-etl approve {run_id} --by WHO" in told
    assert 4 == again["exit_code"]
    assert before == live.print()
    assert ("HOLD", True) == ((done := live.approve(run_id))["decision"], done["leagues"][APTA]["published"])
    waited = ["held", "approved"] * 2
    assert ["planned", "audited", *waited, "published", "verified"] == live.steps(run_id)
    live.undo(run_id)


@pytest.mark.slow
def test_lock_that_is_given_back_meanwhile_is_waited_for(live):
    """The other program ends after the first attempt: the second one publishes, with GO."""
    with _locked(live, "select 1 from players for update") as release:
        live.again = release
        document = live.run()

    assert ("GO", 0) == (document["decision"], document["exit_code"])
    assert ["planned", "audited", "published", "verified"] == live.steps(document["run_id"])
    live.undo(document["run_id"])


@pytest.mark.parametrize("code", first(1, ["40001", "40P01"]))
def test_conflict_of_transactions_is_tried_again(live, code):
    """The database ends the first attempt with a serialization failure or a deadlock: the second one publishes."""
    live.importing.write("create sequence attempts")
    live.importing.write(
        "create function conflict() returns trigger language plpgsql as $$ begin"
        f" if nextval('attempts') = 1 then raise 'conflict' using errcode = '{code}'; end if; return null; end $$"
    )
    live.importing.write(
        "create trigger conflict after update on players for each statement execute function conflict()"
    )

    document = live.run()
    live.importing.write("drop function conflict() cascade")
    live.importing.write("drop sequence attempts")

    assert ["GO"] == [document["decision"]], _reasons(document)
    assert ("again", f"publish {APTA}: conflict; attempt 2 of {writing.ATTEMPTS}") in live.told
    live.undo(document["run_id"])


@pytest.mark.parametrize("is_committed", [True, False], ids=["after the commit", "before the commit"])
def test_connection_that_is_lost_while_committing(live, is_committed):
    """Nobody hears what became of the commit: the ledger tells, and the plan is written once."""
    engine, lost = live.importing.engine, []

    def notice(connection: sa.Connection, cursor: Any, statement: str, *_: Any) -> None:
        connection.info["publishes"] = "state = 'published'" in statement

    def lose(connection: sa.Connection) -> None:
        if connection.info.pop("publishes", False) and not lost:
            lost.append(True)
            session = connection.connection.dbapi_connection
            if is_committed:
                session.commit()
            session.close()

    sa.event.listen(engine, "before_cursor_execute", notice)
    sa.event.listen(engine, "commit", lose)
    document = live.run()
    sa.event.remove(engine, "before_cursor_execute", notice)
    sa.event.remove(engine, "commit", lose)

    assert [True] == lost
    assert ("GO", 0) == (document["decision"], document["exit_code"]), _reasons(document)
    assert ["planned", "audited", "published", "verified"] == live.steps(document["run_id"])
    live.undo(document["run_id"])


def test_database_that_does_not_answer_leaves_open_what_happened(live, monkeypatch):
    """The connection is lost and the database is gone: nobody claims that nothing was written."""

    def publish(*_: Any, **__: Any) -> None:
        raise sa.exc.OperationalError("commit", {}, _Gone("server closed the connection"), connection_invalidated=True)

    monkeypatch.setattr(writing.planning, "publish", publish)
    nowhere = replace(live.importing.settings, database_url="postgresql://127.0.0.1:1/nowhere")
    away = sa.create_engine(nowhere.database_url.replace("postgresql:", "postgresql+psycopg2:"))

    with pytest.raises(
        PublishUnknown, match=r"it holds the whole plan or nothing of it\nhint: bring the database back"
    ):
        writing.write(away, nowhere, "20251001T000000-test", [APTA])


class _Gone(psycopg2.OperationalError):
    """What the driver raises when the server has gone."""


@pytest.mark.parametrize(
    ("decision", "dry_run", "steps"),
    [
        ("GO", True, ["planned", "audited"]),
        ("HOLD", True, ["planned", "audited"]),
        ("HOLD", False, ["planned", "audited", "held"]),
        ("NO-GO", False, ["planned", "refused"]),
    ],
)
def test_steps_of_a_league_that_is_not_published(live, decision, dry_run, steps):
    """Each step with its time and its cause, in the ledger and in the run's document."""
    document = live.run(decision=decision, dry_run=dry_run)

    found = document["leagues"][APTA]["states"]
    assert steps == [step["state"] for step in found] == live.steps(document["run_id"])
    assert steps[-1] == document["leagues"][APTA]["state"]
    assert all(step["at"].endswith("+00:00") for step in found)
    wanted = {
        "audited": "the gate decided GO" if decision == "GO" else "the gate decided HOLD: a sentence of the gate",
        "held": "it waits for an approval: a sentence of the gate",
        "refused": "a sentence of the gate",
    }
    assert [wanted[step["state"]] for step in found[1:]] == [step["cause"] for step in found[1:]]


@pytest.mark.slow
def test_steps_of_an_undo_and_of_its_undo(live):
    """What is taken back is undone, what comes back is verified again, along the whole chain."""
    run_id = live.run()["run_id"]
    undo = live.undo(run_id)["run_id"]
    assert (["undone"], ["verified"]) == (live.steps(run_id)[4:], live.steps(undo)[3:])

    again = live.undo(undo)["run_id"]
    assert (["undone", "verified"], ["undone"]) == (live.steps(run_id)[4:], live.steps(undo)[4:])

    live.undo(again)
    assert ["undone", "verified", "undone"] == live.steps(run_id)[4:]
    assert (["undone", "verified"], ["undone"]) == (live.steps(undo)[4:], live.steps(again)[4:])


def test_run_that_stops_has_failed(live, monkeypatch):
    """An error of the program after the gate: the run and its league have failed, with the error as the cause."""

    def broken(*_: Any, **__: Any) -> bool:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(publishing, "write", broken)
    with pytest.raises(ZeroDivisionError):
        live.run()

    latest = "select state, cause from etl.run_leagues join etl.runs using (run_id) order by started_at desc limit 1"
    state, cause = live.importing.rows(latest)[0]
    assert ("failed", "it ended before its first stage: ZeroDivisionError: a bug") == (state, cause)


def test_approval_that_stops_waits_on(live, monkeypatch):
    """An error of the program during an approval: the plan is held as before, and can be approved again."""
    run_id = live.run(decision="HOLD")["run_id"]

    def broken(*_: Any, **__: Any) -> bool:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "write", broken)
        with pytest.raises(ZeroDivisionError):
            live.approve(run_id)
    assert ["held", "approved", "held"] == live.steps(run_id)[2:]

    assert live.approve(run_id)["leagues"][APTA]["published"]
    live.undo(run_id)


def test_a_step_that_there_is_not_is_refused(live):
    """The database refuses it, whoever writes: from planned nothing is published, nothing follows on refused."""
    run_id = live.importing.stage(small())
    engine = live.importing.engine
    for state, other in (("published", "cannot become published"), ("refused", ""), ("audited", "is refused, which")):
        if other:
            with pytest.raises(sa.exc.IntegrityError, match=other), engine.begin() as connection:
                states.move(connection, run_id, [APTA], state, "a try")
        else:
            with engine.begin() as connection:
                states.move(connection, run_id, [APTA], state, "a try")

    assert ["planned", "refused"] == live.steps(run_id)


def test_rollback_by_itself_can_be_undone(live, monkeypatch):
    """The undo that the product made is a run like any other: its undo brings the published rows back."""
    seen = verification.Seen({"users_keep_their_rows": ["polls.team_id: 1 row points at nothing"]})
    with monkeypatch.context() as patched:
        patched.setattr(publishing, "see", lambda *_, **__: seen)
        document = live.run()
    undo_id = _undo_of(live, document["run_id"])
    assert ["planned", "audited", "published", "verified"] == live.steps(undo_id)

    brought_back = live.undo(undo_id)

    assert "verified" == live.steps(document["run_id"])[-1]
    assert {} == live.importing.changes(live.importing.plan(changed()))
    live.undo(brought_back["run_id"])


def test_rollback_of_a_rollback_is_not_tried(live, monkeypatch):
    """A rollback that others do not see as promised either is said, and ends there."""
    calls = []

    def see(engine: sa.Engine, settings: Any, run_id: str, *_: Any, **named: Any) -> verification.Seen:
        calls.append(run_id)
        return verification.Seen({"live_equals_candidate": [f"look {len(calls)}"]})

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "see", see)
        patched.setattr(rollback, "see", see)
        document = live.run()

    assert [document["run_id"], _undo_of(live, document["run_id"])] == calls
    assert "took it back at once, but reading it again says: look 2" in _reasons(document)["live_equals_candidate"]
