"""One process that runs one notebook: it warms a kernel, waits for its job, and says by its last line how it ended."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

from rally_etl import logs
from rally_etl.settings import Settings

# Modules that notebooks use; the kernel imports them while it waits for its job.
WARM_UP = "import rally_etl.workbook as _w; _w.warm_up(); del _w"


def main() -> int:
    """Read one job (a JSON line) from stdin, run it, write its outcome as one; 0 only when every cell ran."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever prints in this process or its kernel belongs in the log, not in the answer
    sys.modules.setdefault("rfc3987_syntax", None)
    import papermill

    logs.configure(Settings.from_env(), "worker")
    kernel = start_kernel()
    try:
        answers.write(json.dumps({"ready": True, "kernel": kernel.provisioner.pid}) + "\n")
        line = sys.stdin.readline()
        if not line:
            return 0  # the runner did not need this worker
        threading.Thread(target=_end_with_runner, daemon=True).start()
        job = json.loads(line)
        logs.bind(run=job["parameters"]["run_id"], stage=job["stage"])
        outcome = run(papermill, job, kernel)
        answers.write(json.dumps(outcome) + "\n")
        return 0 if outcome["status"] == "completed" else 1
    finally:
        stop_kernel(kernel)


def run(papermill: Any, job: dict, kernel: Any) -> dict:
    """Execute the notebook; what ended it is read from the exception, because papermill's file says "completed" for a
    dead kernel and for a time-out."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    try:
        papermill.execute_notebook(
            job["input"],
            job["output"],
            job["parameters"],
            km=kernel,
            kernel_name="python3",
            progress_bar=False,
            start_timeout=job["start_timeout_s"],
            execution_timeout=job["execution_timeout_s"],
        )
    except DeadKernelError:
        return {"status": "died", "error": "the kernel process ended in the middle of a cell"}
    except CellTimeoutError:
        return {"status": "timed_out", "error": f"a cell ran longer than {job['execution_timeout_s']} s"}
    except papermill.PapermillExecutionError as failure:
        return {"status": "failed", "error": f"{failure.ename}: {failure.evalue}", "error_class": failure.ename}
    except Exception as failure:  # a notebook that cannot be read, a kernel that does not answer, a full disk
        logs.unexpected(failure)
        return {
            "status": "failed",
            "error": f"{type(failure).__name__}: {failure}",
            "error_class": type(failure).__name__,
        }
    return {"status": "completed", "error": None}


def start_kernel() -> Any:
    """Start an encrypted kernel of this very Python that imports what notebooks use while the stage before runs."""
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.utils import run_sync
    from traitlets.config import Config

    config = Config({"KernelManager": {"transport_encryption": "required"}})
    kernel = AsyncKernelManager(kernel_name="python3", config=config)
    arguments = [f"--IPKernelApp.exec_lines={WARM_UP}", "--HistoryManager.enabled=False"]
    run_sync(kernel.start_kernel)(extra_arguments=arguments)
    return kernel


def stop_kernel(kernel: Any) -> None:
    """End the kernel at once; its work is committed or rolled back by the database."""
    from jupyter_core.utils import run_sync

    if run_sync(kernel.is_alive)():
        run_sync(kernel.shutdown_kernel)(now=True)


def _end_with_runner() -> None:
    """End when the runner's end of the pipe closes: a runner that was killed leaves no stage behind."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    raise SystemExit(main())
