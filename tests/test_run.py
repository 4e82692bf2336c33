"""Whole runs with the real notebooks on the sample season: what is published, what is not, and what a run says."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY
from inprocess import rally_etl, stages_here
from leaks import leaks, people
from rally_etl import runs, scraps
from rally_etl.database.catalog import IMPORTED
from rally_etl.database.locks import run_lock
from rally_etl.errors import RunLocked, UsageError
from rally_etl.sample import season
from rally_etl.sample.users import users
from rally_etl.settings import Settings
from scrapes import fingerprint, small, write
from strict_json import strict

STAGES = ["baseline", "import", "validation", "integration", "monitoring", "gate"]
SHAPE = {
    "run_id": str,
    "decision": str,
    "exit_code": int,
    "health_score": float,
    "quarantined": int,
    "report": str,
    "leagues": dict,
    "stages": list,
}
LEAGUE_SHAPE = {"decision": str, "published": bool, "quarantined": int, "plan": dict, "reasons": list}
REASON_KEYS = {"rule", "stage", "severity", "observed", "threshold", "message"}


@dataclass(slots=True)
class Told:
    """One run: its document, and the live tables before and after."""

    document: dict[str, Any]
    before: dict[str, str]
    after: dict[str, str]
    stderr: str = ""
    code: int = 0


@dataclass(slots=True)
class Project:
    """A project folder with its database and the weeks of the sample season."""

    settings: Settings
    engine: sa.Engine
    weeks: list[Path]
    told: dict[str, Told] = field(default_factory=dict)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command in a process of its own, as an operator calls it."""
        environment = os.environ | {
            "DATABASE_URL": with_password(self.settings.database_url),
            "RALLY_HOME": str(self.settings.root),
            "PYTHONPATH": str(REPOSITORY / "lib"),
        }
        return subprocess.run(
            [sys.executable, "-m", "rally_etl", *arguments],
            capture_output=True,
            text=True,
            timeout=200,
            env=environment,
        )

    def told_by_command(self, name: str, *arguments: str, here: bool = False) -> None:
        """Run the command, its notebooks in kernels or *here*, and keep what it told as *name*."""
        before = fingerprint(self.engine)
        words = ("run", "--json", *arguments)
        done = rally_etl(self.settings, *words) if here else self.command(*words)
        document = json.loads(done.stdout) if done.stdout else {}
        self.told[name] = Told(document, before, fingerprint(self.engine), done.stderr, done.returncode)

    def told_by_call(self, name: str, week: int, tell: Any) -> None:
        """Run in this process, where *tell* hears of every step, and keep what it told as *name*."""
        before = fingerprint(self.engine)
        order = runs.Order(source=self.weeks[week - 1], as_of=season.WEEKS[week - 1].as_of)
        document = runs.run(self.settings, order, tell)
        self.told[name] = Told(document, before, fingerprint(self.engine), "", document["exit_code"])


def with_password(url: str) -> str:
    """The address with a password that nobody may find; a server on this machine does not ask for one."""
    given = sa.make_url(url)
    return (given if given.password else given.set(password=SECRETS["DATABASE"])).render_as_string(hide_password=False)


SECRETS = {
    "DATABASE": "geheim-zwei-drei",
    "RALLY_SMTP_PASSWORD": "postfach-acht-neun",
    "RALLY_SMS_PASSWORD": "kurz-nachricht-elf",
    "SENTRY_DSN": "http://a1b2c3d4e5f60718@127.0.0.1:9/7",
}
"""What stands in the environment and in `.env` of the runs of this module."""


@pytest.fixture(scope="module")
def project(module_settings: Settings, module_engine: sa.Engine) -> Iterator[Project]:
    """The runs of this module in their order; each begins with what the ones before it left."""
    lines = [f"{name}={value}" for name, value in SECRETS.items() if name != "DATABASE"]
    (module_settings.root / ".env").write_text("\n".join(lines), encoding="utf-8")
    project = Project(module_settings, module_engine, season.write(module_settings.root / "weeks"))
    days = [week.as_of.isoformat() for week in season.WEEKS]
    project.told_by_command("week 1", "--source", str(project.weeks[0]), "--as-of", days[0])
    users(module_engine)
    _add_broken_league(project.weeks[1])
    project.told_by_command(
        "week 2 beside a broken league", "--source", str(project.weeks[1]), "--as-of", days[1], here=True
    )
    with stages_here(module_settings):
        project.told_by_call("week 2 without evidence", 2, _removes_evidence(project))
    with _kernel_killed_in_import(module_engine):
        project.told_by_call("week 3 killed", 3, lambda label, text: None)
    project.told_by_command("week 3 dry", "--source", str(project.weeks[2]), "--as-of", days[2], "--dry-run", here=True)
    yield project


def _add_broken_league(folder: Path) -> None:
    broken = small()
    for records in broken.values():
        for record in records:
            record.pop("League", None)
            record.pop("league_id", None)
    write(folder, broken, "CITA")
    (folder / "CITA" / "players.json").write_text('[{"Player ID": ', encoding="utf-8")


def _removes_evidence(project: Project) -> Any:
    """A listener that deletes an executed notebook, and a scrap of another, just before the gate reads them."""

    def tell(label: str, text: str) -> None:
        if (label, text) == ("gate", "…"):
            folder = max(project.settings.reports_dir.glob("2*"))
            (folder / "03_validation.ipynb").unlink()
            path = folder / "04_integration.ipynb"
            notebook = json.loads(path.read_text(encoding="utf-8"))
            for cell in notebook["cells"]:
                cell["outputs"] = [
                    out for out in cell.get("outputs", []) if scraps.DATA_MIME not in out.get("data", {})
                ]
            path.write_text(json.dumps(notebook), encoding="utf-8")

    return tell


@contextmanager
def _kernel_killed_in_import(engine: sa.Engine) -> Iterator[None]:
    """Kill the kernel as soon as it has staged the first file of a scrape, in the middle of the others."""
    function = "create function etl.tell() returns trigger language plpgsql as 'begin notify staged; return null; end'"
    trigger = "create trigger tell after insert on etl.source_files execute function etl.tell()"
    with engine.begin() as connection:
        connection.execute(sa.text(function))
        connection.execute(sa.text(trigger))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as listening, ThreadPoolExecutor(1) as pool:
        listening.execute(sa.text("listen staged"))
        killed = pool.submit(_kill_kernels_when_told, listening.connection.dbapi_connection)
        yield
        assert killed.result(timeout=1) > 0
    with engine.begin() as connection:
        connection.execute(sa.text("drop function etl.tell() cascade"))


def _kill_kernels_when_told(listening: Any) -> int:
    select.select([listening], [], [], 60)
    kernels = [kernel for worker in _children(os.getpid()) for kernel in _children(worker)]
    for kernel in kernels:
        os.kill(kernel, signal.SIGKILL)
    return len(kernels)


def _children(parent: int) -> list[int]:
    """Processes that this one has started, as the kernel of the system lists them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, rest = path.read_text().split(" (", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(rest.rsplit(") ", 1)[1].split()[1]) == parent:
            found.append(int(number))
    return found


def decisions(told: Told) -> dict[str, tuple[str, bool]]:
    """League -> decision and whether it was published."""
    return {league: (found["decision"], found["published"]) for league, found in told.document["leagues"].items()}


def planned(told: Told, league: str) -> dict[str, int]:
    """Operation -> rows over all tables of one league's plan."""
    counts = told.document["leagues"][league]["plan"].values()
    return {name: sum(table[name] for table in counts) for name in ("insert", "update", "deactivate", "unchanged")}


def user_tables(digests: dict[str, str]) -> dict[str, str]:
    """The digests of the tables that no import writes."""
    return {table: digest for table, digest in digests.items() if table not in IMPORTED}


def test_logs_and_reports_name_nobody_and_hold_no_secret(project):
    """No name or address of a player or user, no password, no token, in any file of logs and reports; all is found."""
    folders = [project.settings.logs_dir, project.settings.reports_dir]
    assert [] == leaks(project.engine, folders, SECRETS.values())

    planted = project.settings.root / "planted"
    planted.mkdir()
    name = next(iter(people(project.engine)))
    for number, text in enumerate((f"<td>{name.replace(' ', '</td> <td>')}</td>", json.dumps([SECRETS["DATABASE"]]))):
        (planted / f"{number}.html").write_text(text, encoding="utf-8")
    assert 2 == len(leaks(project.engine, [planted], SECRETS.values()))


def test_the_log_of_a_run_is_strict_json_and_tells_its_whole_way(project):
    """Each line of all processes is JSON; a run's lines go from its start over stages, files and publish to its end."""
    text = "".join(path.read_text("utf-8") for path in sorted(project.settings.logs_dir.glob("*.jsonl")))
    run = project.told["week 1"].document["run_id"]
    lines = [line for line in strict(text) if line["rally"].get("run") == run]

    actions = [line.get("event", {}).get("action") for line in lines]
    assert ("run.started", "run.ended") == (actions[0], actions[-1])
    assert STAGES == [line["rally"]["stage"] for line in lines if line.get("event", {}).get("action") == "stage.ended"]
    assert {"command", "kernel"} <= {line["rally"]["process"] for line in lines}
    read = [line for line in lines if line.get("event", {}).get("action") == "file.read"]
    assert 9 == len(read)
    assert all(
        line["rally"]["records"] == line["rally"]["staged"] + line["rally"]["quarantined"] and line["rally"]["league"]
        and line["rally"]["stage"] == "import" for line in read
    )  # fmt: skip
    assert {"publish.begun", "publish.committed", "publish.verified", "league.decided", "plan.made"} <= set(actions)
    assert [] == [line for line in lines if line["log.level"] == "error"]


def test_first_week_is_published(project):
    """The sample season's first week ends GO, exit code 0, and all six stages are completed."""
    told = project.told["week 1"]

    assert 0 == told.code, told.stderr
    assert {"APTA_CHICAGO": ("GO", True), "NSTF": ("GO", True)} == decisions(told)
    assert [(stage, "completed") for stage in STAGES] == [
        (found["stage"], found["status"]) for found in told.document["stages"]
    ]
    assert planned(told, "NSTF")["insert"] > 100
    assert told.before != told.after


def test_json_is_one_document_of_the_promised_shape(project):
    """`run --json`: the keys and types that other tools rely on, for GO and NO-GO; messages are on stderr."""
    for name in ("week 1", "week 2 beside a broken league", "week 3 dry"):
        told = project.told[name]
        document = told.document
        assert SHAPE == {key: type(document[key]) for key in SHAPE}
        assert told.code == document["exit_code"]
        assert f"reports/{document['run_id']}/index.html" == document["report"]
        assert json.loads((project.settings.root / document["report"]).with_name("run.json").read_text()) == document
        for league in document["leagues"].values():
            assert LEAGUE_SHAPE == {key: type(league[key]) for key in LEAGUE_SHAPE}
            assert all(
                ["insert", "update", "deactivate", "unchanged"] == list(counts) for counts in league["plan"].values()
            )
            assert all(REASON_KEYS == reason.keys() for reason in league["reasons"])
        assert sum(league["quarantined"] for league in document["leagues"].values()) == document["quarantined"]
        assert all({"stage", "status", "seconds"} == stage.keys() for stage in document["stages"])
        assert document["run_id"] in told.stderr


def test_good_league_is_published_beside_a_broken_one(project):
    """A broken league is NO-GO with its reason and exit code 3; the others go live, and it changes nothing."""
    told = project.told["week 2 beside a broken league"]

    assert 3 == told.code
    assert {"APTA_CHICAGO": ("GO", True), "CITA": ("NO-GO", False), "NSTF": ("GO", True)} == decisions(told)
    assert "NO-GO" == told.document["decision"]
    reason = next(
        reason for reason in told.document["leagues"]["CITA"]["reasons"] if reason["rule"] == "files_are_readable"
    )
    assert "players.json is not readable JSON" in reason["message"]
    with project.engine.connect() as connection:
        assert 0 == connection.execute(sa.text("select count(*) from leagues where league_id = 'CITA'")).scalar()


def test_second_week_changes_what_changed_and_no_user_row(project):
    """Week 2 is a small plan with updates, and every row that users wrote is as before (rule 4)."""
    told = project.told["week 2 beside a broken league"]
    plan = planned(told, "APTA_CHICAGO")

    assert plan["insert"] > 0 and plan["update"] > 0 and plan["deactivate"] == 1
    assert plan["unchanged"] > plan["insert"] + plan["update"]
    assert user_tables(told.before) == user_tables(told.after)
    assert told.before["match_scores"] != told.after["match_scores"]


def test_same_week_again_is_an_empty_plan(project):
    """Rule 7 through the notebooks: nothing to insert, update or switch off."""
    told = project.told["week 2 without evidence"]

    for league in ("APTA_CHICAGO", "NSTF"):
        assert (0, 0, 0) == tuple(planned(told, league)[name] for name in ("insert", "update", "deactivate"))


def test_missing_evidence_is_no_go(project):
    """An executed notebook that is gone and a scrap that is gone before the gate: NO-GO for every league (rule 1)."""
    told = project.told["week 2 without evidence"]

    assert 3 == told.code
    assert {("NO-GO", False)} == set(decisions(told).values())
    for league in told.document["leagues"].values():
        assert {"validation", "integration"} <= {
            reason["stage"] for reason in league["reasons"] if reason["severity"] == "error"
        }
    assert told.before == told.after


def test_killed_kernel_is_no_go_and_the_next_run_works(project):
    """A kernel killed in the import: every league NO-GO, live as before, the rest skipped; the next run is whole."""
    told = project.told["week 3 killed"]

    assert {("NO-GO", False)} == set(decisions(told).values())
    assert ["completed", "died", "skipped", "skipped", "skipped", "skipped"] == [
        found["status"] for found in told.document["stages"]
    ]
    assert all("import" == found["reasons"][0]["stage"] for found in told.document["leagues"].values())
    assert told.before == told.after
    assert (project.settings.root / told.document["report"]).is_file()
    assert ["completed"] * 6 == [found["status"] for found in project.told["week 3 dry"].document["stages"]]


def test_dry_run_publishes_nothing(project):
    """`--dry-run` plans, audits and decides, and live stays bit for bit; a decision of GO is still exit code 0."""
    told = project.told["week 3 dry"]

    assert 0 == told.code, told.stderr
    assert {"APTA_CHICAGO": ("GO", False), "NSTF": ("GO", False)} == decisions(told)
    assert planned(told, "APTA_CHICAGO")["insert"] > 0
    assert told.before == told.after
    with pytest.raises(UsageError, match=r"was a dry run, which holds nothing(.|\n)*hint: .*without --dry-run"):
        runs.approve(project.settings, told.document["run_id"], "Ann Example", "it looks good")


def test_second_run_at_once_exits_5(project):
    """Rule 8: while a run holds the lock another one stops at once, says who holds it, and changes nothing."""
    before = fingerprint(project.engine)
    with run_lock(project.engine):
        order = runs.Order(source=project.weeks[2], as_of=season.WEEKS[2].as_of)
        with pytest.raises(RunLocked, match="another run works on this database"):
            runs.run(project.settings, order)
        done = project.command("run", "--json", "--source", str(project.weeks[2]))

    assert (5, "") == (done.returncode, done.stdout)
    assert "another run works on this database" in done.stderr
    assert before == fingerprint(project.engine)


@pytest.mark.parametrize(
    "arguments",
    [["--source", "gone"],
     ["--source", "weeks/week-1", "--league", "CNSWPL"], ["--source", "weeks/week-1", "--as-of", "May"],
     [],
     ["--params", "gone.yaml"], ["--source", "weeks/week-1", "--nonsense"]],
)  # fmt: skip
def test_wrong_use_exits_2(project, arguments):
    """A missing folder, a league that is not in it, no date, no source, no params file, no such option."""
    arguments = [str(project.settings.root / word) if word.startswith("weeks") else word for word in arguments]

    done = rally_etl(project.settings, "run", "--json", *arguments)

    assert (2, "") == (done.returncode, done.stdout)
    assert "Traceback" not in done.stderr
