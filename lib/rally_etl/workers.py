"""Processes that run one notebook each, as the runner sees them: started, waited for, ended with their kernels."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from rally_etl.recovery import WORK_DIR
from rally_etl.reporting import executed
from rally_etl.settings import Settings

START_TIMEOUT_S = 120  # seconds a worker may take to be ready, on a machine that is busy with the stage before
GRACE_S = 10  # seconds beyond the stage's limit for papermill to write down where it stopped
LOGS_DIR = "logs"


@dataclass(slots=True)
class Worker:
    """A started process that waits for its notebook."""

    process: subprocess.Popen
    log: IO[bytes]
    log_path: Path
    unread: bytes = b""
    kernel_pid: int | None = None


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
    if worker.log_path.exists() and worker.log_path.stat().st_size:
        try:
            scrub.file(worker.log_path)
        except sa.exc.DBAPIError:  # nobody can say whose names stand in it
            worker.log_path.unlink()
    else:
        worker.log_path.unlink(missing_ok=True)


def last_word(worker: Worker, job: dict, timeout_s: float) -> dict:
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
