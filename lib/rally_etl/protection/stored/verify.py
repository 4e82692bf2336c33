"""See that a snapshot can be restored: files as written, rows and fingerprints by loading every one of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from rally_etl.protection.stored import files
from rally_etl.protection.stored.loading import load
from rally_etl.protection.stored.manifest import Damaged, Manifest, StoredTable
from rally_etl.protection.stored.rows import pin

CONNECTIONS = 2


@dataclass(frozen=True, slots=True)
class Verified:
    """One file of a snapshot; ``fault`` is empty where it holds what was copied."""

    file: str
    table: str
    rows: int
    fault: str = ""


def verify(
    engine: sa.Engine, folder: Path, manifest: Manifest, tell: Callable[[int, int], None] = lambda done, of: None
) -> list[Verified]:
    """Check every file of a snapshot; the database is left as it is: rows are loaded into temporary tables only.

    Args:
        tell: called with the number of files done, and of all.
    """
    path, done = folder / manifest.id, 0
    tell(0, len(manifest.tables))
    found = []
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for verified in pool.map(lambda table: _table(engine, path, table), manifest.tables):
            found.append(verified)
            done += 1
            tell(done, len(manifest.tables))
    if manifest.dump:
        found.append(_dump(path, manifest))
    return found


def _table(engine: sa.Engine, path: Path, table: StoredTable) -> Verified:
    with engine.connect() as connection:
        transaction = connection.begin()
        try:
            pin(connection)
            load(connection, path, table, "snapshot_verified")
        except Damaged as damaged:
            return Verified(table.file, table.name, table.rows, fault=str(damaged).split("; nothing was changed")[0])
        finally:
            transaction.rollback()
    return Verified(table.file, table.name, table.rows)


def _dump(path: Path, manifest: Manifest) -> Verified:
    fault = ""
    try:
        if files.sha256_of(path, manifest.dump.file, manifest.dump.bytes) != manifest.dump.sha256:
            fault = f"{manifest.dump.file} of the snapshot is damaged: its SHA-256 is another"
    except Damaged as damaged:
        fault = str(damaged).split("; nothing was changed")[0]
    return Verified(manifest.dump.file, "", 0, fault)
