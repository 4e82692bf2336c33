"""One run at a time on one database.

One advisory lock, held by a session that does nothing else, so that it ends with the program however that ends. A
publish asks in its own transaction whether its run still holds it.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

import sqlalchemy as sa

from rally_etl import logs
from rally_etl.errors import LockLost, RunLocked

RUN_LOCK = 0x52414C4C_0002  # advisory lock; its scope is one database of a server
WRITE_LOCK = 0x52414C4C_0003  # shared by every transaction in which the holder of the run lock writes live tables
SLICE_S = 5.0  # a waiting program hears Ctrl-C and SIGTERM between two slices

_HOLDERS = """
    select l.pid, a.application_name, a.backend_start,
           to_char(a.query_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as since
    from pg_locks as l
    left join pg_stat_activity as a on a.pid = l.pid
    where
        l.locktype = 'advisory'
        and l.granted
        and l.objsubid = 1
        and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::bigint << 32) + l.objid::bigint = :key
"""
HOLDERS = sa.text(_HOLDERS)
END_WRITERS = sa.text(
    f"select pg_terminate_backend(w.pid, :wait_ms) from ({_HOLDERS}) as w where w.pid <> pg_backend_pid()"
)
"""Ends transactions that write in the name of a run which no longer holds the run lock."""


@dataclass(slots=True)
class RunLock:
    """The run lock as this program holds it; what it is held for stands in its session's name."""

    engine: sa.Engine
    what: str
    connection: sa.Connection | None = None
    session: tuple[int, datetime] | None = None  # server process and its start: a process id alone may come again

    def name(self, what: str) -> None:
        """Say for whom it is held: ``run 20251003T073000-ab12``; who is refused reads it."""
        self.what = what
        if self.connection is not None:
            name = f"rally-etl {what} {os.getpid()}@{socket.gethostname()}"
            self.connection.execute(sa.text("select set_config('application_name', :name, false)"), {"name": name})

    def take(self, wait_s: float = 0) -> bool:
        """Take the lock on a new session; False when another program has it and keeps it for *wait_s* seconds."""
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            for limit in _LIMITS:
                connection.execute(sa.text(limit))
            if not _taken(connection, wait_s):
                connection.invalidate()
                connection.close()
                return False
            self.connection = connection
            self.name(self.what)
            self.session = tuple(connection.execute(_SELF).one())
        except BaseException:
            self.connection = None
            connection.invalidate()
            connection.close()
            raise
        return True

    def is_held(self, connection: sa.Connection) -> bool:
        """Whether the session that took the lock still has it, as another session sees it."""
        found = connection.execute(HOLDERS, {"key": RUN_LOCK}).first()
        return found is not None and (found.pid, found.backend_start) == self.session

    def release(self) -> None:
        """Give it back and end the session, which does not go back to the pool.

        A session that just ends lets its lock go only when the server has heard of it, a moment later.
        """
        if self.connection is not None:
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                self.connection.execute(sa.text("select pg_advisory_unlock(:key)"), {"key": RUN_LOCK})
            self.connection.invalidate()
            self.connection.close()
        self.connection = self.session = None


_HELD: ContextVar[RunLock | None] = ContextVar("run lock that this thread holds", default=None)
_SELF = sa.text("select pid, backend_start from pg_stat_activity where pid = pg_backend_pid()")
_LIMITS = (
    "set idle_session_timeout = 0",  # the session does nothing but hold the lock
    "set statement_timeout = 0",
)


@contextmanager
def run_lock(engine: sa.Engine, wait_s: float = 0, what: str = "run") -> Iterator[RunLock]:
    """Hold the run lock on a session of its own; it ends with the session, so a killed run holds nothing.

    Args:
        wait_s: seconds to wait for a run that has it; 0 does not wait.
        what: what it is taken for, until `RunLock.name` says more.

    Raises:
        RunLocked: another run has it; the message names it, its program and host, and since when.
    """
    lock, began = RunLock(engine, what), monotonic()
    if not lock.take(wait_s):
        told = _conflict(engine, wait_s)
        logs.event("lock.refused", seconds=monotonic() - began, wait_s=wait_s)
        raise RunLocked(told)
    logs.event("lock.taken", seconds=monotonic() - began)
    token = _HELD.set(lock)
    try:
        yield lock
    finally:
        _HELD.reset(token)
        lock.release()


def may_write(connection: sa.Connection) -> None:
    """See in a transaction that writes live tables that this program still holds the run lock; until it ends, a run
    that comes after knows of it.

    Raises:
        LockLost: it does not; the transaction is to be rolled back.
    """
    connection.execute(sa.text("select pg_advisory_xact_lock_shared(:key)"), {"key": WRITE_LOCK})
    lock = _HELD.get()
    if lock is None or not lock.is_held(connection):
        raise LockLost(
            "the session that held the lock of this run has ended, and another run may have begun; nothing was written"
        )


def regain(engine: sa.Engine) -> bool:
    """Take the lock again if its session has ended (the server restarted, somebody ended it); True if it had to be.

    What others did meanwhile is for the caller to find out.

    Raises:
        LockLost: another program has it now.
    """
    lock = _HELD.get()
    if lock is None:
        return False
    with engine.connect() as connection:
        if lock.is_held(connection):
            return False
    lock.release()
    if not lock.take():
        raise LockLost(f"the lock of this run was lost, and another has it now: {_conflict(engine, 0)}")
    return True


def _taken(connection: sa.Connection, wait_s: float) -> bool:
    if wait_s <= 0:
        return bool(connection.scalar(sa.text("select pg_try_advisory_lock(:key)"), {"key": RUN_LOCK}))
    until = monotonic() + wait_s
    limit = sa.text("select set_config('lock_timeout', :value, false)")
    while (left := until - monotonic()) > 0:
        connection.execute(limit, {"value": f"{max(1, round(min(left, SLICE_S) * 1000))}ms"})
        try:
            connection.execute(sa.text("select pg_advisory_lock(:key)"), {"key": RUN_LOCK})
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "pgcode", None) != "55P03":  # lock_not_available
                raise
        else:
            return True
    return False


def _conflict(engine: sa.Engine, wait_s: float) -> str:
    with engine.connect() as connection:
        holder = connection.execute(HOLDERS, {"key": RUN_LOCK}).first()
    waited = f" after {wait_s:g} s of waiting" if wait_s > 0 else ""
    if holder is None:
        return f"another run held this database{waited} and has just ended\nhint: start again"
    since = f" since {holder.since} UTC" if holder.since else ""
    return (
        f"another run works on this database{waited}: {_told(holder.application_name)}, server process"
        f" {holder.pid}{since}; nothing was changed\n"
        f"hint: wait until it ends (--wait SECONDS); if it hangs, `select pg_terminate_backend({holder.pid})` ends it"
    )


def _told(name: str | None) -> str:
    """`run 20251003T073000-ab12 (process 4711 on etl-1)` of a session's name."""
    if not name:
        return "an unnamed application"
    what, _, place = name.removeprefix("rally-etl ").rpartition(" ")
    process, at, host = place.partition("@")
    return f"{what} (process {process} on {host})" if what and at and process.isdigit() else name
