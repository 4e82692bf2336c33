"""Importers of the old kind under protection: nothing of users is lost or means another thing, or all is back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY, MakeDatabase, first, project
from rally_etl import guarding, leftovers, planning, publishing, runs, verification
from rally_etl.database.engine import connect
from rally_etl.errors import UsageError
from rally_etl.operations import KINDS
from rally_etl.outcomes import decide
from rally_etl.planning import import_measures
from rally_etl.protection import integration_measures
from rally_etl.sample import season
from rally_etl.sample.users import users
from rally_etl.settings import Settings
from scrapes import Import, audited, fingerprint

LEGACY = Path(__file__).parent / "legacy/recreate.py"
AS_OF = season.WEEKS[0].as_of
LEDGER_SCHEMAS = "select nspname from pg_namespace where nspname ~ '^(guard|after)_'"

# What rows of users say, with the names of what they point at, and the ids beside them.
POINTING = {
    "polls": "select x.id, x.question, t.team_name, x.team_id from polls as x left join teams as t on t.id = x.team_id",
    "answers": "select x.poll_id, x.choice_id, p.first_name, p.last_name, g.league_id, x.player_id"
    " from poll_responses as x left join players as p on p.id = x.player_id"
    " left join leagues as g on g.id = p.league_id",
    "contexts": "select x.user_id, g.league_id, t.team_name, s.name, x.team_id, x.series_id from user_contexts as x"
    " left join leagues as g on g.id = x.league_id left join teams as t on t.id = x.team_id"
    " left join series as s on s.id = x.series_id",
    "accounts": "select x.id, x.email, g.league_id, x.league_context from users as x"
    " left join leagues as g on g.id = x.league_context",
    "associations": "select x.user_id, x.tenniscores_player_id, (select count(*) from players as p"
    " where p.tenniscores_player_id = x.tenniscores_player_id and p.is_active) from user_player_associations as x",
    "availability": "select x.id, x.player_name, x.match_date, x.availability_status, s.name, p.first_name,"
    " p.last_name, x.series_id, x.player_id from player_availability as x left join series as s on s.id = x.series_id"
    " left join players as p on p.id = x.player_id",
    "messages": "select x.id, x.message, t.team_name, x.team_id from captain_messages as x"
    " left join teams as t on t.id = x.team_id",
    "lineups": "select x.id, x.lineup_data, t.team_name, x.team_id from saved_lineups as x"
    " left join teams as t on t.id = x.team_id",
    "tracking": "select x.id, x.player_id, t.team_name, g.league_id, x.team_id, x.league_id from player_season_tracking"
    " as x left join teams as t on t.id = x.team_id left join leagues as g on g.id = x.league_id",
    "practices": "select x.match_date, x.match_time, x.home_team, t.team_name, g.league_id, x.home_team_id"
    " from schedule as x left join teams as t on t.id = x.home_team_id left join leagues as g on g.id = x.league_id"
    " where x.home_team ilike '%practice%'",
}
IDS = {"polls": 1, "answers": 1, "contexts": 2, "accounts": 1, "availability": 2, "messages": 1, "lineups": 1,
       "tracking": 2, "practices": 1}  # fmt: skip
"""How many of the last columns are ids."""


@dataclass(slots=True)
class Season:
    """The sample's first week with its users, and a picture of what users' rows say, taken by the test itself."""

    engine: sa.Engine
    settings: Settings
    told: list[tuple[str, str]] = field(default_factory=list)

    def pointing(self, with_ids: bool) -> dict[str, list[str]]:
        """What rows of users say, by name, and by id too if wanted."""
        with self.engine.connect() as connection:
            return {
                name: sorted(
                    str(tuple(row) if with_ids else tuple(row)[: len(row) - IDS.get(name, 0)])
                    for row in connection.execute(sa.text(sql))
                )
                for name, sql in POINTING.items()
            }

    def names(self) -> dict[str, int]:
        """Teams and their ids."""
        with self.engine.connect() as connection:
            return dict(connection.execute(sa.text("select team_name, id from teams")).all())

    def guard(self, *options: str, command: tuple[str, ...] = (), **order: Any) -> dict[str, Any]:
        """Guard the importer."""
        asked = guarding.Order(
            command=command or (sys.executable, str(LEGACY), *options), by="Ann Example", reason="a test", **order
        )
        tell = lambda label, text: self.told.append((label, text))  # noqa: E731
        return guarding.guard(self.settings, asked, tell, AS_OF)

    def scalar(self, sql: str, **binds: Any) -> Any:
        """One value."""
        with self.engine.connect() as connection:
            return connection.scalar(sa.text(sql), binds)


@pytest.fixture(scope="module")
def season_database(
    make_database: MakeDatabase, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The name of a database with the sample's first week and its users."""
    with make_database(template_database) as url:
        settings = project(tmp_path_factory.mktemp("season"), url)
        engine = connect(settings, application_name="rally-etl tests")
        Import(engine, settings).load(season.write(settings.root / "sample")[0])
        users(engine)
        with engine.begin() as connection:
            connection.execute(sa.text("update clubs set logo_filename = name || '.png'"))
        engine.dispose()
        yield sa.make_url(url).database


@pytest.fixture
def live(make_database: MakeDatabase, season_database: str, tmp_path: Path) -> Iterator[Season]:
    """A database of the test's own."""
    with make_database(season_database) as url:
        settings = project(tmp_path, url)
        engine = connect(settings, application_name="rally-etl tests")
        yield Season(engine, settings)
        engine.dispose()


def without_notebooks(engine, settings, run_id, dry_run, tell, concluding):
    """A run's plan, its evidence about rows of users, and its publish, in a second."""
    planning.make_plan(engine, settings, run_id, kinds=KINDS)
    audited(engine, run_id)
    measures = integration_measures(engine, settings, run_id)
    wrong = {
        league: [f"{name}: {each['detail']}" for name, each in found.items() if each["value"]]
        for league, found in measures.items()
    }
    decision = "NO-GO" if any(wrong.values()) else "GO"
    outcomes = {
        league: runs.Outcome(decision, [runs.no_go("integration", "integration", text) for text in texts])
        for league, texts in wrong.items()
    }
    if decision == "GO" and not dry_run:
        planning.publish(engine, run_id, outcomes)
        assert [] == planning.verify(engine, run_id, outcomes)
        for outcome in outcomes.values():
            outcome.is_published = True
    concluding(outcomes)
    return runs.finish(engine, settings, run_id, outcomes, dry_run)


@pytest.fixture
def quick(live: Season, monkeypatch: pytest.MonkeyPatch) -> Season:
    """The same without notebooks, checks and gate."""
    monkeypatch.setattr(runs, "go_through", without_notebooks)
    return live


def held(*arguments):
    """A run that the gate holds for approval."""
    engine, settings, run_id, dry_run, _, concluding = arguments
    planning.make_plan(engine, settings, run_id, kinds=KINDS)
    audited(engine, run_id)
    with engine.connect() as connection:
        leagues = connection.scalars(sa.text("select league from etl.run_leagues where run_id = :run"), {"run": run_id})
        outcomes = {league: runs.Outcome("HOLD") for league in leagues}
    concluding(outcomes)
    return runs.finish(engine, settings, run_id, outcomes, dry_run)


def not_as_promised(engine, settings, run_id, dry_run, tell, concluding):
    """A run whose rows others do not see as promised after they were published."""
    planning.make_plan(engine, settings, run_id, kinds=KINDS)
    with engine.connect() as connection:
        leagues = connection.scalars(sa.text("select league from etl.run_leagues where run_id = :run"), {"run": run_id})
        outcomes = {league: runs.Outcome("GO") for league in leagues}
    decide(engine, run_id, outcomes, dry_run)
    publishing.publish(engine, settings, run_id, outcomes, tell)
    concluding(outcomes)
    return runs.finish(engine, settings, run_id, outcomes, dry_run)


def is_back(live: Season, before: dict[str, str], document: dict[str, Any]) -> None:
    """Every row is as it was, the run says NO-GO, and nothing is left behind."""
    assert before == fingerprint(live.engine)
    assert document["decision"] == "NO-GO" and document["exit_code"] == 3
    assert document["guard"]["is_restored"]
    assert live.scalar(LEDGER_SCHEMAS) is None
    assert (live.settings.root / document["report"]).exists()


@pytest.mark.slow
def test_importer_that_makes_everything_anew_leaves_the_ids_that_users_know(live):
    """New ids everywhere, practices gone, polls emptied: afterwards every row of every table is as it was."""
    before, names = fingerprint(live.engine), live.names()
    document = live.guard()

    assert (document["decision"], document["guard"]["method"]) == ("GO", "old_ids"), document["leagues"]
    assert names == live.names()
    assert before == fingerprint(live.engine)
    assert document["guard"]["command_exit"] == 0 and document["guard"]["preserved"] == 0
    assert live.scalar(LEDGER_SCHEMAS) is None


def test_few_new_ids_are_followed_or_taken_back_whichever_changes_less(quick):
    """Nearly all ids are preserved: which way is taken is said with both counts; rows of users say what they said."""
    before = quick.pointing(with_ids=False)
    document = quick.guard("--few")

    assert document["decision"] == "GO", document["leagues"]
    assert document["guard"]["preserved"] == document["guard"]["entities"] - 3
    assert before == quick.pointing(with_ids=False)
    assert "references of users would get new ids" in document["guard"]["why"]


SQL = "import os, psycopg2; c = psycopg2.connect(os.environ['DATABASE_URL']); c.cursor().execute({!r}); c.commit()"
"""A command that runs statements and commits."""

# One team of users gets another id, as its importer deletes and inserts it; its poll goes, its practices go.
REISSUE = """
    set session_replication_role = replica;
    create temporary table was as select * from teams where team_name = 'Tennaqua 2';
    delete from schedule where home_team ilike '%practice%' and home_team_id = (select id from was);
    delete from poll_responses; delete from poll_choices; delete from polls;
    delete from teams where team_name = 'Tennaqua 2';
    insert into teams (club_id, series_id, league_id, team_name, display_name, team_alias)
    select club_id, series_id, league_id, team_name, display_name, team_alias from was;
    create temporary table now as select w.id as old, t.id as new from was as w join teams as t using (team_name);
    update players set team_id = new from now where team_id = old;
    update match_scores set home_team_id = new from now where home_team_id = old;
    update match_scores set away_team_id = new from now where away_team_id = old;
    update schedule set home_team_id = new from now where home_team_id = old;
    update schedule set away_team_id = new from now where away_team_id = old;
    update series_stats set team_id = new from now where team_id = old;
    update players set pti = pti + 1 where team_id = (select new from now)
"""


@pytest.mark.slow
def test_rows_of_users_follow_a_team_under_its_new_id(live):
    """Directly taken over: the team keeps the id that the command gave it, and all that users said is said of it."""
    before, old = live.pointing(with_ids=False), live.names()["Tennaqua 2"]
    document = live.guard(command=(sys.executable, "-c", SQL.format(REISSUE)))

    assert (document["decision"], document["guard"]["method"]) == ("GO", "direct"), document["leagues"]
    new = live.names()["Tennaqua 2"]
    assert new != old
    assert before == live.pointing(with_ids=False)
    for table, column in (("polls", "team_id"), ("user_contexts", "team_id"), ("captain_messages", "team_id")):
        assert live.scalar(f"select count(*) from {table} where {column} = :id", id=old) == 0
        assert live.scalar(f"select count(*) from {table} where {column} = :id", id=new) > 0
    assert live.scalar("select into_id from etl.redirects where table_name = 'teams' and from_id = :id", id=old) == new
    assert live.scalar("select count(*) from etl.user_rows where gone_at is not null") == 0


@pytest.mark.parametrize(("method", "old_ids"), first(1, [("direct", False), ("old_ids", True)]))
def test_what_others_do_not_see_as_promised_is_taken_back_once(live, monkeypatch, method, old_ids):
    """The command's own rows go by the guard's snapshot, rows under old ids by their plan: never both."""
    before, redirects = fingerprint(live.engine), "select count(*) from etl.redirects where ended_at is null"
    seen = verification.Seen({"users_keep_their_rows": ["polls.team_id: 1 row points at nothing"]})
    monkeypatch.setattr(publishing, "see", lambda *_, **__: seen)
    monkeypatch.setattr(runs, "go_through", not_as_promised)
    document = live.guard(command=(sys.executable, "-c", SQL.format(REISSUE)), old_ids=old_ids)

    assert method == document["guard"]["method"]
    assert ("NO-GO", 1) == (document["decision"], document["exit_code"])
    assert before == fingerprint(live.engine)
    assert {("undone", False)} == {(each["state"], each["published"]) for each in document["leagues"].values()}
    by_plan = live.scalar("select count(*) from etl.runs where operation ->> 'run' = :run", run=document["run_id"])
    assert (method == "old_ids") == bool(by_plan)
    assert live.scalar(LEDGER_SCHEMAS) is None
    assert 0 == live.scalar(redirects)


@pytest.mark.parametrize(
    "options",
    [
        ("--reset-ids",),
        pytest.param(("--per-row",), marks=pytest.mark.slow),
        pytest.param(("--delete-users-rows", "--edit-clubs"), marks=pytest.mark.slow),
    ],
)
def test_no_row_is_lost_however_the_importer_does_it(quick, options):
    """Row by row, with ids that something else had, or with users' rows deleted: all is as it was."""
    before = quick.pointing(with_ids=True)
    rows = fingerprint(quick.engine)
    document = quick.guard(*options)

    assert document["decision"] == "GO", document["leagues"]
    assert before == quick.pointing(with_ids=True)
    assert rows == fingerprint(quick.engine)


@pytest.mark.parametrize(
    ("options", "order", "telling"),
    [
        (("--die-at", "50"), {}, "exit code 1"),
        (("--hang",), {"timeout_s": 3}, "3 s"),
        (("--drop-table", "teams"), {}, "teams is gone"),
    ],
)
def test_importer_that_fails_is_undone(live, options, order, telling):
    """It dies half-way, hangs or drops a table: the database is back, and the run says what happened."""
    before = fingerprint(live.engine)
    document = live.guard(*options, **order)

    is_back(live, before, document)
    reasons = [reason["message"] for league in document["leagues"].values() for reason in league["reasons"]]
    assert all(telling in message for message in reasons), reasons
    assert all(f"reports/{document['run_id']}" in message or "teams" in message for message in reasons)


@pytest.mark.slow
def test_importer_that_breaks_a_rule_is_undone(live):
    """What it brought fails a check: NO-GO, and the database is as it was."""
    before = fingerprint(live.engine)
    sql = "update match_scores set winner = case winner when 'home' then 'away' else 'home' end"
    document = live.guard(command=(sys.executable, "-c", SQL.format(sql)))

    is_back(live, before, document)
    assert any(reason["stage"] == "validation" for one in document["leagues"].values() for reason in one["reasons"])


@pytest.mark.slow
def test_importer_that_changes_nothing_is_go(quick):
    """Nothing to take over: GO, and nothing was planned."""
    before = fingerprint(quick.engine)
    document = quick.guard(command=(sys.executable, "-c", "print('nothing to do')"))

    assert (document["decision"], document["guard"]["method"]) == ("GO", "nothing")
    assert before == fingerprint(quick.engine)
    assert "nothing to do" in (quick.settings.reports_dir / document["run_id"] / "logs/command.log").read_text()


@pytest.mark.parametrize("options", [pytest.param((), marks=pytest.mark.slow), ("--few",)])
def test_rehearsal_always_goes_back(quick, options):
    """A dry run says what would be kept, and keeps nothing."""
    before = fingerprint(quick.engine)
    document = quick.guard(*options, dry_run=True)

    assert document["decision"] == "GO" and document["dry_run"]
    assert before == fingerprint(quick.engine)
    assert quick.scalar(LEDGER_SCHEMAS) is None


BETTER = "update players set pti = pti + 1; update series_stats set points = points + 1"


@pytest.mark.slow
def test_what_came_under_the_old_ids_can_wait_for_an_approval(live, monkeypatch):
    """HOLD: live is as before, nothing but the plan is left, and approving it publishes what the command brought."""
    before = fingerprint(live.engine)
    monkeypatch.setattr(runs, "go_through", held)
    document = live.guard(command=(sys.executable, "-c", SQL.format(BETTER)), old_ids=True)

    assert (document["decision"], document["guard"]["method"]) == ("HOLD", "old_ids")
    assert before == fingerprint(live.engine) and live.scalar(LEDGER_SCHEMAS) is None
    approved = runs.approve(live.settings, document["run_id"], "Ann Example", "looked at it")
    assert all(league["published"] for league in approved["leagues"].values())
    changed = {name for name, rows in fingerprint(live.engine).items() if rows != before[name]}
    assert changed == {"players", "series_stats"}


def test_what_stays_under_new_ids_cannot_wait(live, monkeypatch):
    """HOLD where the command's own rows are live: the database goes back, and the reason says how it can wait."""
    before = fingerprint(live.engine)
    monkeypatch.setattr(runs, "go_through", held)
    document = live.guard(command=(sys.executable, "-c", SQL.format(BETTER)))

    is_back(live, before, document)
    told = [reason["message"] for league in document["leagues"].values() for reason in league["reasons"]]
    assert told and all("--old-ids" in message for message in told)


@pytest.mark.slow
def test_teams_that_a_command_brings_are_counted_where_its_rows_stay(quick):
    """No plan shows them, but the gate has to: new teams and new series, per league."""
    sql = (
        "insert into series (name, display_name, league_id) select 'Series 77', 'Series 77', id from leagues"
        " where league_id = 'NSTF'; insert into teams (club_id, series_id, league_id, team_name, display_name)"
        " select c.id, s.id, s.league_id, c.name || ' S77', c.name || ' S77' from clubs as c, series as s"
        " where s.name = 'Series 77' order by c.id limit 3"
    )
    document = quick.guard(command=(sys.executable, "-c", SQL.format(sql)))

    found = import_measures(quick.engine, quick.settings, document["run_id"])
    assert document["guard"]["method"] == "direct"
    assert (found["NSTF"]["series_new"]["value"], found["APTA_CHICAGO"]["series_new"]["value"]) == (1, 0)
    assert found["NSTF"]["teams_new_share"]["value"] > 0.05
    assert len(found["NSTF"]["teams_new_share"]["detail"]) == 3


@pytest.mark.slow
def test_some_tables_are_guarded_and_the_others_keep_the_ids_they_know(quick):
    """With --tables the old ids stay: rows of the tables that were not copied still mean what they meant."""
    before = quick.pointing(with_ids=True)
    document = quick.guard(tables=("polls",))

    assert (document["decision"], document["guard"]["method"]) == ("GO", "old_ids"), document["leagues"]
    assert "is not guarded" in document["guard"]["why"]
    assert before == quick.pointing(with_ids=True)


def test_what_users_add_while_the_command_runs_stays(quick):
    """A user who signs up meanwhile is there afterwards; a poll that a user has changed is put back and set aside."""
    sql = (
        "insert into users (email, password_hash) values ('new@sample.example', '!');"
        " update polls set question = 'Another question?' where id = (select min(id) from polls);" + BETTER
    )
    before = quick.pointing(with_ids=True)
    document = quick.guard(command=(sys.executable, "-c", SQL.format(sql)), old_ids=True)

    assert document["decision"] == "GO", document["leagues"]
    assert quick.scalar("select count(*) from users where email = 'new@sample.example'") == 1
    assert before["polls"] == quick.pointing(with_ids=True)["polls"]
    aside = "select image ->> 'question' from etl.guard_rows where run_id = :run and table_name = 'polls'"
    assert quick.scalar(aside, run=document["run_id"]) == "Another question?"


def test_guard_that_was_killed_is_put_back_by_the_next_start(live):
    """Killed while the command works: the next start of anything puts the snapshot back first, and says so."""
    before = fingerprint(live.engine)
    environment = os.environ | {
        "DATABASE_URL": live.settings.database_url,
        "RALLY_HOME": str(live.settings.root),
        "PYTHONPATH": str(REPOSITORY / "lib"),
    }
    wait = "; import time; print('written', flush=True); time.sleep(600)"
    script = SQL.format("delete from polls; update teams set team_alias = 'x'").replace(
        "c.commit()", "c.commit()" + wait
    )
    guard = subprocess.Popen(
        [sys.executable, "-m", "rally_etl", "guard", "--", sys.executable, "-c", script],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(600):
        if live.scalar("select count(*) from polls") == 0:
            break
        time.sleep(0.1)
    guard.send_signal(signal.SIGKILL)
    guard.wait()
    assert before != fingerprint(live.engine)

    leftovers.tidy(live.engine, live.settings, lambda label, text: live.told.append((label, text)))

    assert before == fingerprint(live.engine)
    assert any("was stopped while it guarded a command" in text for _, text in live.told)
    assert live.scalar(LEDGER_SCHEMAS) is None


def test_what_cannot_be_guarded_is_refused_before_anything_happens(live):
    """A table or a program that does not exist: no run begins."""
    for order, telling in (({"tables": ("polks",)}, "polks"), ({"command": ("no-such-program",)}, "no-such-program")):
        with pytest.raises(UsageError, match=telling):
            live.guard(**order)
    assert live.scalar("select count(*) from etl.guards") == 0
