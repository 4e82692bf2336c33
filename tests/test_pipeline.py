"""Running notebooks: status from the process, never from the file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from conftest import first
from rally_etl import pipeline, recovery, scraps, workers
from rally_etl.errors import UsageError
from rally_etl.settings import Settings

RUN = "20251001t1200_abcd"
GLUE = """\
from rally_etl import scraps
document = scraps.glue({{"stage": "{stage}", "run_id": run_id, "leagues": {{"*": {{"rows": {{"value": 1}}}}}}}})"""
SEAL = 'scraps.seal("{stage}", run_id, document)'
PARAMETERS = 'run_id: str = ""'

WriteNotebooks = Callable[..., Settings]


@pytest.fixture
def write_notebooks(settings: Settings, engine: sa.Engine, tmp_path: Path) -> WriteNotebooks:
    """Make a project of small notebooks, one per keyword: stage=list of cells; {stage} is filled in."""

    def write(parameters: str = PARAMETERS, **stages: list[str]) -> Settings:
        root = tmp_path / "small"
        (root / "notebooks").mkdir(parents=True)
        (root / "params").mkdir()
        for number, (stage, cells) in enumerate(stages.items(), start=1):
            path = root / "notebooks" / f"{number:02d}_{stage}.ipynb"
            path.write_text(json.dumps(_notebook(parameters, [cell.format(stage=stage) for cell in cells])))
        with engine.begin() as connection:
            connection.execute(
                sa.text("insert into etl.runs (run_id, source, as_of) values (:run, 'x', '2025-10-01')"), {"run": RUN}
            )
        return Settings(root=root, database_url=settings.database_url, stage_timeout_s=20)

    return write


def _notebook(parameters: str, cells: list[str]) -> dict:
    def code(number: int, source: str, tags: list[str]) -> dict:
        metadata = {"tags": tags}
        return {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": metadata,
            "execution_count": None,
            "outputs": [],
            "source": source,
        }

    return {
        "cells": [
            code(0, parameters, ["parameters"]),
            *(code(number, cell, []) for number, cell in enumerate(cells, 1)),
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def statuses(engine: sa.Engine) -> dict[str, str]:
    """What the ledger says of each stage."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("select stage, status from etl.stages where run_id = :r order by ordinal"), {"r": RUN}
        )
        return {row.stage: row.status for row in rows}


def test_stages_run_in_order_and_leave_sealed_evidence(write_notebooks, engine):
    """Each notebook leaves an executed copy, a page and evidence; the ledger says completed."""
    settings = write_notebooks(one=[GLUE, SEAL], two=[GLUE, SEAL])
    events = []

    results = pipeline.run_stages(engine, settings, RUN, ("one", "two"), events.append)

    assert [("one", "running"), ("one", "completed"), ("two", "running"), ("two", "completed")] == [
        (event.stage, event.status) for event in events
    ]
    assert {"one": "completed", "two": "completed"} == statuses(engine)
    for result in results:
        assert 1 == scraps.count_measures(scraps.read(result.notebook, stage=result.stage, run_id=RUN))
        assert result.html.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not (settings.reports_dir / RUN / recovery.WORK_DIR).exists()
    assert not (settings.reports_dir / RUN / workers.LOGS_DIR).exists(), "a quiet run leaves no logs"


def test_no_secret_and_no_local_path_leaves_with_a_report(write_notebooks, engine):
    """The database's address, the password and the project's path are blanked, in outputs and in errors."""
    show = "import os, rally_etl\nprint(os.environ['DATABASE_URL'], os.environ['RALLY_HOME'], rally_etl.__file__)"
    settings = write_notebooks(
        one=[show, GLUE, SEAL], two=["raise ValueError(__import__('os').environ['DATABASE_URL'])"]
    )

    results = pipeline.run_stages(engine, settings, RUN, ("one", "two"))

    texts = [path.read_text(encoding="utf-8") for path in (settings.reports_dir / RUN).glob("*_*") if path.is_file()]
    assert 4 == len(texts)
    for text in [*texts, results[1].error]:
        assert settings.database_url not in text
        assert str(settings.root) not in text
    assert "completed" == results[0].status


@pytest.mark.parametrize("victim", ["os.getpid()", "os.getppid()"], ids=["kernel", "worker"])
def test_killed_process_is_seen_at_once(write_notebooks, engine, victim, tmp_path):
    """A kernel or worker that is killed in the middle of a stage: died, and the stages after it are skipped."""
    note = "from pathlib import Path\nPath({!r}).write_text(str(time.monotonic()))".format(str(tmp_path / "killed"))
    kill = f"import os, signal, time\n{note}\nos.kill({victim}, signal.SIGKILL)\ntime.sleep(60)"
    settings = write_notebooks(one=[GLUE, SEAL, kill], two=[GLUE, SEAL])

    results = pipeline.run_stages(engine, settings, RUN, ("one", "two"))

    assert ["died", "skipped"] == [result.status for result in results]
    assert {"one": "died", "two": "skipped"} == statuses(engine)
    assert time.monotonic() - float((tmp_path / "killed").read_text()) < 15  # whatever the kernels took to start


def test_python_error_fails_the_stage_with_its_text(write_notebooks, engine):
    """A cell that raises: failed, with the error's name and words, and a page that shows it."""
    settings = write_notebooks(one=["raise ValueError('no such league')", GLUE, SEAL])

    (result,) = pipeline.run_stages(engine, settings, RUN, ("one",))

    assert ("failed", "ValueError: no such league") == (result.status, result.error)
    assert "no such league" in result.html.read_text(encoding="utf-8")


def test_slow_cell_times_out(write_notebooks, engine):
    """A cell beyond the stage's limit: timed out, not completed as papermill's file says."""
    settings = write_notebooks(one=["import time\ntime.sleep(60)", GLUE, SEAL])
    settings = Settings(root=settings.root, database_url=settings.database_url, stage_timeout_s=1)

    (result,) = pipeline.run_stages(engine, settings, RUN, ("one",))

    assert "timed_out" == result.status
    marks = json.loads(result.notebook.read_text(encoding="utf-8"))["metadata"]
    assert ("timed_out", True) == (marks["rally_etl"]["status"], marks["papermill"]["exception"])


@pytest.mark.parametrize("cells", first(1, [([GLUE],), (["1"],), ([GLUE, SEAL, GLUE, SEAL],)]))
def test_notebook_without_a_seal_did_not_complete(write_notebooks, engine, cells):
    """A notebook that runs to its end but does not leave one sealed document has failed."""
    settings = write_notebooks(one=cells)

    (result,) = pipeline.run_stages(engine, settings, RUN, ("one",))

    assert "failed" == result.status
    assert "evidence of stage one" in result.error


@pytest.mark.parametrize("parameters", ['run_id: str = ""\nleague: str = ""', "x = 1", "# nothing"])
def test_other_parameters_are_refused_before_anything_runs(write_notebooks, engine, parameters):
    """A notebook must declare the parameter that a run passes, and no other."""
    settings = write_notebooks(parameters, one=[GLUE, SEAL])

    with pytest.raises(UsageError, match="nothing was run"):
        pipeline.run_stages(engine, settings, RUN, ("one",))

    assert {} == statuses(engine)


FAILS_ONCE = """\
import pathlib, sqlalchemy
from psycopg2 import errors
mark = pathlib.Path('tried')
if not mark.exists():
    mark.touch()
    raise sqlalchemy.exc.OperationalError('update', {{}}, errors.{error}('{text}'))"""


@pytest.mark.parametrize(
    "error, text, expected",
    first(
        1,
        [
            ("DeadlockDetected", "deadlock detected", "completed"),
            ("UniqueViolation", "duplicate key value", "failed"),
            ("DiskFull", "could not extend file", "failed"),
            ("InsufficientPrivilege", "permission denied", "failed"),
        ],
    ),
)
def test_stage_is_run_again_after_what_passes_and_only_then(write_notebooks, engine, error, text, expected):
    """After a deadlock a notebook runs again from its start, which is told and counted; after a fault it does not."""
    settings = write_notebooks(one=[FAILS_ONCE.replace("{error}", error).replace("{text}", text), GLUE, SEAL])
    events = []

    (result,) = pipeline.run_stages(engine, settings, RUN, ("one",), events.append)

    assert expected == result.status, result.error
    with engine.connect() as connection:
        attempts = connection.scalar(sa.text("select attempts from etl.stages where run_id = :run"), {"run": RUN})
    assert (2 if expected == "completed" else 1) == attempts
    again = [event.error for event in events if event.status == "again"]
    assert attempts - 1 == len(again)
    assert all("deadlock detected" in told and "attempt 2 of 3" in told for told in again)


def test_sealed_stages_are_not_run_again(write_notebooks, engine):
    """What an earlier attempt has sealed stays as it is; the stages after it run."""
    settings = write_notebooks(one=["raise ValueError('this must not run')"], two=[GLUE, SEAL])
    sealed = pipeline.StageResult(stage="one", ordinal=1, status="completed", seconds=1.5)

    results = pipeline.run_stages(engine, settings, RUN, ("one", "two"), sealed=[sealed])

    assert [sealed, ("two", "completed")] == [results[0], (results[1].stage, results[1].status)]
    assert {"two": "completed"} == statuses(engine)
