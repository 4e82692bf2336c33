"""Whole runs without a scrape, through the notebooks: a merge, its undo, and what a killed stage leaves behind."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from inprocess import rally_etl
from rally_etl import leftovers, runs
from rally_etl.database.engine import connect
from rally_etl.errors import UsageError
from rally_etl.sample import season
from rally_etl.sample.users import users
from rally_etl.settings import Settings
from scrapes import Import, fingerprint

AS_OF = season.WEEKS[0].as_of
TEAM, TWIN = "Tennaqua 2", "Tennaqua SC 2"
STAGES = ["baseline", "import", "validation", "integration", "monitoring", "gate"]

# A second row for a team: two of its players, a meeting and a row in the standings are its, and a user's poll.
TWIN_ROWS = (
    "insert into teams (club_id, series_id, league_id, team_name, display_name, team_alias)"
    " select club_id, series_id, league_id, :twin, :twin, team_alias from teams where team_name = :team",
    "update players set team_id = (select id from teams where team_name = :twin) where id in ("
    " select p.id from players as p join teams as t on t.id = p.team_id where t.team_name = :team"
    " order by p.id desc limit 2)",
    "update schedule set home_team = :twin, home_team_id = (select id from teams where team_name = :twin)"
    " where id = (select max(id) from schedule where home_team = :team)",
    "insert into series_stats (league_id, series, team, series_id, team_id, points, matches_won, matches_lost)"
    " select league_id, series, :twin, series_id, (select id from teams where team_name = :twin), 0, 0, 0"
    " from series_stats where team = :team",
    "insert into polls (team_id, question) select id, 'Dinner after practice?' from teams where team_name = :twin",
)


@dataclass(slots=True)
class Project:
    """A database with the sample's first week, its users, and one team in two rows."""

    settings: Settings
    engine: sa.Engine
    prints: dict[str, dict[str, str]] = field(default_factory=dict)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)

    def ids(self) -> tuple[int, int]:
        """The row that goes and the one that stays."""
        sql = "select min(id) filter (where team_name like :twin), min(id) filter (where team_name = :team) from teams"
        with self.engine.connect() as connection:
            return tuple(connection.execute(sa.text(sql), {"twin": f"{TWIN}%", "team": TEAM}).one())

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command in a process of its own; its notebooks run within it."""
        return rally_etl(self.settings, *arguments)


@pytest.fixture(scope="module")
def project(module_settings: Settings, module_engine: sa.Engine) -> Iterator[Project]:
    """The merge by command, then its undo by call."""
    project = Project(module_settings, module_engine)
    weeks = season.write(module_settings.root / "weeks")
    Import(module_engine, module_settings).load(weeks[0])
    users(module_engine)
    with module_engine.begin() as connection:
        for statement in TWIN_ROWS:
            given = {"twin": TWIN, "team": TEAM}
            connection.execute(
                sa.text(statement), {name: text for name, text in given.items() if f":{name}" in statement}
            )
    project.prints["before"] = fingerprint(module_engine)
    loser, winner = project.ids()
    told = ("--by", "Ann Example", "--reason", "one team", "--as-of", AS_OF.isoformat(), "--json")
    done = project.command("merge", "teams", str(loser), "into", str(winner), *told)
    project.documents["merge"] = json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}
    assert 0 == done.returncode, done.stderr
    project.prints["merged"] = fingerprint(module_engine)
    done = project.command("undo", project.documents["merge"]["run_id"], *told[-3:])  # nobody has to say who and why
    project.documents["undo"] = json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}
    project.prints["undone"] = fingerprint(module_engine)
    yield project


def test_merge_is_a_run_like_any_other(project):
    """Six notebooks, a decision of GO, published at once, a report; users' rows and imported ones have moved."""
    document = project.documents["merge"]
    loser, winner = project.ids()

    assert ("GO", 0) == (document["decision"], document["exit_code"]), json.dumps(document, indent=1)
    assert [(stage, "completed") for stage in STAGES] == [
        (found["stage"], found["status"]) for found in document["stages"]
    ]
    assert f"merge teams {loser} into {winner}" == document["source"]
    assert ["APTA_CHICAGO"] == list(document["leagues"])
    assert document["leagues"]["APTA_CHICAGO"]["published"]
    assert (project.settings.root / document["report"]).is_file()
    assert {"teams", "players", "schedule", "series_stats", "polls"} == {
        table
        for table in project.prints["before"]
        if project.prints["before"][table] != project.prints["merged"][table]
    }


def test_undo_brings_every_table_back(project):
    """Through notebooks and gate, too: the fingerprint of all public tables is that of before the merge."""
    document = project.documents["undo"]

    assert ("GO", True) == (document["decision"], document["leagues"]["APTA_CHICAGO"]["published"]), document
    assert project.prints["before"] == project.prints["undone"]


def test_runs_lists_operations_by_what_they_did(project):
    """`rally-etl runs` says what was merged and what was undone where an import has its folder."""
    done = project.command("runs")
    loser, winner = project.ids()

    assert f"merge teams {loser} into {winner}" in done.stdout
    assert f"undo {project.documents['merge']['run_id']}" in done.stdout


def test_wrong_use_begins_no_run(project):
    """No such row, no such table, another word than INTO, no reason: exit code 2, and `runs` lists nothing new."""
    count = len(project.command("runs").stdout.splitlines())
    signed = ("--by", "Ann Example", "--reason", "why not")
    for arguments in (
        ("merge", "teams", "998", "INTO", "999", *signed),
        ("merge", "leagues", "1", "INTO", "2", *signed),
        ("merge", "teams", "1", "UNDER", "2", *signed),
        ("merge", "teams", "1", "INTO", "2", "--by", "Ann Example", "--reason", " "),
        ("undo", "nonsense", *signed),
    ):
        done = project.command(*arguments)
        assert 2 == done.returncode, done.stderr
        assert "hint: " in done.stderr and "nothing was planned" in done.stderr
    assert count == len(project.command("runs").stdout.splitlines())


def test_approval_of_an_operation_is_for_all_its_leagues(engine, settings):
    """What is published in one transaction is approved as one."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into etl.runs (run_id, source, as_of, operation)"
                """ values ('20251001T000000-test', 'x', '2025-10-01', '{"kind": "merge"}')"""
            )
        )
        connection.execute(
            sa.text(
                "insert into etl.run_leagues (run_id, league, decision, state)"
                " values ('20251001T000000-test', 'NSTF', 'HOLD', 'held'),"
                " ('20251001T000000-test', 'CITA', 'HOLD', 'held')"
            )
        )

    with pytest.raises(UsageError, match="in all its leagues or in none; nothing was published\nhint: "):
        runs.approve(settings, "20251001T000000-test", "Ann Example", "why not", ("NSTF",))


def test_sessions_of_a_killed_stage_are_ended(engine, settings):
    """A transaction that a dead kernel has left open holds its locks; the next run ends it, and no reader's session."""
    left = connect(settings, application_name="rally-etl import")
    reading = connect(settings, application_name="rally-etl validation")
    with left.connect() as writer, reading.connect() as reader:
        writer.execute(sa.text("lock table public.teams in access exclusive mode"))
        reader.execute(sa.text("select count(*) from public.players"))
        done = threading.Thread(target=leftovers.tidy, args=(engine, settings))
        done.start()
        done.join(timeout=30)

        assert not done.is_alive()
        with engine.begin() as connection:
            connection.execute(sa.text("set local lock_timeout = '1s'"))
            connection.execute(sa.text("lock table public.teams in access exclusive mode"))
        assert 0 == reader.execute(sa.text("select count(*) from public.players")).scalar()
        with pytest.raises(sa.exc.OperationalError):
            writer.execute(sa.text("select 1"))
        writer.invalidate()
    left.dispose()
    reading.dispose()
