"""Whether the plan of a restore makes of each table what the snapshot's manifest says, and live after the publish."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.measures import counted
from rally_etl.planning.schema import read_planned, schemas
from rally_etl.protection.snapshots.definitions import run
from rally_etl.protection.stored import manifest, retention
from rally_etl.protection.stored.manifest import StoredTable
from rally_etl.protection.stored.plan import RESTORED
from rally_etl.protection.stored.rows import NOTHING, added, fingerprint_of, pin, without

if TYPE_CHECKING:
    from rally_etl.settings import Settings


def unlike_snapshot(
    connection: sa.Connection, settings: Settings, run_id: str, operation: Mapping[str, Any]
) -> Iterator[str]:
    """Tables that the candidate of a restore would not have as the snapshot has them, in sentences.

    Fingerprints add up: live when the plan was made, without the images before, with the images after, must be the
    snapshot's rows and those that stay although they were added since. What users write meanwhile does not matter: the
    plan does not name it, and the before-images guard what it does name.
    """
    pin(connection)
    snapshot = manifest.read(retention.folder_of(settings), operation["snapshot"])
    plan, planned = schemas(run_id)[0], read_planned(connection, run_id)
    noted = {row.table_name: row for row in run(connection, f"select * from {quote(plan, RESTORED)}")}
    for name in sorted(set(operation["tables"]) - noted.keys()):
        yield f"{name} was not compared with snapshot {snapshot.id}"
    for name, row in sorted(noted.items()):
        stored = snapshot.table(name)
        before = after = NOTHING
        if name in planned:
            before = _images(connection, stored, quote(plan, f"{name}_before"))
            after = _images(connection, stored, quote(plan, name), "_op <> 'delete'")
        if added(without(row.live, before), after) != added(stored.fingerprint, row.kept):
            yield f"{name} would not be as in snapshot {snapshot.id}"
    for name in sorted(planned.keys() - noted.keys()):
        if run(connection, f"select exists (select from {quote(plan, name)})").scalar_one():
            yield f"{name} would be changed, which nobody asked for"


@dataclass(frozen=True, slots=True)
class Restored:
    """One table after the publish of a restore.

    Attributes:
        rows: of the snapshot.
        was_changed: the table was not as in the snapshot when the plan was made.
        kept: rows that were added before the plan was made and stay.
        is_as_stored: without those the table has the snapshot's fingerprint; if not, somebody has written since.
    """

    table: str
    rows: int
    was_changed: bool
    kept: int
    is_as_stored: bool

    @property
    def told(self) -> str:
        """The table in a sentence."""
        kept = f", and {counted(self.kept, 'row')} added since" if self.kept else ""
        state = "as in the snapshot" if self.is_as_stored else "as planned; somebody has written since"
        return f"{self.table}: {counted(self.rows, 'row')}{kept}, {state}"


def compare_live(
    connection: sa.Connection, settings: Settings, run_id: str, operation: Mapping[str, Any]
) -> list[Restored]:
    """Compare live with the snapshot after the publish, table by table; reads only."""
    pin(connection)
    snapshot = manifest.read(retention.folder_of(settings), operation["snapshot"])
    plan = schemas(run_id)[0]
    found = []
    for row in run(connection, f"select * from {quote(plan, RESTORED)} order by table_name").all():
        stored = snapshot.table(row.table_name)
        columns = [column.name for column in stored.copied]
        now = fingerprint_of(connection, "public", stored.name, columns)
        is_same = now == added(stored.fingerprint, row.kept)
        kept, was_changed = int(row.kept.split(":")[0]), row.live != stored.fingerprint
        found.append(Restored(stored.name, stored.rows, was_changed, kept, is_same))
    return found


SHOWN_ROWS = 5
_KEPT = sa.text(
    """
    select kind, reason, (array_agg(name order by name) filter (where name <> 'and more'))[1:cast(:most as integer)]
           as names, sum(row_count) as row_count
    from etl.held_rows where run_id = :run group by kind, reason order by kind, reason
    """
)


def kept_rows(connection: sa.Connection, run_id: str) -> list[sa.Row]:
    """Rows that stay although they are not in the snapshot: kind (table), reason, the first names, row_count."""
    return list(connection.execute(_KEPT, {"run": run_id, "most": SHOWN_ROWS}))


def _images(connection: sa.Connection, stored: StoredTable, relation: str, rows: str = "") -> str:
    columns = [column.name for column in stored.copied]
    return fingerprint_of(connection, "public", stored.name, columns, source=relation, rows=rows)
