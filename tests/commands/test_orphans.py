"""`rally-etl orphans`: what it prints and answers, and a whole repair through notebooks, gate, publish and undo."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from inprocess import rally_etl
from rally_etl.database.references import read_reference_params
from rally_etl.protection.memory import note_users
from rally_etl.sample import season
from rally_etl.sample.users import users
from rally_etl.settings import Settings
from scrapes import Import, fingerprint

TEAM = "Tennaqua 2"
SIGNED = ("--by", "Ann Example", "--reason", "ids were issued again", "--as-of", season.WEEKS[0].as_of.isoformat())
# A team under another id; what imports wrote follows, users' rows do not. A second team is gone for good.
BREAKS = (
    "alter table polls drop constraint fk_polls_team_id",
    "set local session_replication_role = replica",
    "update teams set id = 900 where id = :team",
    "update players set team_id = 900 where team_id = :team",
    "update match_scores set home_team_id = 900 where home_team_id = :team",
    "update match_scores set away_team_id = 900 where away_team_id = :team",
    "update series_stats set team_id = 900 where team_id = :team",
    "update schedule set home_team_id = 900 where home_team_id = :team",
    "update schedule set away_team_id = 900 where away_team_id = :team",
    "update user_contexts set team_id = 900 where team_id = :team",
    "update captain_messages set team_id = 900 where team_id = :team",
    "update saved_lineups set team_id = 900 where team_id = :team",
    "update player_season_tracking set team_id = 900 where team_id = :team",
    "insert into polls (team_id, question) values (777, 'Who brings the balls?')",
    "select setval('teams_id_seq', 1000)",
)


@dataclass(slots=True)
class Project:
    """A broken database and what the command said of it."""

    settings: Settings
    engine: sa.Engine
    team: int = 0
    prints: dict[str, dict[str, str]] = field(default_factory=dict)
    done: dict[str, subprocess.CompletedProcess[str]] = field(default_factory=dict)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command in a process of its own; its notebooks run within it."""
        return rally_etl(self.settings, *arguments)

    def column(self, sql: str) -> list[Any]:
        """First column of a query."""
        with self.engine.connect() as connection:
            return list(connection.scalars(sa.text(sql)))


@pytest.fixture(scope="module")
def project(module_settings: Settings, module_engine: sa.Engine) -> Iterator[Project]:
    """Found, tried, repaired, answered, repaired again, and the first repair taken back; each by command."""
    project = Project(module_settings, module_engine)
    Import(module_engine, module_settings).load(season.write(module_settings.root / "weeks")[0])
    users(module_engine)
    params = read_reference_params(module_settings.params_dir / "references.yaml")
    with module_engine.begin() as connection:
        note_users(connection, params)
    project.done["none"] = project.command("orphans")
    project.team = project.column(f"select id from teams where team_name = '{TEAM}'")[0]
    with module_engine.begin() as connection:
        for statement in BREAKS:
            connection.execute(sa.text(statement), {"team": project.team} if ":team" in statement else {})
    project.prints["broken"] = fingerprint(module_engine)
    project.done["found"] = project.command("orphans")
    project.done["json"] = project.command("orphans", "--json")
    project.done["dry"] = project.command("orphans", "--repair", "--dry-run", *SIGNED)
    project.prints["dry"] = fingerprint(module_engine)
    project.done["repair"] = project.command("orphans", "--repair", "--json", *SIGNED)
    project.prints["repaired"] = fingerprint(module_engine)
    yield project


def test_nothing_is_found_where_nothing_is_wrong(project):
    """Exit code 0 and one sentence."""
    assert (0, "no orphan was found\n") == (project.done["none"].returncode, project.done["none"].stdout)


def test_each_reference_says_what_it_was_and_would_be(project):
    """Exit code 3; the strategy, how sure it is, and the evidence stand beside each; totals at the end."""
    done = project.done["found"]

    assert 3 == done.returncode, done.stderr
    assert "polls.team_id -> teams  dangling: 2 rows" in done.stdout
    assert f"planned {project.team} (Tennaqua 2) -> 900  history 98 %  1 row: 1" in done.stdout
    assert "asked   777 -> ?  not known  1 row: 5" in done.stdout
    assert done.stdout.endswith("found 2, would repair 1, would ask 1\n")
    assert "hint: rally-etl orphans --repair" in done.stderr


def test_json_is_one_object_per_reference(project):
    """With its rows, and counts beside."""
    document = json.loads(project.done["json"].stdout)
    (found,) = document["orphans"]

    assert ("polls.team_id", "teams", "dangling") == (found["reference"], found["target"], found["kind"])
    assert {"found": 2, "planned": 1, "asked": 1, "left": 0} == {
        name: document[name] for name in ("found", "planned", "asked", "left")
    }
    first = found["rows"][0]
    assert ("1", "900", "history", "planned") == tuple(first[name] for name in ("row", "becomes", "strategy", "state"))


def test_dry_run_prints_the_plan_and_writes_nothing(project):
    """The run goes through gate and report; live tables are as before."""
    done = project.done["dry"]

    assert 0 == done.returncode, done.stderr
    assert "polls.team_id -> teams" in done.stdout
    assert "dry run" in done.stderr
    assert project.prints["broken"] == project.prints["dry"]


def test_repair_is_a_run_like_any_other(project):
    """GO, published at once, with repairs and questions in the report; only the poll that is known has changed."""
    done = project.done["repair"]
    document = json.loads(done.stdout)
    run = document["run"]

    assert (0, "GO") == (done.returncode, run["decision"]), done.stderr
    changed = {name for name, text in project.prints["broken"].items() if text != project.prints["repaired"][name]}
    assert {"polls"} == changed
    assert [900] == project.column("select team_id from polls where id = 1")
    report = (project.settings.root / run["report"]).read_text(encoding="utf-8")
    assert 'id="repairs"' in report
    assert "2 repairs: 1 repaired, 1 asked about." in report
    assert "777" in done.stderr, "what is asked is printed with its number"


@pytest.mark.slow
def test_answer_is_taken_up_and_undo_takes_all_back(project):
    """The question has a number; its answer mends the row; two undos later every table is as it was broken."""
    listed = json.loads(project.command("reviews", "--json").stdout)["reviews"]
    (question,) = [each for each in listed if each["kind"] == "orphan"]
    assert ("team", "777", 1) == (question["entity"], question["name"], question["held_rows"])
    signed = ("--by", "Ann Example", "--reason", "I wrote it")
    refused = project.command("reviews", "accept", str(question["number"]), *signed)
    assert (2, True) == (refused.returncode, "it has no candidate; nothing was changed" in refused.stderr)
    other = project.column("select id from teams where team_name = 'Glen Ellyn 17 SW'")[0]
    accepted = project.command("reviews", "accept", str(question["number"]), "--as", str(other), *signed)
    assert 0 == accepted.returncode, accepted.stderr
    assert "rally-etl orphans --repair mends the 1 row that waited" in accepted.stderr

    again = project.command("orphans", "--repair", "--json", *SIGNED)
    assert 0 == again.returncode, again.stderr
    assert [other] == project.column("select team_id from polls where question like 'Who brings%'")
    assert 0 == project.command("orphans").returncode

    for document in (json.loads(again.stdout), json.loads(project.done["repair"].stdout)):
        done = project.command("undo", document["run"]["run_id"], *SIGNED)
        assert 0 == done.returncode, done.stderr
    assert project.prints["broken"] == fingerprint(project.engine)
