"""What runs that died have left: sessions, open entries of the ledger, schemas."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from rally_etl import planning
from rally_etl.database.locks import END_WRITERS, WRITE_LOCK
from rally_etl.evidence import STAGES_BEFORE_GATE
from rally_etl.protection.guard.unfinished import put_back_unfinished
from rally_etl.recovery import close_dead
from rally_etl.settings import Settings

KEPT_PLANS = 20
ENDING_S = 10  # seconds a session of a dead run may take to end
APPLICATIONS = [f"rally-etl {stage}" for stage in (*STAGES_BEFORE_GATE, "gate")]


def tidy(
    engine: sa.Engine,
    settings: Settings,
    tell: Callable[[str, str], None] = lambda label, text: None,
    keep: str | None = None,
) -> None:
    """Close runs that died, drop what they left, and forget the oldest plans; the lock proves that no run is alive.

    Before anything else the database goes back to the snapshot of a guard that did not end; *tell* says so.

    Args:
        keep: a run whose plan and candidate stay: it is about to be resumed.
    """
    with engine.begin() as connection:
        connection.execute(END_WRITERS, {"key": WRITE_LOCK, "wait_ms": 1000 * ENDING_S})
        connection.execute(_END_SESSIONS, {"names": APPLICATIONS})
    for text in put_back_unfinished(engine):
        tell("snapshot", text)
    close_dead(engine, settings, tell)
    with engine.begin() as connection:
        kept = set(
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
        kept_schemas = {planning.schemas(run_id)[0] for run_id in kept}
        if keep is not None:
            kept_schemas |= {*planning.schemas(keep)}
        found = connection.execute(
            sa.text(r"select nspname from pg_namespace where nspname like 'plan\_2%' or nspname like 'candidate\_2%'")
        ).scalars()
        for name in found:
            # a candidate never outlives the run after it: its views would bind live columns
            if name not in kept_schemas:
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
