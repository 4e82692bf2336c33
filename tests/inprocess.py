"""The stages of a run within this process: the cells of the real notebooks, without workers and kernels."""

from __future__ import annotations

import contextvars
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import REPOSITORY
from rally_etl import logs, pipeline, scraps
from rally_etl.reporting import executed
from rally_etl.settings import Settings


@contextmanager
def stages_here(settings: Settings) -> Iterator[None]:
    """Let `pipeline.run_stages` execute each notebook's cells in this process, a hundredth of the time.

    All else is the product's own: what a run writes of its stages, scrubs and seals. No HTML copy is made.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RALLY_HOME", str(settings.root))
        patch.setenv("DATABASE_URL", settings.database_url)
        patch.setattr(pipeline, "start_worker", lambda *arguments, **named: SimpleNamespace())
        patch.setattr(pipeline, "stop_worker", lambda *arguments, **named: None)
        patch.setattr(pipeline, "last_word", lambda worker, job, *arguments, **named: _execute(job))
        patch.setattr(executed, "write_html", lambda notebook, **named: notebook)
        yield


def _execute(job: dict[str, Any]) -> dict[str, Any]:
    """Execute the notebook of a job and write its copy; answer its outcome as a worker does."""
    notebook = json.loads(Path(job["input"]).read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    outcome: dict[str, Any] = {"status": "completed", "error": None}
    glued: list[dict[str, Any]] = []

    def glue(name: str, data: Any, encoder: str) -> None:
        glued.append({"name": name, "data": data, "encoder": encoder, "version": 1})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scraps, "load", lambda: SimpleNamespace(glue=glue))
        for cell in notebook["cells"]:
            if cell["cell_type"] != "code":
                continue
            cell["execution_count"], cell["outputs"] = 1, []
            try:
                exec(compile("".join(cell["source"]), "<cell>", "exec"), names)
            except Exception as failure:
                name = type(failure).__name__
                outcome = {"status": "failed", "error": f"{name}: {failure}", "error_class": name}
                break
            finally:
                cell["outputs"] = [
                    {"output_type": "display_data", "metadata": {}, "data": {scraps.DATA_MIME: scrap}}
                    for scrap in glued
                ]
                glued.clear()
            if "parameters" in cell["metadata"].get("tags", []):
                names |= job["parameters"]
        if book := names.get("book"):
            book.engine.dispose()  # a kernel ends with its stage
    try:
        Path(job["output"]).write_text(json.dumps(notebook), encoding="utf-8")
    except OSError as failure:  # a worker says so, too
        return {"status": "failed", "error": f"OSError: {failure}", "error_class": "OSError"}
    return outcome


def command() -> None:
    """`rally-etl` with the arguments of this process, its stages within it: for tests of several programs at once."""
    from rally_etl.cli import main

    with stages_here(Settings.from_env()):
        main()


HERE = ("-c", "from inprocess import command; command()")


def environment_of(settings: Settings) -> dict[str, str]:
    """Variables of a process that works on the project and the database of *settings*, and finds the tests too."""
    return os.environ | {
        "DATABASE_URL": settings.database_url or "",
        "RALLY_HOME": str(settings.root),
        "PYTHONPATH": os.pathsep.join((str(REPOSITORY / "lib"), str(REPOSITORY / "tests"))),
    }


def rally_etl(settings: Settings, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command as an operator calls it in the project's folder, all of it within this process: a second less each.

    Args:
        variables: of the environment, beside those that name the project and its database.
    """
    from rally_etl.cli import main

    out, err = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with stages_here(settings), pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.chdir(settings.root)
        patch.setattr(sys, "argv", ["rally-etl", *arguments])
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
            contextvars.copy_context().run(main)
    logs.shut()
    for number, handler in handlers.items():
        signal.signal(number, handler)
    return subprocess.CompletedProcess(
        ["rally-etl", *arguments], int(end.value.code or 0), out.getvalue(), err.getvalue()
    )
