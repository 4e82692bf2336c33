"""Writing a plan into live: short waits for locks, again where that is safe, and never twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import sqlalchemy as sa

from rally_etl import planning, states
from rally_etl.checks import audit
from rally_etl.database.engine import clean_message
from rally_etl.database.locks import may_write
from rally_etl.database.references import read_reference_params
from rally_etl.database.retry import is_transient, retrying
from rally_etl.errors import LiveIsBusy, PublishUnknown
from rally_etl.planning.schema import read_planned
from rally_etl.protection import note_users
from rally_etl.protection.automatic.raising import raise_planned
from rally_etl.protection.constraints import ddl
from rally_etl.settings import Settings

LOCK_TIMEOUT_S = 2  # seconds a statement of a publish waits for a lock, while the ones before it hold theirs
ATTEMPTS = 5
DECIDING_S = 60  # seconds that a transaction whose end nobody saw may take to end
HOLDERS = 3  # named in a message

Tell = Callable[[str, str], None]


def write(
    engine: sa.Engine,
    settings: Settings,
    run_id: str,
    leagues: Iterable[str],
    *,
    is_way_back: bool = False,
    tell: Tell | None = None,
) -> bool:
    """Publish the plan of leagues in one transaction; answer whether it wrote any row.

    What passes by itself (a lock that somebody holds, a deadlock, a lost connection) is tried again. A connection that
    was lost while committing leaves open what happened; that is read from the ledger, and nothing is written twice.

    Args:
        is_way_back: the state it makes was live before; it is not asked whether that passes the checks.

    Raises:
        LockLost: the run does not hold the run lock any more; nothing was written.
        LiveIsBusy: others held what is to be written for longer than all attempts together; nothing was written.
        PublishUnknown: the connection was lost while committing, and the database does not answer.
        RallyEtlError: the plan does not hold any more; nothing was written.
        sqlalchemy.exc.DBAPIError: the database stopped it; nothing was written.
    """
    keys = sorted(leagues)
    params = read_reference_params(settings.params_dir / "references.yaml")
    limit = {"value": f"{min(settings.lock_timeout_s, LOCK_TIMEOUT_S)}s"}
    holders: list[str] = []

    def check(connection: sa.Connection) -> list[str]:
        return [] if is_way_back else [name for league in keys for name in audit(connection, settings, run_id, league)]

    def first(connection: sa.Connection) -> None:
        may_write(connection)
        connection.execute(sa.text("select set_config('lock_timeout', :value, true)"), limit)
        ddl.drop_planned(connection, run_id)
        raise_planned(connection, run_id)

    def last(connection: sa.Connection) -> None:
        note_users(connection, params, run_id)

    try:
        for attempt in retrying(f"publish {', '.join(keys)}", tell, attempts=ATTEMPTS):
            with attempt:
                if attempt.num > 1 and _is_written(engine, run_id, keys):
                    return True
                try:
                    return planning.publish(engine, run_id, keys, check, first=first, last=last).rows > 0
                except sa.exc.DBAPIError as error:
                    holders = _holders(engine, run_id) if _code(error) in _BUSY else []
                    raise
    except sa.exc.DBAPIError as error:
        if is_transient(error) and _is_written(engine, run_id, keys):
            return True
        if _code(error) not in _BUSY:
            raise
        raise LiveIsBusy(_busy(error, holders, limit["value"])) from error
    raise AssertionError("an attempt returns or raises")


_BUSY = {
    "55P03": "what the plan changes is locked by others",
    "40P01": "others lock what the plan changes in another order",
    "40001": "others change the same rows at the same time",
}
"""Errors after which the same plan may be published later, by their codes."""


def _code(error: sa.exc.DBAPIError) -> str:
    return getattr(error.orig, "pgcode", None) or ""


def _busy(error: sa.exc.DBAPIError, holders: list[str], limit: str) -> str:
    told = ", ".join(holders[:HOLDERS]) + (" hold" if len(holders) > 1 else " holds")
    who = f"{told} rows or tables of it" if holders else "nobody holds them any more"
    return (
        f"{_BUSY[_code(error)]}: {ATTEMPTS} attempts, {limit} for each lock ({clean_message(error)}); {who};"
        " nothing was written\n"
        "hint: wait until they have ended; `select pg_terminate_backend(PROCESS)` ends one that hangs"
    )


_HOLDERS = sa.text(
    """
    select format('%s (server process %s, since %s UTC)',
                  coalesce(nullif(a.application_name, ''), 'a nameless program'), a.pid,
                  to_char(a.xact_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')) as holder
    from pg_stat_activity as a
    where
        a.pid <> pg_backend_pid()
        and a.pid in (
            select l.pid from pg_locks as l
            where
                l.locktype = 'relation' and l.granted and l.mode <> 'AccessShareLock'
                and l.database = (select oid from pg_database where datname = current_database())
                and l.relation = any(array(
                    select c.oid from pg_class as c
                    where c.relnamespace = to_regnamespace('public') and c.relname = any(:tables))))
    order by a.xact_start nulls last
    """
)


def _holders(engine: sa.Engine, run_id: str) -> list[str]:
    """Who has locked rows or whole tables of the plan, the longest first."""
    with engine.connect() as connection:
        return list(connection.scalars(_HOLDERS, {"tables": list(read_planned(connection, run_id))}))


def _is_written(engine: sa.Engine, run_id: str, keys: list[str]) -> bool:
    """Whether an attempt has committed, whatever its connection said; waits for one that has not ended yet."""
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("select set_config('lock_timeout', :value, true)"), {"value": f"{DECIDING_S}s"})
            sql = "select state from etl.run_leagues where run_id = :run and league = any(:leagues) for update"
            found = list(connection.scalars(sa.text(sql), {"run": run_id, "leagues": keys}))
    except sa.exc.DBAPIError as error:
        raise PublishUnknown(
            f"the connection was lost while {', '.join(keys)} of run {run_id} was published, and the database does not"
            f" answer ({clean_message(error)}): it holds the whole plan or nothing of it\n"
            f"hint: bring the database back; `rally-etl show {run_id}` then tells which; run the scrape again"
        ) from error
    return bool(found) and all(state in states.LIVE for state in found)
