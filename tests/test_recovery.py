"""Runs that die: closed by the next start, told and reported; resumed where everything is the same, else refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY, first
from inprocess import stages_here
from rally_etl import inputs, ledger, leftovers, publishing, recovery, resuming, runs, states
from rally_etl.database.locks import RUN_LOCK, run_lock
from rally_etl.errors import LockLost, UsageError
from rally_etl.planning.schema import schemas
from rally_etl.sample import season
from rally_etl.settings import Settings
from scrapes import Import, fingerprint, small

APTA, NSTF = "APTA_CHICAGO", "NSTF"
END_HOLDER = (
    "select pg_terminate_backend(pid, 5000) from pg_locks where locktype = 'advisory' and granted"
    f" and (classid::bigint << 32) + objid::bigint = {RUN_LOCK}"
)


class Killed(BaseException):
    """Stands for `kill -9` of the runner: nothing in it may clean up after this."""


@dataclass(slots=True)
class Project:
    """A project folder with its database and the weeks of the sample season."""

    settings: Settings
    engine: sa.Engine
    weeks: list[Path]
    told: list[str] = field(default_factory=list)

    def tell(self, label: str, text: str) -> None:
        """Keep what the operator would read."""
        self.told.append(f"{label}: {text}")

    def rows(self, sql: str, **binds: Any) -> list[sa.Row]:
        """Rows of a query."""
        with self.engine.connect() as connection:
            return list(connection.execute(sa.text(sql), binds))

    def write(self, sql: str, **binds: Any) -> None:
        """Execute one statement in a transaction of its own."""
        with self.engine.begin() as connection:
            connection.execute(sa.text(sql), binds)

    def states(self, run_id: str) -> dict[str, str]:
        """League -> state."""
        found = self.rows("select league, state from etl.run_leagues where run_id = :run order by 1", run=run_id)
        return {row.league: row.state for row in found}

    def attempts(self, run_id: str) -> list[int]:
        """How often each notebook was begun, in their order."""
        return [
            row.attempts
            for row in self.rows("select attempts from etl.stages where run_id = :run order by ordinal", run=run_id)
        ]

    def order(self, week: int) -> runs.Order:
        """The order of a week of the season."""
        return runs.Order(source=self.weeks[week - 1], as_of=season.WEEKS[week - 1].as_of)

    def latest(self) -> sa.Row:
        """The run that began last."""
        return self.rows("select * from etl.runs order by started_at desc limit 1")[0]

    def command(self, *arguments: str) -> subprocess.Popen:
        """Start the command in a process of its own, as an operator does."""
        environment = os.environ | {
            "DATABASE_URL": self.settings.database_url,
            "RALLY_HOME": str(self.settings.root),
            "PYTHONPATH": str(REPOSITORY / "lib"),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "rally_etl", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )


def make_project(settings: Settings, engine: sa.Engine) -> Project:
    """A project whose params and notebooks are its own, so that a test may change them."""
    for name in ("params", "notebooks"):
        (settings.root / name).unlink()
        shutil.copytree(REPOSITORY / name, settings.root / name)
    return Project(settings, engine, season.write(settings.root / "weeks"))


@pytest.fixture(scope="module")
def project(module_settings: Settings, module_engine: sa.Engine) -> Project:
    """The runs of this module in their order; each begins with what the ones before it left."""
    return make_project(module_settings, module_engine)


@contextmanager
def killed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within it a run that raises `Killed` leaves the ledger as a killed program does."""

    @contextmanager
    def not_closed(*_: object) -> Iterator[None]:
        yield

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(recovery, "closed_whatever_happens", not_closed)
        yield


def dies_at(label: str, text: str) -> Callable[[str, str], None]:
    """A listener in which the runner dies as soon as it hears this."""

    def tell(heard: str, said: str) -> None:
        if (heard, said) == (label, text):
            raise Killed

    return tell


@pytest.fixture
def here(project) -> Iterator[None]:
    """Notebooks run within this process."""
    with stages_here(project.settings):
        yield


@pytest.mark.usefixtures("here")
def test_run_that_died_is_resumed_until_it_ends(project, monkeypatch):
    """Killed before its third notebook, then between publish and verification: each time closed, told, resumed.

    The sealed notebooks are not run again, the candidate is laid anew, the published league is verified and not
    published twice, the other one follows, and the ledger, the report and the document say when and from where.
    """
    before = fingerprint(project.engine)
    with killed(monkeypatch):
        runs.run(project.settings, project.order(1), dies_at("validation", "…"))
    run_id = project.latest().run_id
    folder = project.settings.reports_dir / run_id
    assert "running" == project.latest().status
    (folder / recovery.WORK_DIR).mkdir()
    (folder / ".index.html.half").write_text("half of a report")

    with run_lock(project.engine):
        leftovers.tidy(project.engine, project.settings, project.tell)

    assert before == fingerprint(project.engine)
    closed = project.latest()
    assert ("failed", "NO-GO", 1) == (closed.status, closed.decision, closed.exit_code)
    assert closed.error.startswith("it ended after stage import, which ended at ")
    assert {APTA: "failed", NSTF: "failed"} == project.states(run_id)
    line = project.told.pop()
    assert line.startswith(f"run: run {run_id} had died after stage import, which ended at ")
    assert line.endswith("UTC; nothing of it was published; cleaned up")
    assert not (folder / recovery.WORK_DIR).exists() and not (folder / ".index.html.half").exists()
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "it ended after stage import" in page
    assert run_id in (project.settings.reports_dir / "index.html").read_text(encoding="utf-8")
    assert not project.rows("select from pg_namespace where nspname = :name", name=schemas(run_id)[1])

    with killed(monkeypatch), monkeypatch.context() as patch:
        patch.setattr(publishing, "see", _dies)
        resuming.resume(project.settings, run_id, tell=_ends_the_lock_once(project))

    assert [1, 1, 1, 1, 1, 1] == project.attempts(run_id)
    with run_lock(project.engine):
        leftovers.tidy(project.engine, project.settings, project.tell)
    assert {APTA: "published", NSTF: "failed"} == project.states(run_id)
    assert any(
        f"{run_id} had died after its last notebook" in line and f"{APTA} of it is published, the rest is not" in line
        for line in project.told
    )
    live = fingerprint(project.engine)

    document = resuming.resume(project.settings, run_id, tell=project.tell)

    assert (0, "GO") == (document["exit_code"], document["decision"])
    assert {APTA: "verified", NSTF: "verified"} == project.states(run_id)
    assert [1, 1, 1, 1, 1, 1] == project.attempts(run_id)
    assert live != fingerprint(project.engine), "the other league was published"
    assert ["validation", None] == [found["from"] for found in document["resumed"]]
    steps = [step["state"] for step in document["leagues"][APTA]["states"]]
    assert ["planned", "failed", "planned", "audited", "published", "verified"] == steps
    assert [] == document["incidents"]
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "UTC with validation" in page and "UTC with the publish" in page
    assert document == json.loads((folder / "run.json").read_text(encoding="utf-8"))
    with pytest.raises(UsageError, match="has ended with the decision GO, there is nothing to go on with"):
        resuming.resume(project.settings, run_id)


def _dies(*_: object, **__: object) -> None:
    raise Killed


def _ends_the_lock_once(project: Project) -> Callable[[str, str], None]:
    """A listener that ends the session which holds the run lock, before the last notebook: nobody else takes it."""

    def tell(label: str, text: str) -> None:
        project.tell(label, text)
        if (label, text) == ("gate", "…"):
            with project.engine.connect() as connection:
                connection.execute(sa.text(END_HOLDER))

    return tell


@pytest.mark.parametrize("number, code", first(1, [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]))
def test_signal_ends_a_run_with_everything_it_started(project, number, code):
    """In the middle of a notebook: live as before, no process left, the run is closed (after `kill -9` by the next)."""
    before = fingerprint(project.engine)
    count = len(project.rows("select from etl.runs"))
    running = project.command("run", "--json", "--source", str(project.weeks[1]))
    assert _until(lambda: _stage_runs(project, "import", count))
    children = _descendants(running.pid)
    running.send_signal(number)
    output, errors = running.communicate(timeout=60)

    assert (code, "") == (running.returncode, output)
    assert len(children) >= 2
    assert _until(lambda: not [child for child in children if Path(f"/proc/{child}").exists()])
    assert before == fingerprint(project.engine)
    if number == signal.SIGKILL:
        with run_lock(project.engine, wait_s=20):
            leftovers.tidy(project.engine, project.settings)
        code = 1
    else:
        name = "Ctrl-C" if number == signal.SIGINT else number.name
        hint = f"`rally-etl run --resume {project.latest().run_id}` goes on"
        assert errors.endswith(f"error: stopped by {name}\nhint: {hint}\n")
    latest = project.latest()
    assert ("failed", code) == (latest.status, latest.exit_code)
    assert latest.error.startswith("it ended in stage import, which began at ")
    assert (project.settings.root / latest.report).is_file()
    assert {"failed"} == set(project.states(latest.run_id).values())
    rows = project.rows("select stage, status from etl.stages where run_id = :r", r=latest.run_id)
    stages = {row.stage: row.status for row in rows}
    assert ("completed", "died", "skipped") == (stages["baseline"], stages["import"], stages["gate"])


def _stage_runs(project: Project, stage: str, count: int) -> bool:
    sql = "select from etl.stages join etl.runs using (run_id) where stage = :stage and stages.status = 'running'"
    return bool(project.rows(sql, stage=stage)) and len(project.rows("select from etl.runs")) > count


def _until(holds: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait until a condition holds; False when it does not."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.05)
    return False


def _descendants(parent: int) -> list[int]:
    """Processes that a process has started, and those that they have."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, rest = path.read_text().split(" (", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(number)] = int(rest.rsplit(") ", 1)[1].split()[1])
    found = [parent]
    for each in found:
        found += [child for child, of in parents.items() if of == each]
    return found[1:]


@dataclass(slots=True)
class Dead:
    """A run that is planned, whose first two notebooks are sealed, and that has died."""

    project: Project
    run_id: str

    def differences(self, *, is_planned: bool = True) -> list[str]:
        """What is not as it was when it began."""
        run = ledger.require_run(self.project.engine, self.run_id)
        return inputs.differences(self.project.engine, self.project.settings, run, is_planned=is_planned)


@pytest.fixture(scope="module")
def world(make_database, template_database, tmp_path_factory) -> Iterator[Project]:
    """A project of its own for runs that are made without notebooks."""
    from conftest import project as folder
    from rally_etl.database.engine import connect

    with make_database(template_database) as url:
        engine = connect(folder_settings := folder(tmp_path_factory.mktemp("world"), url))
        yield make_project(folder_settings, engine)
        engine.dispose()


@pytest.fixture
def dead(world: Project) -> Dead:
    """A run whose import is done; every test has one of its own."""
    importing = Import(world.engine, world.settings)
    number = len(world.rows("select from etl.runs")) + 1
    importing.numbers = iter([number])
    run_id = importing.plan(small())
    inputs.note_inputs(world.engine, world.settings, run_id)
    return Dead(world, run_id)


def test_nothing_differs_where_nothing_was_touched(dead):
    """Before and after the import is sealed."""
    assert [] == dead.differences()
    assert [] == dead.differences(is_planned=False)


def test_changed_params_notebooks_and_product_are_named(dead, monkeypatch):
    """A rule that was edited, a new file, a notebook, a new release."""
    root = dead.project.settings.root
    gate, notebook, new = (
        root / "params" / "gate.yaml",
        root / "notebooks" / "06_gate.ipynb",
        root / "params" / "x.yaml",
    )
    kept = {path: path.read_bytes() for path in (gate, notebook)}
    monkeypatch.setattr(inputs, "__version__", "99")
    try:
        for path, content in kept.items():
            path.write_bytes(content + b"\n")
        new.write_text("a: 1\n")

        told = dead.differences()
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
        new.unlink()

    assert told[0].startswith("the product was ") and told[0].endswith(", is 99")
    assert ["params/gate.yaml has changed", "params/x.yaml is new", "notebooks/06_gate.ipynb has changed"] == told[1:]


def test_changed_sources_are_named(dead):
    """A file that was scraped again, one that is gone, one that came; a folder that is gone lives on in the archive."""
    folder = Path(dead.project.rows("select source from etl.runs where run_id = :r", r=dead.run_id)[0].source)
    players, schedules = folder / APTA / "players.json", folder / APTA / "schedules.json"
    kept = players.read_bytes()
    players.write_bytes(kept + b" ")
    schedules.rename(folder / APTA / "player_history.json")
    assert [
        f"{APTA}/players.json in {folder} has changed",
        f"{APTA}/schedules.json is gone from {folder}",
        f"{APTA}/player_history.json in {folder} is new",
    ] == dead.differences()

    players.write_bytes(kept)
    shutil.rmtree(folder)
    assert [] == dead.differences()
    assert [f"the folder {folder} is gone"] == dead.differences(is_planned=False)
    shutil.rmtree(dead.project.settings.archive_dir)
    assert [
        f"the folder {folder} is gone, and the archive lacks {APTA}/match_scores.json, {APTA}/players.json,"
        f" {APTA}/schedules.json, {APTA}/series_stats.json"
    ] == dead.differences()


def test_publish_in_between_is_named(dead):
    """Another run that has changed live since: this plan was made from what is no longer there."""
    other = "20251002T000000-else"
    dead.project.write(
        "insert into etl.runs (run_id, source, as_of, status) values (:r, 'x', '2025-10-02', 'completed')", r=other
    )
    dead.project.write("insert into etl.run_leagues (run_id, league) values (:r, 'NSTF')", r=other)
    with dead.project.engine.begin() as connection:
        states.move(connection, other, ["NSTF"], "audited", "test")
        states.move(connection, other, ["NSTF"], "published", "test")
    try:
        assert [f"run {other} has published NSTF since"] == dead.differences(is_planned=False)
    finally:
        dead.project.write("delete from etl.runs where run_id = :r", r=other)


def test_plan_that_was_altered_or_dropped_is_named(dead):
    """The plan that goes on is the one whose hash the ledger has."""
    plan = schemas(dead.run_id)[0]
    dead.project.write(f"delete from {plan}.players where id = (select min(id) from {plan}.players)")
    assert [f"the plan of {APTA} is not the one that was recorded"] == dead.differences()

    dead.project.write(f"drop schema {plan} cascade")
    assert ["its plan is no longer kept"] == dead.differences()


def test_refused_resume_names_everything_and_changes_nothing(dead):
    """Exit code 2, the differences in one message, and the ledger as it was."""
    settings, engine = dead.project.settings, dead.project.engine
    with run_lock(engine):
        leftovers.tidy(engine, settings)
    row = "select r::text from etl.runs as r where run_id = :r"
    before = dead.project.rows(row, r=dead.run_id)
    dead.project.write(f"drop schema {schemas(dead.run_id)[0]} cascade")
    (settings.root / "params" / "x.yaml").write_text("a: 1\n")
    try:
        with pytest.raises(UsageError) as failure:
            resuming.resume(settings, dead.run_id)
    finally:
        (settings.root / "params" / "x.yaml").unlink()

    assert 2 == failure.value.exit_code
    told = f"run {dead.run_id} cannot go on: params/x.yaml is new; nothing was changed\nhint: run the scrape again"
    assert str(failure.value).startswith(told), "its import is not sealed, so its plan does not matter"
    assert before == dead.project.rows(row, r=dead.run_id)


@pytest.mark.parametrize(
    "sql, telling",
    [
        ("update etl.runs set inputs = null where run_id = :r", "what it was begun with was not recorded"),
        ("""update etl.runs set operation = '{"kind": "guard"}' where run_id = :r""", "guarded a command"),
        ("update etl.runs set status = 'completed', decision = 'NO-GO' where run_id = :r", "decision NO-GO, there is"),
    ],
)
def test_what_cannot_be_resumed_says_so(dead, sql, telling):
    """A run of an older release, a guard, a run that has ended."""
    dead.project.write(sql, r=dead.run_id)

    with pytest.raises(UsageError, match=telling):
        resuming.resume(dead.project.settings, dead.run_id)


def test_import_that_was_broken_off_can_be_made_again(dead):
    """Files are listed once and the plan counts what it counted, under new ids."""
    from rally_etl import planning, sources

    sql = "select league, kind, sha256 from etl.source_files where run_id = :r order by 1, 2"
    files = dead.project.rows(sql, r=dead.run_id)
    counts = "select plan_counts, plan_hash from etl.run_leagues where run_id = :r"
    before = dead.project.rows(counts, r=dead.run_id)[0]

    sources.stage_scrape(dead.project.engine, dead.project.settings, dead.run_id)
    planning.make_plan(dead.project.engine, dead.project.settings, dead.run_id)

    assert files == dead.project.rows(sql, r=dead.run_id)
    after = dead.project.rows(counts, r=dead.run_id)[0]
    assert before.plan_counts == after.plan_counts
    assert before.plan_hash != after.plan_hash


def test_approval_that_died_waits_again(dead):
    """Approved and not published: held again; published and not verified: an incident; each is told once."""
    dead.project.write("update etl.runs set status = 'completed', decision = 'HOLD' where run_id = :r", r=dead.run_id)
    with dead.project.engine.begin() as connection:
        for state in ("audited", "held", "approved"):
            states.move(connection, dead.run_id, [APTA], state, "test")
    told: list[str] = []
    with run_lock(dead.project.engine):
        leftovers.tidy(dead.project.engine, dead.project.settings, lambda label, text: told.append(text))
        leftovers.tidy(dead.project.engine, dead.project.settings, lambda label, text: told.append(text))

    assert {APTA: "held"} == dead.project.states(dead.run_id)
    assert [f"an approval of {APTA} of run {dead.run_id} had died; nothing of it was published, it waits again"] == [
        text for text in told if dead.run_id in text
    ]


def test_run_that_lost_its_lock_to_another_leaves_the_ledger_alone(dead):
    """The other one has closed it already; only the error comes out."""
    engine, settings = dead.project.engine, dead.project.settings
    taken, done = threading.Event(), threading.Event()

    def follow() -> None:
        with run_lock(engine, what="merge"):
            taken.set()
            done.wait(30)

    thread = threading.Thread(target=follow)
    with run_lock(engine), pytest.raises(LockLost, match="another has it now"):
        with recovery.closed_whatever_happens(engine, settings, dead.run_id):
            recovery.still_ours(engine, dead.run_id)
            with engine.connect() as connection:
                connection.execute(sa.text(END_HOLDER))
            thread.start()
            assert taken.wait(30)
            recovery.still_ours(engine, dead.run_id)
    done.set()
    thread.join()

    assert "running" == ledger.require_run(engine, dead.run_id).status


def test_run_that_was_closed_meanwhile_does_not_go_on(dead):
    """Its lock was lost, another run came and went: what it would write now would be news to nobody."""
    engine = dead.project.engine
    with run_lock(engine), pytest.raises(LockLost, match=f"--resume {dead.run_id}"):
        with engine.connect() as connection:
            connection.execute(sa.text(END_HOLDER))
        dead.project.write("update etl.runs set status = 'failed' where run_id = :r", r=dead.run_id)
        recovery.still_ours(engine, dead.run_id)


def test_exception_closes_a_run_and_its_report_says_so(dead):
    """A bug, a full disk: the run is failed, its leagues too, and the page tells where and why."""
    engine, settings = dead.project.engine, dead.project.settings
    with run_lock(engine), pytest.raises(OSError), recovery.closed_whatever_happens(engine, settings, dead.run_id):
        raise OSError(28, "No space left on device")

    run = ledger.require_run(engine, dead.run_id)
    assert ("failed", 1) == (run.status, run.exit_code)
    assert "it ended before its first stage: OSError: [Errno 28] No space left on device" == run.error
    assert {APTA: "failed"} == dead.project.states(dead.run_id)
    assert "No space left on device" in (settings.root / run.report).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["baseline", "import", "validation", "integration", "monitoring", "gate"])
def test_run_that_died_in_a_stage_makes_it_again(project, stage):
    """The stage was at work when the runner died: it and those after it run again, those before do not."""
    order = project.order(2)
    document = runs.run(project.settings, runs.Order(source=order.source, as_of=order.as_of, dry_run=True))
    run_id = document["run_id"]
    project.write("update etl.runs set status = 'running' where run_id = :r", r=run_id)
    ordinal = [found["stage"] for found in document["stages"]].index(stage) + 1
    project.write(
        "update etl.stages set status = case when ordinal = :n then 'running' else 'pending' end"
        " where run_id = :r and ordinal >= :n",
        r=run_id,
        n=ordinal,
    )

    again = resuming.resume(project.settings, run_id)

    assert [1] * (ordinal - 1) + [2] * (7 - ordinal) == project.attempts(run_id)
    for league, found in document["leagues"].items():
        assert found["plan"] == again["leagues"][league]["plan"]
        assert found["decision"] == again["leagues"][league]["decision"]
    assert stage == again["resumed"][0]["from"]


@pytest.mark.slow
def test_run_whose_kernel_died_is_resumed(project):
    """It has ended with NO-GO and exit code 3; resumed it makes the notebook again and forgets that reason."""

    def kill_kernels(label: str, text: str) -> None:
        if (label, text) == ("validation", "…"):
            thread = threading.Thread(target=lambda: (time.sleep(1), _kill_kernels(project)))
            thread.start()

    order = project.order(2)
    died = runs.run(project.settings, runs.Order(source=order.source, as_of=order.as_of, dry_run=True), kill_kernels)
    run_id = died["run_id"]
    assert (3, {"failed"}) == (died["exit_code"], set(project.states(run_id).values()))
    assert "run_is_complete" == died["leagues"][NSTF]["reasons"][0]["rule"]

    again = resuming.resume(project.settings, run_id)

    assert (0, "GO") == (again["exit_code"], again["decision"])
    assert "validation" == again["resumed"][0]["from"]
    rules = [reason["rule"] for found in again["leagues"].values() for reason in found["reasons"]]
    assert "run_is_complete" not in rules


def _kill_kernels(project: Project) -> None:
    """Kill every kernel that this process's workers have started, as soon as the notebook is at work."""
    assert _until(lambda: bool(project.rows("select from pg_stat_activity where application_name ~ 'validation'")))
    workers = [child for child in _descendants(os.getpid()) if "stage_worker" in _words_of(child)]
    for kernel in [child for worker in workers for child in _descendants(worker)]:
        os.kill(kernel, signal.SIGKILL)


def _words_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
