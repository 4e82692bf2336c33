"""Guards that were stopped in the middle: the database goes back to their snapshot before anything else happens."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.protection.guard.command import APPLICATION, end_sessions
from rally_etl.protection.snapshots import snapshot
from rally_etl.protection.snapshots.restore import restore

_STATE = sa.text(
    """
    select g.restored is not null as is_restored, g.method, g.details ? 'command_started' as is_started, g.command,
           exists (select from etl.run_leagues as l where l.run_id = g.run_id and l.state in ('published', 'verified'))
               as is_published
    from etl.guards as g where g.run_id = :run
    """
)


def after_schema(run_id: str) -> str:
    """Name of the schema that keeps imported tables as the command of a run has left them."""
    return "after_" + run_id.lower().replace("-", "_")


def put_back_unfinished(engine: sa.Engine) -> list[str]:
    """Put back the snapshot of every guard that did not end; the run lock proves that none of them is alive.

    A guard that had put it back already, that has published, or whose command never began needs nothing; its snapshot
    is dropped.

    Returns:
        what was done, in sentences.

    Raises:
        RallyEtlError: a snapshot cannot be put back; it is kept.
    """
    with engine.connect() as connection:
        left = snapshot.left_behind(connection)
        states = {run_id: connection.execute(_STATE, {"run": run_id}).first() for run_id in left}
    told = []
    for run_id, state in states.items():
        if state is None:  # nobody knows whose it is
            continue
        if state.is_started and not state.is_restored and not state.is_published and state.method != "nothing":
            end_sessions(engine, f"{APPLICATION} {run_id}")
            with engine.connect() as connection:
                found = snapshot.find(connection, run_id)
            restored = restore(engine, found)
            note_restored(engine, run_id, restored.fingerprint)
            told.append(
                f"run {run_id} was stopped while it guarded a command: the database is back at its snapshot of"
                f" {found.taken_at}; {restored.kept:,} rows that users added since are kept,"
                f" {restored.set_aside_rows:,} are set aside in etl.guard_rows"
            )
        forget(engine, run_id)
    return told


def note_restored(engine: sa.Engine, run_id: str, fingerprint: str) -> None:
    """Note that the database has gone back, and to what; what was published over the command is undone with it."""
    with engine.begin() as connection:
        undone = connection.execute(
            sa.text(
                "update etl.run_leagues set state = 'undone', cause = 'the guard put the database back to its snapshot'"
                " where run_id = :run and state = 'failed' and published_at is not null"
            ),
            {"run": run_id},
        )
        for table in ("redirects", "aliases") if undone.rowcount else ():
            connection.execute(
                sa.text(
                    f"update etl.{table} set ended_at = clock_timestamp() where run_id = :run and ended_at is null"
                ),
                {"run": run_id},
            )
        connection.execute(
            sa.text("update etl.guards set restored = :restored where run_id = :run"),
            {"restored": fingerprint, "run": run_id},
        )


def forget(engine: sa.Engine, run_id: str) -> None:
    """Drop what a guard has copied; the ledger keeps what it found."""
    snapshot.drop(engine, run_id)
    with engine.begin() as connection:
        connection.execute(sa.text(f"drop schema if exists {quote(after_schema(run_id))} cascade"))
