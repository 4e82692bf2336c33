"""Back to a snapshot, in one transaction: readers see the database before or after, never between."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.engine import clean_message
from rally_etl.errors import RallyEtlError
from rally_etl.protection.snapshots.definitions import base_tables, name_schemas, run
from rally_etl.protection.snapshots.fingerprints import whole
from rally_etl.protection.snapshots.restoring import Restoring
from rally_etl.protection.snapshots.snapshot import Snapshot

SHOWN_ROWS = 200  # images that an answer holds; all are in etl.guard_rows
PAUSE_S = 0.05
_LOCKED = ("55P03", "40P01")  # lock_not_available, deadlock_detected
_REFUSED = "23"  # class of integrity constraint violations


_IMAGES = sa.text(
    "select table_name, row_key, why, image from etl.guard_rows where run_id = :run order by number limit :n"
)
_IMAGE_COUNTS = sa.text("select table_name, count(*) from etl.guard_rows where run_id = :run group by table_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRestored:
    """What one table took to be as it was.

    Attributes:
        put_back: rows that were gone.
        changed: rows that said something else.
        removed: rows that were added and do not stay.
        kept: rows that were added to a table of users and stay.
        set_aside: rows of users among the changed and removed whose image is kept.
        structure: what was different in its make, a sentence each; "it was gone" for a table that was dropped.
        fingerprint: of its rows afterwards, without those that are kept.
    """

    table: str
    put_back: int = 0
    changed: int = 0
    removed: int = 0
    kept: int = 0
    set_aside: int = 0
    structure: tuple[str, ...] = ()
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A row of users that was added or changed since and does not stay, with its image."""

    table: str
    row: str
    why: str
    image: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The database is as it was in the snapshot, but for the rows that are kept.

    Attributes:
        tables: those that were not as they were.
        fingerprint: of the rows of all tables without those that are kept: the snapshot's.
        set_aside: the first of `set_aside_rows`; all are in ``etl.guard_rows``.
        notes: what an operator should know, a sentence each.
    """

    run_id: str
    tables: tuple[TableRestored, ...]
    fingerprint: str
    set_aside: tuple[SetAside, ...]
    set_aside_rows: int
    notes: tuple[str, ...]
    seconds: float

    @property
    def kept(self) -> int:
        return sum(table.kept for table in self.tables)


def restore(engine: sa.Engine, snapshot: Snapshot, keep_added: bool = True, wait_s: float = 20) -> Restored:
    """Bring the tables of a snapshot back to what they were.

    Rows of users that were added since stay (*keep_added*) when all that they refer to is in the snapshot and still is
    the same thing; others, and rows of users that were changed, are set aside with their image. Sequences never go
    back. A foreign key that the snapshot's own rows do not keep comes back unproven (NOT VALID), and `notes` says so.
    Other programs wait while it runs. Somebody who owns the tables can do it.

    Args:
        wait_s: seconds to wait for other programs to let the tables go.

    Raises:
        RallyEtlError: the tables were not let go, the database refused something, or the tables were not afterwards
            what they were; then nothing was restored.
    """
    started = time.monotonic()
    notes: list[str] = []
    while True:
        waited = time.monotonic() - started
        try:
            with engine.begin() as connection:
                name_schemas(connection)
                _lock(connection, snapshot, waited, wait_s)
                restoring = Restoring(connection, snapshot)
                restoring.prepare()
                fingerprints = restoring.go_back(keep_added and not notes)
                return _restored(restoring, fingerprints, [*notes, *restoring.notes], started)
        except sa.exc.DBAPIError as error:
            code = getattr(error.orig, "pgcode", None) or ""
            if code.startswith(_REFUSED) and keep_added and not notes:
                notes.append(f"no row that was added since is kept: one is in the way ({clean_message(error)})")
            elif code in _LOCKED and waited < wait_s:
                time.sleep(PAUSE_S)
            else:
                raise RallyEtlError(_refusal(engine, snapshot, error, code)) from error


def _lock(connection: sa.Connection, snapshot: Snapshot, waited: float, wait_s: float) -> None:
    """Lock every table at once, or none: whoever waits for us must not be waited for. Late in the wait, queue."""
    found = base_tables(connection)
    names = [quote("public", name) for name in snapshot.tables if name in found]
    queues = waited >= wait_s / 2
    if queues:
        run(connection, f"set local lock_timeout = '{max(1, round(wait_s - waited))}s'")
    if names:
        run(connection, f"lock table {', '.join(names)} in access exclusive mode{'' if queues else ' nowait'}")


def _restored(restoring: Restoring, fingerprints: dict[str, str], notes: list[str], started: float) -> Restored:
    connection, snapshot = restoring.connection, restoring.snapshot
    images = connection.execute(_IMAGES, {"run": snapshot.run_id, "n": SHOWN_ROWS}).all()
    counted = dict(connection.execute(_IMAGE_COUNTS, {"run": snapshot.run_id}).all())
    return Restored(
        run_id=snapshot.run_id,
        tables=tuple(
            _counted(restoring, name, fingerprints[name], counted.get(name, 0))
            for name in snapshot.tables
            if restoring.told[name] or name in restoring.touched
        ),
        fingerprint=whole(fingerprints),
        set_aside=tuple(
            SetAside(table=row.table_name, row=row.row_key, why=row.why, image=row.image) for row in images
        ),
        set_aside_rows=sum(counted.values()),
        notes=tuple(notes),
        seconds=time.monotonic() - started,
    )


def _counted(restoring: Restoring, name: str, fingerprint: str, set_aside: int) -> TableRestored:
    diff = restoring.diffs.get(name)
    counts = (
        dict(run(restoring.connection, f"select kind, count(*) from {diff.name} group by kind").all()) if diff else {}
    )
    was_gone = name not in restoring.now.tables
    return TableRestored(
        table=name,
        put_back=restoring.snapshot.rows[name] if was_gone else counts.get("gone", 0),
        changed=counts.get("changed", 0),
        removed=sum(counts.get(kind, 0) for kind in ("added", "aside", "copy")),
        kept=counts.get("kept", 0),
        set_aside=set_aside,
        structure=restoring.told[name],
        fingerprint=fingerprint,
    )


def _refusal(engine: sa.Engine, snapshot: Snapshot, error: sa.exc.DBAPIError, code: str) -> str:
    """What to tell an operator whose database could not be restored."""
    if code not in _LOCKED:
        return (
            f"the database refused to go back to the snapshot of run {snapshot.run_id}: {clean_message(error)};"
            " nothing was restored\nhint: the snapshot is kept; end the programs that write, then restore it again"
        )
    with engine.connect() as connection:
        holders = connection.execute(
            sa.text(
                "select distinct coalesce(nullif(a.application_name, ''), 'an unnamed application') as name, a.pid"
                " from pg_locks as l join pg_stat_activity as a on a.pid = l.pid"
                " join pg_class as c on c.oid = l.relation"
                " where l.granted and a.pid <> pg_backend_pid() and c.relnamespace = to_regnamespace('public')"
                " and c.relname = any(:tables) order by 1, 2"
            ),
            {"tables": list(snapshot.tables)},
        ).all()
    told = ", ".join(f"{row.name} (server process {row.pid})" for row in holders) or "another program"
    return (
        f"{told} did not let the tables go; nothing was restored\n"
        "hint: the snapshot is kept; end that program (`select pg_terminate_backend(<process>)`) and restore it again"
    )
