"""Runs that ended without a result: closed with what is known of them, cleaned, told in a line and in a report."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl import alerts, ledger, logs, states
from rally_etl.database.engine import clean_message
from rally_etl.database.locks import regain
from rally_etl.database.retry import patiently
from rally_etl.errors import LockLost, Stopped
from rally_etl.incidents import raise_unverified
from rally_etl.settings import Settings

WORK_DIR = ".work"  # of a run's folder: notebooks that are not finished
REPORTED_AT_ONCE = 5
LAST_STAGE = "gate"
STOPPED = "the process, the machine or the database was stopped"

Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Death:
    """What the ledger knows of a run that ended without a result; ``where`` is a phrase like `in stage import`."""

    run_id: str
    where: str
    published: list[str]

    @property
    def told(self) -> str:
        """For the operator of the next start."""
        published = ", ".join(self.published)
        kept = f"{published} of it is published, the rest is not" if published else "nothing of it was published"
        return f"run {self.run_id} had died {self.where}; {kept}; cleaned up"


def close_dead(engine: sa.Engine, settings: Settings, tell: Tell = lambda label, text: None) -> None:
    """Close every run that the ledger calls running; the run lock proves that none of them is.

    Its leagues that are not at an end are failed, published ones stay published, with an incident where nobody has seen
    that live is as planned. An approval that died lets its leagues wait again. Its unfinished files go, its report says
    what is known.
    """
    with engine.begin() as connection:
        dead = list(connection.scalars(sa.text("select run_id from etl.runs where status = 'running' order by 1")))
        deaths = [_close(connection, run_id, STOPPED, exit_code=1) for run_id in dead]
        waiting = states.hold_approved(connection, "the approval ended before anything was written")
        unverified = raise_unverified(connection)
    for death in deaths:
        tell("run", death.told)
        logs.event("run.dead", run=death.run_id, where=death.where, published=death.published)
    for run_id, league in waiting:
        tell("run", f"an approval of {league} of run {run_id} had died; nothing of it was published, it waits again")
    for run_id, league in unverified:
        told = f"{league} of run {run_id} is published, and nobody has seen that live is as planned"
        tell("run", f"{told}: `rally-etl run --resume {run_id}` looks")
    for run_id in _unreported(engine):
        _report(engine, settings, run_id, tell)
    for death in deaths:
        alerts.after_run(engine, settings, death.run_id, send=False)  # the run that begins now sends


@contextmanager
def closed_whatever_happens(engine: sa.Engine, settings: Settings, run_id: str) -> Iterator[None]:
    """Enter a run that stops with an exception as failed and write its report; the exception goes on.

    Where the database does not answer any more, the next start does it; where the lock was lost, who took it did.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, Stopped):
            error.hint = f"\nhint: `rally-etl run --resume {run_id}` goes on"
        with contextlib.suppress(sa.exc.DBAPIError, LockLost):
            still_ours(engine, run_id)
            with engine.begin() as connection:
                death = _close(connection, run_id, _told(error), exit_code=getattr(error, "exit_code", 1))
                raise_unverified(connection, run_id)
            logs.event("run.broken", run=run_id, where=death.where, **logs.failed(error))
            _report(engine, settings, run_id)
            if not isinstance(error, Stopped):  # who stops it knows
                alerts.after_run(engine, settings, run_id)
        raise


def note_broken(engine: sa.Engine, run_id: str, stage: str, status: str) -> None:
    """Enter the leagues of a run as failed whose notebook did not end: it ends with NO-GO, and can be resumed."""
    with engine.begin() as connection:
        states.fail_unfinished(connection, run_id, f"stage {stage} {status.replace('_', ' ')}")


def still_ours(engine: sa.Engine, run_id: str) -> None:
    """See that the run still holds the run lock; where its session has ended and nobody else came, it takes it again.

    Raises:
        LockLost: another program has the lock, or had it and has closed this run.
    """
    for attempt in patiently("the run lock"):
        with attempt:
            is_new = regain(engine)
    if not is_new:
        return
    status = ledger.require_run(engine, run_id).status
    if status != "running":
        raise LockLost(
            f"the lock of run {run_id} was lost, and another run has begun and ended since; nothing more is written\n"
            f"hint: `rally-etl run --resume {run_id}` goes on if nothing was published in between"
        )


def _close(connection: sa.Connection, run_id: str, why: str, exit_code: int) -> Death:
    where, stage = _where(connection, run_id)
    binds = {"run": run_id, "error": f"it ended {where}: {why}", "code": exit_code}
    connection.execute(
        sa.text(
            "update etl.runs set status = 'failed', finished_at = clock_timestamp(), exit_code = :code,"
            " decision = 'NO-GO', error = :error where run_id = :run and status = 'running'"
        ),
        binds,
    )
    connection.execute(
        sa.text(
            "update etl.stages set finished_at = case when status = 'running' then clock_timestamp() end,"
            " error = case when status = 'running' then cast(:why as text) else 'the run ended ' || :where end,"
            " status = case when status = 'running' then 'died' else 'skipped' end"
            " where run_id = :run and status in ('running', 'pending')"
        ),
        {"run": run_id, "why": why, "where": f"in stage {stage}" if stage else where},
    )
    states.fail_unfinished(connection, run_id, binds["error"])
    return Death(run_id, where, states.in_states(connection, run_id, states.LIVE))


def _where(connection: sa.Connection, run_id: str) -> tuple[str, str | None]:
    """Where in its sequence a run is: a phrase, and the stage that is running, if one is."""
    rows = connection.execute(
        sa.text(
            "select stage, status, to_char(coalesce(finished_at, started_at) at time zone 'UTC', 'HH24:MI') as at"
            " from etl.stages where run_id = :run and started_at is not null order by ordinal"
        ),
        {"run": run_id},
    ).all()
    if not rows:
        return "before its first stage", None
    last = rows[-1]
    if last.status == "running":
        return f"in stage {last.stage}, which began at {last.at} UTC", last.stage
    after = "its last notebook" if last.stage == LAST_STAGE else f"stage {last.stage}"
    return f"after {after}, which ended at {last.at} UTC", None


def _unreported(engine: sa.Engine) -> list[str]:
    """Runs whose report nobody has written: what closed them could not, or was killed as well."""
    sql = "select run_id from etl.runs where status <> 'running' and report is null order by started_at desc limit :n"
    with engine.connect() as connection:
        return list(connection.scalars(sa.text(sql), {"n": REPORTED_AT_ONCE}))


def _report(engine: sa.Engine, settings: Settings, run_id: str, tell: Tell = lambda label, text: None) -> None:
    """Take away a run's unfinished files and write its report; one that cannot be written does not stop who comes."""
    from rally_etl.reporting import write_report

    folder = settings.reports_dir / run_id
    shutil.rmtree(folder / WORK_DIR, ignore_errors=True)
    for part in folder.glob(".*.*"):  # a file that was being written when the run was killed
        part.unlink(missing_ok=True)
    report = f"reports/{run_id}/index.html"
    try:
        document = ledger.run_document(engine, settings, run_id) | {"report": report}
        write_report(engine, settings, run_id, document)
        with engine.begin() as connection:
            connection.execute(
                sa.text("update etl.runs set report = :report where run_id = :run"), {"report": report, "run": run_id}
            )
    except Exception as error:  # a full disk, or a bug: the ledger has what is known, and the next run has to go on
        if not isinstance(error, OSError | sa.exc.DBAPIError):
            logs.unexpected(error)
        told = f"{type(error).__name__}: {clean_message(error)}"
        tell("run", f"the report of run {run_id} cannot be written ({told}); `rally-etl show {run_id}` has the same")


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, Stopped) else f"{type(error).__name__}: {clean_message(error)}"
