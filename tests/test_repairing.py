"""Automatic repair on a real database: each known problem broken on purpose, mended, taken back, and left alone then."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY, CopyOf, Filled, first
from inprocess import stages_here
from rally_etl import repairing, runs
from rally_etl.database.references import read_reference_params
from rally_etl.errors import RunLocked, UsageError
from rally_etl.identity.answers import accept
from rally_etl.params import read_mapping
from rally_etl.protection.automatic.policy import read_policies
from rally_etl.protection.automatic.problems import PROBLEMS
from rally_etl.protection.memory import note_users
from rally_etl.sample import season
from rally_etl.sample.users import users
from scrapes import Import, fingerprint

DAY = season.WEEKS[0].as_of
TEAM = "(select id from teams where team_name = 'Tennaqua 2')"
PRACTICE = (
    "insert into schedule (league_id, match_date, home_team, home_team_id)"
    " select league_id, '2025-11-01', 'Somebody Practice', 9000 from teams where team_name = 'Tennaqua 2'"
)
REDIRECT = (
    "insert into etl.redirects (table_name, from_id, into_id, run_id, decided_by, reason)"
    f" select 'teams', 9000, {TEAM}, max(run_id), 'Ann Example', 'one team' from etl.runs"
)
PAST_9000 = "select setval('teams_id_seq', 9001)"
BREAKS: dict[str, tuple[str, ...]] = {
    "references_redirected": (
        "alter table schedule drop constraint fk_schedule_home_team_id",
        PRACTICE,
        REDIRECT,
        PAST_9000,
    ),
    "constraints_missing": ("drop index unique_match_scores_tenniscores_match_id",),
    "standings_missing": ("delete from series_stats",),
    "sequences_behind": ("select setval('teams_id_seq', 1)",),
    "rows_doubled": (
        "insert into clubs (name) select upper(name) from clubs where name = 'Tennaqua'",
        "update teams set club_id = (select max(id) from clubs) where team_name = 'Tennaqua 2'",
        "insert into club_leagues (club_id, league_id) select club_id, league_id from teams"
        " where team_name = 'Tennaqua 2'",
    ),
    "constraints_contradicted": ("alter table series add constraint one_name unique (name)",),
    "references_known": (
        "alter table polls drop constraint fk_polls_team_id",
        "set local session_replication_role = replica",
        f"update polls set team_id = 9000 where team_id = {TEAM}",
        f"insert into etl.entity_history (table_name, entity_id, league, name, series, valid_from, valid_to)"
        f" select 'teams', 9000, league, name, series, valid_from, now() from etl.entity_history"
        f" where table_name = 'teams' and entity_id = {TEAM} and valid_to is null",
        PAST_9000,
    ),
    "references_supposed": (
        "alter table polls drop constraint fk_polls_team_id",
        "delete from etl.user_rows where table_name = 'polls'",
        "set local session_replication_role = replica",
        f"update polls set team_id = 9000 where team_id = {TEAM}",
        PAST_9000,
    ),
    "rows_gone": ("delete from captain_messages", "delete from saved_lineups"),
    "links_missing": ("update match_scores set home_team_id = null where id in (select min(id) from match_scores)",),
    "links_wrong": (
        f"update match_scores set home_team_id = {TEAM} where id in (select min(id) from match_scores"
        " where 'Tennaqua 2' not in (home_team, away_team) and league_id ="
        " (select league_id from teams where team_name = 'Tennaqua 2'))",
    ),
    "pairs_missing": ("delete from series_leagues where id in (select min(id) from series_leagues)",),
    "teams_unspoken": (
        "insert into teams (club_id, series_id, league_id, team_name, display_name, is_active)"
        " select club_id, series_id, league_id, 'Tennaqua 2 again', 'Tennaqua 2 again', true from teams"
        " where team_name = 'Tennaqua 2'",
    ),
}


def base(importing: Import) -> None:
    """The first week of the sample season with its users, noted as a run notes them."""
    importing.forget(importing.load(season.write(importing.settings.root / "weeks")[0]))
    users(importing.engine)
    params = read_reference_params(importing.settings.params_dir / "references.yaml")
    with importing.engine.begin() as connection:
        note_users(connection, params)


@pytest.fixture(scope="module")
def sample_database(filled: Filled) -> Iterator[str]:
    """The name of a database with the sample season."""
    with filled(base) as name:
        yield name


@dataclass(slots=True)
class Live:
    """A database of the test's own, and the params of its own."""

    importing: Import

    @property
    def engine(self) -> sa.Engine:
        return self.importing.engine

    def break_(self, problem: str) -> dict[str, str]:
        """Break live on purpose; answer what it is then."""
        with self.engine.begin() as connection:
            for statement in BREAKS[problem]:
                connection.execute(sa.text(statement))
        return fingerprint(self.engine)

    def allow(self, problem: str, **changed: Any) -> None:
        """Change what the file says of a problem: without asking, unless *changed* says otherwise."""
        path = self.importing.settings.params_dir / "repairs.yaml"
        if path.parent.is_symlink():
            path.parent.unlink()
            shutil.copytree(REPOSITORY / "params", path.parent)
        content = read_mapping(path)
        said = {"repair": "without_asking", "owner": "Ann Example", "why": "a test", "at_most": 2000} | changed
        content["problems"][problem] = {name: value for name, value in said.items() if value is not None}
        write_yaml(path, content)

    def repair(self, **named: Any) -> dict[str, dict[str, Any]]:
        """`rally-etl repair`; problem -> what is said of it."""
        with stages_here(self.importing.settings):
            document = repairing.repair(self.importing.settings, as_of=DAY, **named)
        return {each["problem"]: each for each in document["problems"]}

    def undo(self, run_id: str) -> dict[str, Any]:
        """`rally-etl undo`."""
        operation = {"kind": "undo", "run": run_id, "by": "Bob Sample", "reason": "it was right before"}
        with stages_here(self.importing.settings):
            return runs.operate(self.importing.settings, operation, as_of=DAY)


def write_yaml(path: Any, content: Any) -> None:
    """A params file."""
    from ruamel.yaml import YAML

    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(content, file)


@pytest.fixture
def live(copy_of: CopyOf, sample_database: str) -> Live:
    """The sample season, for this test alone."""
    return Live(copy_of(sample_database))


@pytest.mark.parametrize("problem", first(1, BREAKS))
def test_each_problem_is_mended_taken_back_and_left_alone(problem, live):
    """Broken, mended by a run that says who allowed it, not found again; after an undo as broken, and left so."""
    live.allow(problem)
    broken = live.break_(problem)

    done = live.repair(problems=[problem])
    assert {problem: "mended"} == {name: each["state"] for name, each in done.items()}
    assert {} == live.repair(problems=[problem])
    operation = live.importing.column("select operation from etl.runs order by started_at desc limit 1")[0]
    assert ("Ann Example (params/repairs.yaml)", problem) == (operation["by"], operation["problem"])

    assert "GO" == live.undo(done[problem]["run_id"])["decision"]
    assert broken == fingerprint(live.engine)
    if problem == "sequences_behind":
        assert {} == live.repair(problems=[problem]), "no id is given twice: a sequence does not go back"
        return
    left = live.repair(problems=[problem])[problem]
    assert "taken_back" == left["state"]
    assert "Bob Sample took that back" in left["why"]
    assert broken == fingerprint(live.engine)
