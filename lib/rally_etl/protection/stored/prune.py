"""Remove snapshots that no rule of `params/snapshots.yaml` keeps, and what killed processes have left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rally_etl.errors import RallyEtlError
from rally_etl.protection.stored import files, manifest, retention
from rally_etl.protection.stored.retention import SnapshotParams


@dataclass(frozen=True, slots=True)
class Removed:
    """One folder that went, or would go; ``bytes`` were freed."""

    name: str
    bytes: int
    why: str


def prune(folder: Path, params: SnapshotParams, dry_run: bool = False) -> list[Removed]:
    """Remove what does not stay, oldest first; the newest complete snapshot always does.

    Damaged ones are left: nobody knows what they hold.

    Raises:
        RallyEtlError: a folder cannot be removed; those before it are.
    """
    found = manifest.listed(folder, files.being_written(folder))
    gone = [
        Removed(each.path.name, files.used(each.path), "a process that did not end has left it")
        for each in found
        if each.state == "partial"
    ]
    complete = {each.id: each for each in found if each.manifest}
    due = retention.outdated((each.manifest for each in complete.values()), params)
    gone += [Removed(key, files.used(complete[key].path), why) for key, why in due.items()]
    if dry_run:
        return gone
    try:
        files.remove_left_over(folder)
        for key in due:
            files.remove(complete[key].path)
    except OSError as error:
        raise RallyEtlError(
            f"{error.filename or folder} cannot be removed: {error.strerror}\nhint: check its permissions"
        ) from None
    return gone
