"""Findings on their way to people: noted, queued, and sent for as long as the budget allows; never in anybody's way."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta

import sqlalchemy as sa

from rally_etl import logs
from rally_etl.alerts.findings import Finding, note
from rally_etl.alerts.routes import Alerting, read_alerting
from rally_etl.alerts.spool import drain
from rally_etl.alerts.telling import enqueue_due
from rally_etl.database.engine import clean_message
from rally_etl.errors import RallyEtlError, UsageError
from rally_etl.settings import Settings

Found = tuple[Sequence[Finding], Mapping[str, Collection[str]]]
"""What was found, and league -> prefixes of causes that were looked for."""


def tell_stderr(text: str) -> None:
    """A line for whoever reads the terminal, or cron's mail."""
    print(f"alerts: {text}", file=sys.stderr, flush=True)


def hand_over(
    engine: sa.Engine,
    settings: Settings,
    find: Callable[[sa.Connection], Found | None],
    *,
    run_id: str | None = None,
    send: bool = True,
    tell: Callable[[str], None] = tell_stderr,
) -> None:
    """Note what *find* answers, queue what people have to hear of it, and send.

    Whatever goes wrong here is told in a line: what was found stands, and so does the exit code of whoever found it.

    Args:
        find: None is nothing to say; no channel is asked.
        send: False only queues; the next command sends.
    """
    try:
        alerting, fault = _read(settings)
        with engine.begin() as connection:
            if (answer := find(connection)) is None:
                return
            interval = timedelta(minutes=alerting.minimum_interval_minutes)
            note(connection, *answer, run_id=run_id, reopen_within=interval)
        if fault:
            raise fault
        enqueue_due(engine, settings, alerting)
        if send:
            drain(engine, settings, alerting, alerting.sending.budget_s, tell)
    except RallyEtlError as error:
        tell(f"nobody was told: {' '.join(str(error).splitlines())}")
    except Exception as error:
        if not isinstance(error, sa.exc.DBAPIError):
            logs.unexpected(error)
        tell(
            f"not everybody was told ({type(error).__name__}: {clean_message(error)}); `rally-etl alerts send` goes on"
        )


def _read(settings: Settings) -> tuple[Alerting, UsageError | None]:
    """The file of routes; where it has a fault, none and the fault: what was found is noted all the same."""
    try:
        return read_alerting(settings), None
    except UsageError as fault:
        return Alerting(), fault
