"""Runs the notebooks of a run in order, one process each, and owns the status of every stage."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa

from rally_etl import scraps
from rally_etl.errors import EvidenceMissing, StageFailed, UsageError
from rally_etl.evidence import DECISIONS
from rally_etl.reporting import executed
from rally_etl.settings import Settings

STAGES = ("baseline", "import", "validation", "integration", "monitoring", "gate")
PARAMETERS = ("run_id",)
START_TIMEOUT_S = 120  # seconds a worker may take to be ready, on a machine that is busy with the stage before
GRACE_S = 10  # seconds beyond the stage's limit for papermill to write down where it stopped
WORK_DIR = ".work"
LOGS_DIR = "logs"


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
    status: str  # running, or as in StageResult
    seconds: float = 0.0
    error: str | None = None


@dataclass(slots=True)
class Worker:
    """A started process that waits for its notebook."""

    process: subprocess.Popen
    log: IO[bytes]
    log_path: Path
    unread: bytes = b""
    kernel_pid: int | None = None


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
) -> list[StageResult]:
    """Execute the notebooks of a run into `reports/<run_id>/` and write their status to `etl.stages`.

    The status comes from the worker process, never from the notebook file. After a stage that did not complete, the
    others are skipped, the gate too; the caller then decides NO-GO. A stage is complete when every cell ran and its
    evidence is there and sealed.

    Args:
        on_event: called when a stage starts and when it ends.
        refuse: called with each stage that is complete; a text says why the others are skipped.

    Raises:
        UsageError: a notebook is missing, or does not declare exactly the parameters that a run passes.
    """
    tell = on_event or (lambda event: None)
    refusal: str | None = None
    for stage in stages:
        check_parameters(settings.notebooks_dir / f"{notebook_name(stage, stages)}.ipynb")
    folder = settings.reports_dir / run_id
    shutil.rmtree(folder / WORK_DIR, ignore_errors=True)
    (folder / WORK_DIR).mkdir(parents=True)
    (folder / LOGS_DIR).mkdir(exist_ok=True)
    _write_pending(engine, run_id, stages)
    scrub = executed.Scrub.of(settings, engine.url)
    results: list[StageResult] = []
    pages: dict[str, Future] = {}
    workers: dict[str, Worker] = {}
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="html") as pool:
            for ordinal, stage in enumerate(stages, start=1):
                if refusal or (results and results[-1].status != "completed"):
                    results.append(_skip(engine, run_id, ordinal, stage, after=results[-1], because=refusal))
                else:
                    # one stage ahead: the next kernel imports its libraries while this notebook runs
                    for name in stages[ordinal - 1 : ordinal + 1]:
                        if name not in workers:
                            workers[name] = start_worker(engine, settings, folder, notebook_name(name, stages))
                    tell(StageEvent(stage=stage, ordinal=ordinal, status="running"))
                    _write_status(engine, run_id, stage, "running")
                    job = _job(settings, folder, notebook_name(stage, stages), run_id)
                    result = _run_one(workers[stage], job, settings, stage, ordinal, run_id, scrub, folder)
                    _write_status(engine, run_id, stage, result.status, result.error)
                    results.append(result)
                    if refuse and result.status == "completed":
                        refusal = refuse(stage)
                    if result.notebook:
                        pages[stage] = pool.submit(executed.write_html, result.notebook, run_id=run_id)
                tell(_event(results[-1]))
        return [_with_page(result, pages.get(result.stage)) for result in results]
    finally:
        for worker in workers.values():
            stop_worker(worker, scrub)
        shutil.rmtree(folder / WORK_DIR, ignore_errors=True)
        if not any((folder / LOGS_DIR).iterdir()):
            (folder / LOGS_DIR).rmdir()


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


def start_worker(engine: sa.Engine, settings: Settings, folder: Path, name: str) -> Worker:
    """Start the process that will run a notebook; it warms up on its own and keeps its noise in the run's logs."""
    path = folder / LOGS_DIR / f"{name}.log"
    log = path.open("wb")
    library = str(Path(__file__).resolve().parents[1])
    inherited = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part and part != library]
    environment = os.environ | {
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),  # so that no kernel starts a server
        "RALLY_HOME": str(settings.root),
        "RALLY_STATEMENT_TIMEOUT_S": str(settings.statement_timeout_s),
        "RALLY_LOCK_TIMEOUT_S": str(settings.lock_timeout_s),
        "RALLY_IDLE_IN_TRANSACTION_TIMEOUT_S": str(settings.idle_in_transaction_timeout_s),
        "RALLY_MAX_FILE_BYTES": str(settings.max_file_bytes),
        "PYTHONPATH": os.pathsep.join([library, *inherited]),
        # a user's own kernelspecs, start-up files and history take no part in a run
        "IPYTHONDIR": str(folder / WORK_DIR / f"ipython_{name}"),
        "JUPYTER_PREFER_ENV_PATH": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "rally_etl.stage_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd=settings.root,
        env=environment,
        start_new_session=True,  # Ctrl-C reaches the runner, which then ends the worker and its kernel together
    )
    return Worker(process, log, path)


def stop_worker(worker: Worker, scrub: executed.Scrub) -> None:
    """End a worker and its kernel, and keep its log only when it says something."""
    if worker.process.poll() is None:
        worker.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(timeout=5)
    _kill(worker)
    worker.process.wait()
    for pipe in (worker.process.stdin, worker.process.stdout, worker.log):
        pipe.close()
    text = worker.log_path.read_text(encoding="utf-8", errors="replace") if worker.log_path.exists() else ""
    if text.strip():
        worker.log_path.write_text(scrub.text(text), encoding="utf-8")
    else:
        worker.log_path.unlink(missing_ok=True)


def _run_one(
    worker: Worker, job: dict, settings: Settings, stage: str, ordinal: int, run_id: str, scrub: Any, folder: Path
) -> StageResult:
    """Give the worker its notebook, wait, take over the executed copy, and judge."""
    started = time.monotonic()
    outcome = _outcome(worker, job, settings.stage_timeout_s + GRACE_S)
    seconds = time.monotonic() - started
    status, error = outcome["status"], outcome["error"]
    notebook = None
    if Path(job["output"]).exists():
        notebook = folder / Path(job["output"]).name
        try:
            scrub.notebook(Path(job["output"]), notebook, outcome)
        except (StageFailed, ValueError) as problem:
            status, error, notebook = "failed", error or str(problem), None
    if status == "completed":
        try:
            scraps.read(notebook or job["output"], stage=stage, run_id=run_id)
        except EvidenceMissing as missing:
            status, error = "failed", str(missing)
    error = scrub.text(error) if error else None
    return StageResult(stage=stage, ordinal=ordinal, status=status, seconds=seconds, error=error, notebook=notebook)


def _outcome(worker: Worker, job: dict, timeout_s: float) -> dict:
    """The last word of a worker; its exit code must agree, and a worker without a last word has died."""
    ready = _line(worker, START_TIMEOUT_S)
    if ready is None:
        return {"status": "died", "error": f"the stage did not start: {_ending(worker)}"}
    worker.kernel_pid = ready["kernel"]
    try:
        worker.process.stdin.write(json.dumps(job).encode() + b"\n")
        worker.process.stdin.flush()
    except BrokenPipeError:
        return {"status": "died", "error": f"the stage did not start: {_ending(worker)}"}
    outcome = _line(worker, timeout_s)
    if outcome is None:
        if worker.process.poll() is None and not _closed(worker):
            _kill(worker)
            return {"status": "timed_out", "error": f"the notebook ran longer than {timeout_s - GRACE_S:.0f} s"}
        ending = _ending(worker)
        _kill(worker)
        return {"status": "died", "error": f"the stage ended without a result: {ending}"}
    return outcome


def _kill(worker: Worker) -> None:
    """End a worker and its kernel at once, so that a stage that is judged cannot go on writing."""
    for process_id in (worker.process.pid if worker.process.returncode is None else None, worker.kernel_pid):
        if process_id is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process_id, signal.SIGKILL)
    worker.kernel_pid = None


def _line(worker: Worker, timeout_s: float) -> dict | None:
    """The next line of a worker, None when it ends or the time is over."""
    deadline = time.monotonic() + timeout_s
    pipe = worker.process.stdout.fileno()
    while b"\n" not in worker.unread:
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(pipe, 65536) if ready else b""
        if not chunk:
            return None
        worker.unread += chunk
    line, _, worker.unread = worker.unread.partition(b"\n")
    return json.loads(line)


def _closed(worker: Worker) -> bool:
    """Whether the worker's end of the pipe is closed, that is, whether it has ended."""
    ready, _, _ = select.select([worker.process.stdout.fileno()], [], [], 0)
    return bool(ready)


def _ending(worker: Worker) -> str:
    try:
        code = worker.process.wait(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        return f"no answer within {START_TIMEOUT_S} s"
    how = f"killed by signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"{how}, see {LOGS_DIR}/{worker.log_path.name}"


def _job(settings: Settings, folder: Path, name: str, run_id: str) -> dict:
    return {
        "input": str(settings.notebooks_dir / f"{name}.ipynb"),
        "output": str(folder / WORK_DIR / f"{name}.ipynb"),
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
    note = f"no HTML copy: {type(problem).__name__}: {problem}"
    return replace(result, error=f"{result.error}; {note}" if result.error else note)


def _skip(
    engine: sa.Engine, run_id: str, ordinal: int, stage: str, *, after: StageResult, because: str | None
) -> StageResult:
    if not because:
        because = after.error if after.status == "skipped" else f"stage {after.stage} {after.status.replace('_', ' ')}"
    _write_status(engine, run_id, stage, "skipped", because)
    return StageResult(stage=stage, ordinal=ordinal, status="skipped", error=because)


def _write_pending(engine: sa.Engine, run_id: str, stages: Sequence[str]) -> None:
    statement = sa.text(
        "insert into etl.stages (run_id, stage, ordinal) values (:run_id, :stage, :ordinal) "
        "on conflict (run_id, stage) do update set "
        "status = 'pending', started_at = null, finished_at = null, error = null"
    )
    with engine.begin() as connection:
        for ordinal, stage in enumerate(stages, start=1):
            connection.execute(statement, {"run_id": run_id, "stage": stage, "ordinal": ordinal})


def _write_status(engine: sa.Engine, run_id: str, stage: str, status: str, error: str | None = None) -> None:
    moment = "started_at" if status == "running" else "finished_at"
    statement = sa.text(
        f"update etl.stages set status = :status, error = :error, {moment} = clock_timestamp() "
        "where run_id = :run_id and stage = :stage"
    )
    with engine.begin() as connection:
        connection.execute(statement, {"run_id": run_id, "stage": stage, "status": status, "error": error})


def gate_decisions(settings: Settings, run_id: str) -> dict[str, str]:
    """League -> decision as the sealed gate notebook states it.

    Raises:
        EvidenceMissing: the notebook is missing, unsealed or of another run.
    """
    path = settings.reports_dir / run_id / f"{notebook_name('gate')}.ipynb"
    document = scraps.read(path, stage="gate", run_id=run_id)
    names = dict(enumerate(DECISIONS))
    return {league: names.get(found["decision"]["value"], "NO-GO") for league, found in document["leagues"].items()}
