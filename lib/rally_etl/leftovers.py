"""What runs that died have left: sessions, open entries of the ledger, schemas."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from rally_etl import pipeline, planning
from rally_etl.protection.guard.unfinished import put_back_unfinished

KEPT_PLANS = 20
ENDING_S = 10  # seconds a session of a dead run may take to end


def tidy(engine: sa.Engine, tell: Callable[[str, str], None] = lambda label, text: None) -> None:
    """Close runs that died, drop what they left, and forget the oldest plans; the lock proves that no run is alive.

    Before anything else the database goes back to the snapshot of a guard that did not end; *tell* says so.
    """
    with engine.begin() as connection:
        connection.execute(_END_SESSIONS, {"names": [f"rally-etl {stage}" for stage in pipeline.STAGES]})
    for text in put_back_unfinished(engine):
        tell("snapshot", text)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "update etl.runs set status = 'failed', finished_at = clock_timestamp(), exit_code = 1,"
                " decision = 'NO-GO', error = 'ended without a result: the process or the machine was stopped'"
                " where status = 'running'"
            )
        )
        keep = set(
            connection.execute(
                sa.text(
                    "(select run_id from etl.runs order by started_at desc limit :n) union"
                    " (select run_id from etl.runs where operation is not null and exists ("
                    "   select from etl.run_leagues as l where l.run_id = runs.run_id and l.published_at is not null)"
                    "  order by started_at desc limit :n)"
                ),
                {"n": KEPT_PLANS},
            ).scalars()
        )
        kept_plans = {planning.schemas(run_id)[0] for run_id in keep}
        found = connection.execute(
            sa.text(r"select nspname from pg_namespace where nspname like 'plan\_2%' or nspname like 'candidate\_2%'")
        ).scalars()
        for name in found:
            if name not in kept_plans:  # a candidate never outlives the run after it: its views would bind live columns
                connection.execute(sa.text(f'drop schema "{name}" cascade'))


_END_SESSIONS = sa.text(
    f"""
    select pg_terminate_backend(a.pid, {1000 * ENDING_S})
    from pg_stat_activity as a
    where
        a.datname = current_database() and a.pid <> pg_backend_pid() and a.application_name = any(:names)
        and (
            a.backend_xid is not null
            or exists (
                select from pg_locks as l
                where l.pid = a.pid and l.locktype = 'relation' and l.mode <> 'AccessShareLock'))
    """
)
"""Ends sessions that a killed stage has left and waits for it: a transaction that writes would hold its locks into the
next run. A notebook that somebody has open only reads."""
