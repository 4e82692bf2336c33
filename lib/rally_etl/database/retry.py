"""Trying again: which errors of a database pass by themselves, and how often and how long it is tried.

Only what may run twice is tried again: reads, a transaction that was rolled back whole, writes that write the same a
second time. Who calls says so by calling; nothing is tried again by itself.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator

import psycopg2
import psycopg2.errors
import sqlalchemy as sa
import stamina
from stamina.instrumentation import set_on_retry_hooks

from rally_etl import logs
from rally_etl.database.engine import clean_message

ATTEMPTS = 4
TIMEOUT_S = 45.0  # seconds after which no further attempt begins
PATIENT_ATTEMPTS, PATIENT_S = 30, 90.0  # where a server that restarts is waited for
WAIT_S = 0.2  # before the second attempt; doubled before each one after it
LONGEST_WAIT_S = 5.0
JITTER_S = 1.0  # two programs that met once do not meet again at the same moment

TRANSIENT_CODES = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "55P03",  # lock_not_available: lock_timeout
    "53300",  # too_many_connections
    "57P01",  # admin_shutdown, pg_terminate_backend
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now: the server starts, stops or recovers
}
CONNECTION_CLASS = "08"  # connection_exception and its kin

# A connection that cannot be opened has no code, only the server's text.
_NOT_YET = (
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "the database system is not yet accepting connections",
    "too many clients already",
    "remaining connection slots are reserved",
)
_GONE = (
    "connection refused",
    "connection reset",
    "connection timed out",
    "timeout expired",
    "server closed the connection",
    "connection already closed",
    "connection not open",
    "could not receive data from server",
    "could not send data to server",
    "no connection to the server",
    "terminating connection",
    "is the server running locally",
    "eof detected",
    "broken pipe",
)

set_on_retry_hooks(())  # its own lines would repeat ours, with statements and their values


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed a moment later: lock conflicts, a lost connection, a server that restarts.

    An error that the database has an answer for (syntax, a constraint, a permission, a full disk, a statement that took
    too long) is none, nor is a login that is refused.
    """
    said = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if not isinstance(said, psycopg2.Error):
        return False
    if said.pgcode:
        return said.pgcode in TRANSIENT_CODES or said.pgcode.startswith(CONNECTION_CLASS)
    if getattr(error, "connection_invalidated", False):
        return True
    return isinstance(said, psycopg2.OperationalError | psycopg2.InterfaceError) and _says(said, _ALL)


def is_starting(error: BaseException) -> bool:
    """Whether a server answered that it takes no connection yet; one that does not answer at all is not starting."""
    said = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if not isinstance(said, psycopg2.Error):
        return False
    return said.pgcode in ("57P03", "53300") if said.pgcode else _says(said, _NOT_YET)


def says_transient(text: str | None) -> bool:
    """`is_transient` for an error of another process, of which only the text is left: its class, its words."""
    if not (found := _DRIVER_ERROR.search(text or "")):
        return bool(text) and text.startswith(_NO_CONNECTION) and any(each in text.lower() for each in _ALL)
    name = found["name"]
    return name in _TRANSIENT_NAMES or (
        name in ("OperationalError", "InterfaceError") and any(each in text.lower() for each in _ALL)
    )


_ALL = (*_NOT_YET, *_GONE)
_DRIVER_ERROR = re.compile(r"^\w+: \(psycopg2\.(?:errors\.)?(?P<name>\w+)\)")
_NO_CONNECTION = "RallyEtlError: no connection to "
_TRANSIENT_NAMES = {psycopg2.errors.lookup(code).__name__ for code in TRANSIENT_CODES}


def retrying(
    what: str,
    tell: Callable[[str, str], None] | None = None,
    *,
    on: Callable[[Exception], bool] = is_transient,
    attempts: int = ATTEMPTS,
    timeout_s: float = TIMEOUT_S,
) -> Iterator[stamina.Attempt]:
    """Attempts at something that may be done twice, with a growing, jittered wait between them.

    Used as ``for attempt in retrying("publish NSTF", tell): with attempt: ...``. What the block raises last is raised;
    an error that *on* does not know is raised at once.

    Args:
        what: what is tried, for the lines that *tell* gets: a label and a sentence before each further attempt. Without
            *tell* the lines go to stderr.
        attempts: at most so many.
        timeout_s: seconds after which no further attempt begins.
    """
    tell = tell or _print
    failures: list[Exception] = []

    def is_worth_it(error: Exception) -> bool:
        failures.append(error)
        return on(error)

    context = stamina.retry_context(
        on=is_worth_it, attempts=attempts, timeout=timeout_s,
        wait_initial=WAIT_S, wait_max=LONGEST_WAIT_S, wait_jitter=JITTER_S,
    )  # fmt: skip
    for attempt in context:
        if failures:
            facts = {"what": what, "attempt": attempt.num, "attempts": attempts}
            logs.event("retry", **facts, error_message=logs.message_of(failures[-1]))
            tell("again", f"{what}: {clean_message(failures[-1])}; attempt {attempt.num} of {attempts}")
        yield attempt


def patiently(what: str, tell: Callable[[str, str], None] | None = None) -> Iterator[stamina.Attempt]:
    """Attempts as `retrying` makes them, for as long as a server that restarts may take to be back."""
    return retrying(what, tell, attempts=PATIENT_ATTEMPTS, timeout_s=PATIENT_S)


def _says(error: BaseException, texts: tuple[str, ...]) -> bool:
    said = str(error).lower()
    return any(text in said for text in texts)


def _print(label: str, text: str) -> None:
    print(f"{label}: {text}", file=sys.stderr, flush=True)
