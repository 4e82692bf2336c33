"""Runs the notebooks of a run in order, one process each, and owns the status of every stage."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rally_etl import logs, recovery, scraps
from rally_etl.database.retry import patiently, retrying, says_transient
from rally_etl.errors import EvidenceMissing, RallyEtlError, StageFailed, UsageError
from rally_etl.evidence import DECISIONS
from rally_etl.reporting import executed
from rally_etl.reporting.persons import Persons
from rally_etl.settings import Settings
from rally_etl.workers import GRACE_S, LOGS_DIR, START_TIMEOUT_S, Worker, last_word, start_worker, stop_worker

STAGES = ("baseline", "import", "validation", "integration", "monitoring", "gate")
PARAMETERS = ("run_id",)
ATTEMPTS = 3  # at a stage that the database breaks off for a reason that passes


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """How one stage ended; `notebook` and `html` are in the run's folder, None when they could not be made."""

    stage: str
    ordinal: int
    status: str  # completed, failed, timed_out, died, skipped
    seconds: float = 0.0
    error: str | None = None
    notebook: Path | None = None
    html: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEvent:
    """A stage started or ended; for the lines an operator reads while the run goes on."""

    stage: str
    ordinal: int
    status: str  # running, again (it failed for a reason that passes), or as in StageResult
    seconds: float = 0.0
    error: str | None = None


def notebook_name(stage: str, stages: Sequence[str] = STAGES) -> str:
    """`01_baseline` for `baseline`: the name of a stage's notebook without its suffix."""
    return f"{list(stages).index(stage) + 1:02d}_{stage}"


def run_stages(
    engine: sa.Engine,
    settings: Settings,
    run_id: str,
    stages: Sequence[str] = STAGES,
    on_event: Callable[[StageEvent], None] | None = None,
    refuse: Callable[[str], str | None] | None = None,
    sealed: Sequence[StageResult] = (),
) -> list[StageResult]:
    """Execute the notebooks of a run into `reports/<run_id>/` and write their status to `etl.stages`.

    The status comes from the worker process, never from the notebook file. After a stage that did not complete, the
    others are skipped, the gate too; the caller then decides NO-GO. A stage is complete when every cell ran and its
    evidence is there and sealed. One that a lost connection or a lock conflict broke off is run again, from its start.

    Args:
        on_event: called when a stage starts and when it ends.
        refuse: called with each stage that is complete; a text says why the others are skipped.
        sealed: the first stages, which an earlier attempt at the run has completed; they are not run.

    Raises:
        UsageError: a notebook is missing, or does not declare exactly the parameters that a run passes.
        LockLost: another run has begun meanwhile.
        RallyEtlError: the run's folder cannot be written.
    """
    tell = on_event or (lambda event: None)
    refusal = next((said for result in sealed if refuse and (said := refuse(result.stage))), None)
    for stage in stages:
        check_parameters(settings.notebooks_dir / f"{notebook_name(stage, stages)}.ipynb")
    folder = settings.reports_dir / run_id
    _make_folders(folder)
    _write_pending(engine, run_id, stages, first=len(sealed) + 1)
    scrub = executed.Scrub.of(settings, engine.url, Persons(engine, run_id))
    work = _Work(engine, settings, run_id, stages, scrub, folder)
    results: list[StageResult] = list(sealed)
    pages: dict[str, Future] = {}
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="html") as pool:
            for ordinal, stage in enumerate(stages[len(sealed) :], start=len(sealed) + 1):
                if refusal or (results and results[-1].status != "completed"):
                    results.append(_skip(engine, run_id, ordinal, stage, after=results[-1], because=refusal))
                else:
                    # one stage ahead: the next kernel imports its libraries while this notebook runs
                    work.warm(*stages[ordinal - 1 : ordinal + 1])
                    tell(StageEvent(stage=stage, ordinal=ordinal, status="running"))
                    result = work.run(stage, ordinal, tell)
                    results.append(result)
                    if refuse and result.status == "completed":
                        refusal = refuse(stage)
                    if result.notebook:
                        pages[stage] = pool.submit(executed.write_html, result.notebook, run_id=run_id)
                tell(_event(results[-1]))
        return [_with_page(result, pages.get(result.stage)) for result in results]
    finally:
        work.stop()
        shutil.rmtree(folder / recovery.WORK_DIR, ignore_errors=True)
        if not any((folder / LOGS_DIR).iterdir()):
            (folder / LOGS_DIR).rmdir()


@dataclass(slots=True)
class _Work:
    """The stages of one run and the processes that are started for them."""

    engine: sa.Engine
    settings: Settings
    run_id: str
    stages: Sequence[str]
    scrub: executed.Scrub
    folder: Path
    workers: dict[str, Worker] = field(default_factory=dict)

    def warm(self, *stages: str) -> None:
        """Start the processes of stages that have none yet."""
        for stage in stages:
            if stage not in self.workers:
                name = notebook_name(stage, self.stages)
                self.workers[stage] = start_worker(self.engine, self.settings, self.folder, name)

    def run(self, stage: str, ordinal: int, tell: Callable[[StageEvent], None]) -> StageResult:
        """Run a stage, again from its start where the database broke it off for a reason that passes."""

        def again(label: str, text: str) -> None:
            tell(StageEvent(stage=stage, ordinal=ordinal, status="again", error=text))

        limits = {"on": _is_passing, "attempts": ATTEMPTS, "timeout_s": self.settings.stage_timeout_s}
        try:
            for attempt in retrying(f"stage {stage}", again, **limits):
                with attempt:
                    return self._run_once(stage, ordinal, attempt.num)
        except _Passing as passing:
            return passing.result
        raise AssertionError("an attempt returns or raises")

    def _run_once(self, stage: str, ordinal: int, number: int) -> StageResult:
        recovery.still_ours(self.engine, self.run_id)
        if number > 1:  # a worker runs one notebook
            stop_worker(self.workers.pop(stage), self.scrub)
            self.warm(stage)
        _write_status(self.engine, self.run_id, stage, "running")
        logs.event("stage.started", stage=stage, attempt=number)
        job = _job(self.settings, self.folder, notebook_name(stage, self.stages), self.run_id)
        result = _run_one(self.workers[stage], job, self.settings, stage, ordinal, self.run_id, self.scrub, self.folder)
        _write_status(self.engine, self.run_id, stage, result.status, result.error)
        ending = {"stage": stage, "seconds": result.seconds, "status": result.status}
        if result.status == "completed":
            logs.event("stage.ended", **ending, outcome="success")
        else:
            logs.event("stage.failed", **ending, outcome="failure", error_message=result.error)
        if result.status == "failed" and says_transient(result.error):
            raise _Passing(result)
        return result

    def stop(self) -> None:
        """End every process that is left."""
        for worker in self.workers.values():
            stop_worker(worker, self.scrub)


class _Passing(Exception):
    """A stage failed for a reason that passes by itself."""

    def __init__(self, result: StageResult):
        super().__init__(result.error)
        self.result = result


def _is_passing(error: Exception) -> bool:
    return isinstance(error, _Passing)


def check_parameters(notebook: Path) -> None:
    """Refuse a notebook whose declared parameters are not the ones a run passes (papermill only warns).

    Raises:
        UsageError: the file is missing or no notebook, or declares other names.
    """
    declared = executed.declared_parameters(notebook)
    if declared != list(PARAMETERS):
        names = ", ".join(declared) or "none"
        raise UsageError(
            f"{notebook.name} declares the parameters {names}, a run passes {', '.join(PARAMETERS)}; nothing was run\n"
            "hint: put one assignment per line into the one cell tagged parameters, without a second = on the line"
        )


def _run_one(
    worker: Worker, job: dict, settings: Settings, stage: str, ordinal: int, run_id: str, scrub: Any, folder: Path
) -> StageResult:
    """Give the worker its notebook, wait, take over the executed copy, and judge."""
    started = time.monotonic()
    outcome = last_word(worker, job, settings.stage_timeout_s + GRACE_S)
    seconds = time.monotonic() - started
    status, error = outcome["status"], outcome["error"]
    notebook = None
    if Path(job["output"]).exists():
        notebook = folder / Path(job["output"]).name
        try:
            scrub.notebook(Path(job["output"]), notebook, outcome)
        except (StageFailed, ValueError) as problem:
            status, error, notebook = "failed", error or str(problem), None
        except OSError as problem:  # a full disk
            said = f"the executed notebook cannot be written ({problem.strerror or problem})"
            status, error, notebook = "failed", error or said, None
    if status == "completed":
        try:
            scraps.read(notebook or job["output"], stage=stage, run_id=run_id)
        except EvidenceMissing as missing:
            status, error = "failed", str(missing)
    error = scrub.text(error) if error else None
    return StageResult(stage=stage, ordinal=ordinal, status=status, seconds=seconds, error=error, notebook=notebook)


def _make_folders(folder: Path) -> None:
    try:
        shutil.rmtree(folder / recovery.WORK_DIR, ignore_errors=True)
        (folder / recovery.WORK_DIR).mkdir(parents=True)
        (folder / LOGS_DIR).mkdir(exist_ok=True)
    except OSError as error:
        raise RallyEtlError(
            f"the folder {folder.parent.name}/{folder.name} cannot be written ({error.strerror or error}), where the"
            " run's notebooks and report belong; nothing was read and nothing was written to live tables"
            "\nhint: free space or check permissions, then run again"
        ) from error


def _job(settings: Settings, folder: Path, name: str, run_id: str) -> dict:
    return {
        "input": str(settings.notebooks_dir / f"{name}.ipynb"),
        "stage": name.partition("_")[2],
        "output": str(folder / recovery.WORK_DIR / f"{name}.ipynb"),
        "parameters": {"run_id": run_id},
        "start_timeout_s": START_TIMEOUT_S,
        "execution_timeout_s": settings.stage_timeout_s,
    }


def _event(result: StageResult) -> StageEvent:
    return StageEvent(
        stage=result.stage, ordinal=result.ordinal, status=result.status, seconds=result.seconds, error=result.error
    )


def _with_page(result: StageResult, page: Future | None) -> StageResult:
    """The result with its HTML copy; a copy that cannot be made does not change what the stage found."""
    if page is None:
        return result
    problem = page.exception()
    if problem is None:
        return replace(result, html=page.result())
    with logs.bound(stage=result.stage):
        logs.unexpected(problem)
    note = f"no HTML copy: {type(problem).__name__}: {problem}"
    return replace(result, error=f"{result.error}; {note}" if result.error else note)


def _skip(
    engine: sa.Engine, run_id: str, ordinal: int, stage: str, *, after: StageResult, because: str | None
) -> StageResult:
    if not because:
        because = after.error if after.status == "skipped" else f"stage {after.stage} {after.status.replace('_', ' ')}"
    _write_status(engine, run_id, stage, "skipped", because)
    logs.event("stage.skipped", stage=stage, error_message=because)
    return StageResult(stage=stage, ordinal=ordinal, status="skipped", error=because)


def _write_pending(engine: sa.Engine, run_id: str, stages: Sequence[str], first: int) -> None:
    """List the stages from the *first* number on; what an earlier attempt left of them is overwritten."""
    statement = sa.text(
        "insert into etl.stages (run_id, stage, ordinal) values (:run_id, :stage, :ordinal) "
        "on conflict (run_id, stage) do update set "
        "status = 'pending', started_at = null, finished_at = null, error = null"
    )
    binds = [{"run_id": run_id, "stage": stage, "ordinal": number} for number, stage in enumerate(stages, start=1)]
    if due := binds[first - 1 :]:
        _write(engine, statement, due)


def _write_status(engine: sa.Engine, run_id: str, stage: str, status: str, error: str | None = None) -> None:
    moment = "attempts = attempts + 1, finished_at = null, started_at" if status == "running" else "finished_at"
    statement = sa.text(
        f"update etl.stages set status = :status, error = :error, {moment} = clock_timestamp() "
        "where run_id = :run_id and stage = :stage"
    )
    _write(engine, statement, {"run_id": run_id, "stage": stage, "status": status, "error": error})


def _write(engine: sa.Engine, statement: sa.TextClause, binds: dict | list[dict]) -> None:
    """Write to the ledger; written twice it says the same, so a lost connection is no end."""
    for attempt in patiently("the ledger"):
        with attempt, engine.begin() as connection:
            connection.execute(statement, binds)


def gate_decisions(settings: Settings, run_id: str) -> dict[str, str]:
    """League -> decision as the sealed gate notebook states it.

    Raises:
        EvidenceMissing: the notebook is missing, unsealed or of another run.
    """
    path = settings.reports_dir / run_id / f"{notebook_name('gate')}.ipynb"
    document = scraps.read(path, stage="gate", run_id=run_id)
    names = dict(enumerate(DECISIONS))
    return {league: names.get(found["decision"]["value"], "NO-GO") for league, found in document["leagues"].items()}
