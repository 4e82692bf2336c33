"""Automatic repair on a real database: each known problem broken on purpose, mended, taken back, then left alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY, CopyOf, Filled, first
from inprocess import rally_etl, stages_here
from rally_etl import planning, repairing, runs
from rally_etl.commands.repairs import before_import
from rally_etl.database.locks import run_lock
from rally_etl.database.references import read_reference_params
from rally_etl.errors import RunLocked, UsageError
from rally_etl.identity.answers import accept
from rally_etl.params import read_mapping
from rally_etl.protection.automatic.policy import read_policies
from rally_etl.protection.automatic.problems import PROBLEMS
from rally_etl.protection.finding import find_orphans
from rally_etl.protection.memory import note_users
from rally_etl.protection.mending.proposals import propose
from rally_etl.protection.mending.questions import write_questions
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
    "references_redirected, switched off": (
        "insert into teams (id, club_id, series_id, league_id, team_name, display_name, is_active)"
        " select 9000, club_id, series_id, league_id, 'Tennaqua 2 (merged)', 'Tennaqua 2', false from teams"
        " where team_name = 'Tennaqua 2'",
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
        PAST_9000,
    ),
    "questions_answered": (
        "alter table schedule drop constraint fk_schedule_home_team_id",
        PRACTICE.replace("Somebody Practice", "Practice"),
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

FORGOTTEN = ("sequences_behind", "rows_gone", "references_known")
"""After an undo: no id is given twice, rows that it removes are not missed, what it leaves is remembered as it is."""


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
    runs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def engine(self) -> sa.Engine:
        return self.importing.engine

    def break_(self, problem: str) -> dict[str, str]:
        """Break live on purpose; answer what it is then."""
        with self.engine.begin() as connection:
            for statement in BREAKS[problem]:
                connection.execute(sa.text(statement))
        return fingerprint(self.engine)

    def allow(self, problem: str, *, before_imports: bool = False, **changed: Any) -> None:
        """Change what the file says of a problem: without asking, unless *changed* says otherwise."""
        path = self.importing.settings.params_dir / "repairs.yaml"
        if path.parent.is_symlink():
            path.parent.unlink()
            shutil.copytree(REPOSITORY / "params", path.parent)
        content = read_mapping(path) | {"before_imports": before_imports}
        said = {"repair": "without_asking", "owner": "Ann Example", "why": "a test", "at_most": 2000} | changed
        content["problems"][problem] = {name: value for name, value in said.items() if value is not None}
        write_yaml(path, content)

    def document(self, **named: Any) -> dict[str, Any]:
        """`rally-etl repair --json`."""
        with stages_here(self.importing.settings):
            return repairing.repair(self.importing.settings, as_of=DAY, conclude=self.runs.append, **named)

    def repair(self, **named: Any) -> dict[str, dict[str, Any]]:
        """Problem -> what `rally-etl repair` says of it."""
        return {each["problem"]: each for each in self.document(**named)["problems"]}

    def incidents(self) -> list[tuple[str, str, str]]:
        """Cause, severity and state of what stands open, without what is of one run alone."""
        rows = self.importing.rows(
            "select cause, severity, state from etl.incidents where state <> 'resolved' and cause <> '' order by 1"
        )
        return [tuple(row) for row in rows]

    def answer(self) -> None:
        """Let a repair by hand ask, and answer that it was the team."""
        with stages_here(self.importing.settings):
            asked = look_and_ask(self.importing)
        team = self.importing.column(f"select {TEAM}")[0]
        accept(self.engine, self.importing.settings, asked, "Ann Example", "I wrote it", team)

    def reasons(self) -> list[str]:
        """Why the last run was not good."""
        return [reason["message"] for league in self.runs[-1]["leagues"].values() for reason in league["reasons"]]

    def undo(self, run_id: str) -> dict[str, Any]:
        """`rally-etl undo`."""
        operation = {"kind": "undo", "run": run_id, "by": "Bob Sample", "reason": "it was right before"}
        with stages_here(self.importing.settings):
            return runs.operate(self.importing.settings, operation, as_of=DAY)


def params_of(folder: Path) -> Path:
    """A params folder with the file and the leagues; answer the file."""
    shutil.copytree(REPOSITORY / "params" / "leagues", folder / "leagues")
    return Path(shutil.copy(REPOSITORY / "params" / "repairs.yaml", folder / "repairs.yaml"))


def write_yaml(path: Any, content: Any) -> None:
    """A params file."""
    from ruamel.yaml import YAML

    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(content, file)


@pytest.fixture
def live(copy_of: CopyOf, sample_database: str) -> Live:
    """The sample season, for this test alone."""
    return Live(copy_of(sample_database))


@pytest.mark.parametrize("how", first(1, BREAKS))
def test_each_problem_is_mended_taken_back_and_left_alone(how, live):
    """Broken, mended by a run that says who allowed it, not found again; after an undo as broken, and left so."""
    problem = how.split(", ")[0]
    live.allow(problem)
    broken = live.break_(how)
    if problem == "questions_answered":
        assert {} == live.repair(problems=[problem]), "nothing says what it was"
        live.answer()

    done = live.repair(problems=[problem])
    assert {problem: "mended"} == {name: each["state"] for name, each in done.items()}, live.reasons()
    assert {} == live.repair(problems=[problem])
    operation = live.importing.column("select operation from etl.runs order by started_at desc limit 1")[0]
    assert ("Ann Example (params/repairs.yaml)", problem) == (operation["by"], operation["problem"])

    assert "GO" == live.undo(done[problem]["run_id"])["decision"]
    assert broken == fingerprint(live.engine)
    if problem in FORGOTTEN:
        assert {} == live.repair(problems=[problem])
        return
    left = live.repair(problems=[problem])[problem]
    assert "taken_back" == left["state"]
    assert "Bob Sample took that back" in left["why"]
    assert broken == fingerprint(live.engine)


def look_and_ask(importing: Import) -> int:
    """Bring the queue up to what is found; answer the number of the only question."""
    with importing.engine.begin() as connection:
        found = propose(connection, importing.settings, find_orphans(connection, importing.settings))
        write_questions(connection, "", found)
    (number,) = importing.column("select number from etl.reviews where state = 'open' and kind = 'orphan'")
    return number


@pytest.mark.slow
def test_what_needs_an_approval_waits_once(live):
    """HOLD, and the same run again at a second look; approved it is live; what is over waits no more."""
    problem = "pairs_missing"
    live.allow(problem, repair="on_approval", at_most=None)
    broken = live.break_(problem)

    first_look, second_look = live.repair(problems=[problem])[problem], live.repair(problems=[problem])[problem]
    assert ("waits", "waits") == (first_look["state"], second_look["state"]), live.reasons()
    assert first_look["run_id"] == second_look["run_id"]
    assert broken == fingerprint(live.engine)
    assert [("repairs/pairs_missing/repair_needs_no_approval", "warn", "open")] == live.incidents()

    with stages_here(live.importing.settings):
        runs.approve(live.importing.settings, first_look["run_id"], "Ann Example", "it is right")
    assert {} == live.repair(problems=[problem])
    assert broken != fingerprint(live.engine)
    assert [] == live.incidents(), "nothing waits, and what was mended is over at the next look"


@pytest.mark.slow
def test_more_than_the_file_lets_pass_waits_and_is_given_up_when_it_is_over(live):
    """Two rows where one may be mended without asking: HOLD; when the rows are right again the run waits no more."""
    live.allow("links_missing", at_most=1)
    live.importing.write(
        "create table etl.kept as select id, home_team_id from match_scores"
        " where home_team_id is not null order by id limit 2"
    )
    live.importing.write("update match_scores set home_team_id = null where id in (select id from etl.kept)")

    found = live.repair(problems=["links_missing"])["links_missing"]
    assert ("waits", 2) == (found["state"], found["found"])
    assert any("lets at most 1 be mended without asking" in reason for reason in live.reasons())

    live.importing.write(
        "update match_scores as m set home_team_id = k.home_team_id from etl.kept as k where k.id = m.id"
    )
    assert {} == live.repair()
    assert ["refused"] == live.importing.column(
        "select distinct state from etl.run_leagues where run_id = :run", run=found["run_id"]
    )
    with pytest.raises(UsageError, match="holds no league"):
        runs.approve(live.importing.settings, found["run_id"], "Ann Example", "too late")


def test_a_look_and_what_is_never_mended_write_nothing(live):
    """A dry run makes no run and names what would be done; `never` is listed with the command for a person."""
    live.allow("links_missing", repair="never", at_most=None)
    broken = live.break_("links_missing")
    live.break_("constraints_missing")
    ledger = live.importing.column("select count(*) from etl.runs")

    document = live.document(dry_run=True)
    assert [("constraints_missing", "due"), ("links_missing", "never")] == [
        (each["problem"], each["state"]) for each in document["problems"]
    ]
    lines = repairing.lines_of(document)
    assert any("match_scores (tenniscores_match_id)" in line for line in lines)
    assert any("left: rally-etl orphans --repair mends it" in line for line in lines)
    assert (0, broken, ledger) == (
        document["exit_code"],
        fingerprint(live.engine),
        live.importing.column("select count(*) from etl.runs"),
    )


@pytest.mark.slow
def test_leagues_of_the_file_are_the_bold_ones(live):
    """In every other league a person is asked; the two are runs of their own, and neither has the other's rows."""
    live.allow("links_missing", leagues=["NSTF"])
    live.importing.write(
        "update match_scores set home_team_id = null where id in (select min(id) from match_scores group by league_id)"
    )

    document = live.document(problems=["links_missing"])
    assert {("mended", "NSTF"), ("waits", "APTA_CHICAGO")} == {
        (each["state"], *each["leagues"]) for each in document["problems"]
    }
    assert 4 == document["exit_code"]
    assert 1 == live.importing.column("select count(*) from match_scores where home_team_id is null")[0]


@pytest.mark.slow
def test_what_users_write_meanwhile_is_not_lost(live, monkeypatch):
    """A row that changes between plan and publish: nothing is written; the next call finds it as it is now."""
    live.allow("references_redirected")
    live.break_("references_redirected")
    publish = planning.publish

    def after_a_user(*arguments: Any, **named: Any) -> Any:
        live.importing.write("update schedule set home_team = 'Moved Practice' where home_team_id = 9000")
        return publish(*arguments, **named)

    monkeypatch.setattr(planning, "publish", after_a_user)
    assert "refused" == live.repair()["references_redirected"]["state"]
    assert ["Moved Practice"] == live.importing.column("select home_team from schedule where home_team_id = 9000")

    monkeypatch.undo()
    assert "mended" == live.repair()["references_redirected"]["state"]
    assert ["Moved Practice"] == live.importing.column(
        f"select home_team from schedule where home_team_id = {TEAM} and home_team like 'Moved%'"
    )


@pytest.mark.slow
def test_again_needs_a_name_and_then_mends(live):
    """What was taken back is mended when somebody says so; by whom and why goes into the run."""
    live.break_("pairs_missing")
    done = live.repair()["pairs_missing"]
    live.undo(done["run_id"])
    assert "taken_back" == live.repair()["pairs_missing"]["state"]

    signed = {"by": "Ann Example", "reason": "it was wrong after all"}
    again = live.repair(again="pairs_missing", signed=signed)["pairs_missing"]
    assert "mended" == again["state"]
    assert ["Ann Example"] == live.importing.column(
        "select operation ->> 'by' from etl.runs where run_id = :run", run=again["run_id"]
    )
    assert {} == live.repair()


@pytest.mark.slow
def test_an_import_repairs_first_where_the_file_says_so(live):
    """Not by default, not in a dry run; what waits does not stop the import."""
    live.allow("pairs_missing")
    live.break_("pairs_missing")
    settings = live.importing.settings
    told: list[tuple[str, str]] = []
    terminal = SimpleNamespace(tell=lambda label, text: told.append((label, text)))

    before_import(settings, terminal, False, DAY, 0)
    assert [] == told
    live.allow("pairs_missing", before_imports=True)
    before_import(settings, terminal, True, DAY, 0)
    assert [] == told
    with stages_here(settings):
        before_import(settings, terminal, False, DAY, 0)
    assert any(label == "repair" and "mended by run" in text for label, text in told)


@pytest.mark.slow
def test_the_command_says_what_it_found_by_its_exit_code(live):
    """0 and a sentence where nothing is wrong, JSON and nothing else on stdout, 2 for a file that cannot be used."""
    settings = live.importing.settings
    day = ("--as-of", DAY.isoformat())
    nothing = rally_etl(settings, "repair", *day)
    assert (0, "nothing is found that could be mended\n") == (nothing.returncode, nothing.stdout), nothing.stderr

    live.break_("teams_unspoken")
    waits = rally_etl(settings, "repair", "--json", *day)
    (found,) = json.loads(waits.stdout)["problems"]
    assert (4, "teams_unspoken", "waits") == (waits.returncode, found["problem"], found["state"])
    assert "automatic repair, allowed by params/repairs.yaml" in waits.stderr

    live.allow("teams_unspoken", repair="perhaps")
    refused = rally_etl(settings, "repair", *day)
    assert (2, "") == (refused.returncode, refused.stdout)
    assert "problems.teams_unspoken.repair" in refused.stderr
    assert 2 == rally_etl(settings, "repair", "--again", "rows_gone").returncode, "nobody has signed it"


def test_a_second_program_waits(live):
    """The lock of runs is that of repairs too."""
    with run_lock(live.engine, what="a test"), pytest.raises(RunLocked, match="another run works on this database"):
        live.repair()


POLICY = {"repair": "without_asking", "owner": "Ann Example", "why": "a test", "at_most": 3}
HOSTILE: dict[str, tuple[Any, str]] = {
    "an unknown word": ({"links_missing": POLICY | {"repair": "sometimes"}}, "problems.links_missing.repair"),
    "no owner": ({"links_missing": POLICY | {"owner": " "}}, "problems.links_missing.owner"),
    "a limit that is a text": ({"links_missing": POLICY | {"at_most": "3"}}, "problems.links_missing.at_most"),
    "a limit of none": ({"links_missing": POLICY | {"at_most": 0}}, "problems.links_missing.at_most"),
    "no number": ({"links_missing": POLICY | {"share": float("nan")}}, "problems.links_missing.share"),
    "no limit": ({"links_missing": POLICY | {"at_most": None}}, "`links_missing` is mended without asking and has no"),
    "a limit of nothing": ({"links_missing": POLICY | {"repair": "never"}}, "`links_missing` has a limit and is never"),
    "an unknown key": ({"links_missing": POLICY | {"sql": "drop table"}}, "problems.links_missing.sql"),
    "an unknown problem": ({"everything": POLICY}, "`everything` is no known problem"),
    "an unknown league": ({"links_missing": POLICY | {"leagues": ["X"]}}, "names the league 'X', which there is not"),
    "leagues of a whole": ({"sequences_behind": POLICY | {"leagues": ["NSTF"]}}, "concerns the whole database"),
    "a problem less": ({"links_missing": None}, "key `problems` lacks links_missing"),
    "a list": ([], "problems"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_that_is_not_as_it_should_be_is_refused(what, tmp_path):
    """With the key that is wrong; nothing is looked at."""
    changed, told = HOSTILE[what]
    path = params_of(tmp_path)
    content = read_mapping(path)
    if isinstance(changed, dict):
        content["problems"] |= changed
        content["problems"] = {name: said for name, said in content["problems"].items() if said is not None}
    else:
        content["problems"] = changed
    write_yaml(path, content)

    with pytest.raises(UsageError) as refused:
        read_policies(tmp_path)
    assert told in str(refused.value)
    assert "nothing was looked at" in str(refused.value)


def test_the_file_of_the_project_is_careful_with_what_users_wrote():
    """Without asking goes, of rows of users, only what a person has decided; each says who answers for it."""
    policies = read_policies(REPOSITORY / "params")

    assert list(PROBLEMS) == list(policies.problems)
    assert not policies.before_imports
    assert {"references_redirected", "questions_answered"} == {
        name
        for name, policy in policies.problems.items()
        if policy.repair == "without_asking" and PROBLEMS[name].is_users
    }


def test_the_documentation_knows_every_problem():
    """Name, what is wrong, default, and whether rows of users are written, in the order in which they are mended."""
    words = {"without_asking": "without asking", "on_approval": "on approval", "never": "never"}
    policies = read_policies(REPOSITORY / "params")
    text = (REPOSITORY / "docs" / "repairs.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ")[:4] for line in text.splitlines() if line.startswith("| `")]

    assert [
        [f"`{name}`", each.told, words[policies.problems[name].repair], "yes" if each.is_users else "no"]
        for name, each in PROBLEMS.items()
    ] == rows
