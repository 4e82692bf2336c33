"""What `params/snapshots.yaml` says: where snapshots are kept, and which of them stay."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from rally_etl.params import read_model
from rally_etl.protection.stored.manifest import Manifest

if TYPE_CHECKING:
    from rally_etl.settings import Settings

GIB = 1024**3
Count = Annotated[int, Field(ge=0, strict=True)]


class SnapshotParams(BaseModel):
    """`params/snapshots.yaml`.

    Attributes:
        folder: where snapshots are kept; a relative one is meant from the project folder.
        keep_last: so many of the newest stay, however old they are.
        keep_daily: days, today included, of which the newest snapshot stays.
        keep_weekly: weeks (Monday to Sunday), this one included, of which the newest snapshot stays.
        max_gib: from the oldest on, snapshots go until all together take no more; the newest stays in any case.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Annotated[str, Field(min_length=1)] = ".rally/snapshots"
    keep_last: Annotated[int, Field(ge=1, strict=True)] = 5
    keep_daily: Count = 14
    keep_weekly: Count = 8
    max_gib: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 20.0


def load_snapshot_params(params_dir: Path) -> SnapshotParams:
    """Read the file.

    Raises:
        UsageError: it is missing, or a value is unknown or out of range; the message names file and key.
    """
    return read_model(params_dir / "snapshots.yaml", SnapshotParams, "no snapshot was read or written")


def folder_of(settings: Settings, params: SnapshotParams | None = None) -> Path:
    """Where the snapshots of a project are kept."""
    params = params or load_snapshot_params(settings.params_dir)
    return settings.root / Path(params.folder).expanduser()


def outdated(found: Iterable[Manifest], params: SnapshotParams, now: datetime | None = None) -> dict[str, str]:
    """Id of each complete snapshot that does not stay -> why, oldest first."""
    newest_first = sorted(found, key=lambda each: (each.taken_at, each.id), reverse=True)
    today = (now or datetime.now(UTC)).astimezone(UTC).date()
    monday = today - timedelta(days=today.weekday())
    kept = {each.id for each in newest_first[: params.keep_last]}
    days, weeks = set(), set()
    for each in newest_first:
        day = each.taken_at.astimezone(UTC).date()
        week = day - timedelta(days=day.weekday())
        if day not in days and (today - day).days < params.keep_daily:
            kept.add(each.id)
        if week not in weeks and (monday - week).days < 7 * params.keep_weekly:
            kept.add(each.id)
        days.add(day)
        weeks.add(week)
    why = {each.id: "no rule keeps it" for each in newest_first if each.id not in kept}
    total = 0
    for number, each in enumerate(each for each in newest_first if each.id in kept):
        total += each.bytes
        if number and total > params.max_gib * GIB:
            why[each.id] = f"all together would take more than {params.max_gib:g} GiB"
            total -= each.bytes
    return {each.id: why[each.id] for each in reversed(newest_first) if each.id in why}
