"""One run at a time on one database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from rally_etl.errors import RunLocked

RUN_LOCK = 0x52414C4C_0002  # advisory lock; its scope is one database of a server

HOLDER = sa.text("""
    select a.application_name, l.pid, to_char(a.query_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as since
    from pg_locks as l
    left join pg_stat_activity as a on a.pid = l.pid
    where
        l.locktype = 'advisory'
        and l.granted
        and l.objsubid = 1
        and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::bigint << 32) + l.objid::bigint = :key
""")


@contextmanager
def run_lock(engine: sa.Engine, wait_s: float = 0) -> Iterator[None]:
    """Hold the run lock on a session of its own; it ends with the session, so a killed run holds nothing.

    Args:
        wait_s: seconds to wait for a run that has it; 0 does not wait.

    Raises:
        RunLocked: another run has it; the message names its application, process and since when.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("set idle_session_timeout = 0"))  # the session does nothing but hold the lock
        try:
            if not _taken(connection, wait_s):
                raise RunLocked(_conflict(connection, wait_s))
            yield
        finally:
            # A session that held the lock, or changed its limits, does not go back to the pool.
            connection.invalidate()


def _taken(connection: sa.Connection, wait_s: float) -> bool:
    if wait_s <= 0:
        return bool(connection.scalar(sa.text("select pg_try_advisory_lock(:key)"), {"key": RUN_LOCK}))
    limit = sa.text("select set_config('lock_timeout', :value, false), set_config('statement_timeout', '0', false)")
    connection.execute(limit, {"value": f"{max(1, round(wait_s * 1000))}ms"})
    try:
        connection.execute(sa.text("select pg_advisory_lock(:key)"), {"key": RUN_LOCK})
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "pgcode", None) != "55P03":  # lock_not_available
            raise
        return False
    return True


def _conflict(connection: sa.Connection, wait_s: float) -> str:
    holder = connection.execute(HOLDER, {"key": RUN_LOCK}).first()
    waited = f" after {wait_s:g} s of waiting" if wait_s > 0 else ""
    if holder is None:
        return f"another run held this database{waited} and has just ended\nhint: start again"
    name = holder.application_name or "an unnamed application"
    since = f" since {holder.since} UTC" if holder.since else ""
    return (
        f"another run works on this database{waited}: {name}, server process {holder.pid}{since}; nothing was changed\n"
        f"hint: wait until it ends; if it hangs, `select pg_terminate_backend({holder.pid})` ends it"
    )
