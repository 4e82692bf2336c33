"""Which snapshots stay: the newest, of each day, of each week, as much as there is room for; and the params of that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from conftest import REPOSITORY
from rally_etl.errors import UsageError
from rally_etl.protection.stored import retention
from rally_etl.protection.stored.manifest import Manifest, StoredDump, new_id
from rally_etl.protection.stored.retention import GIB, SnapshotParams, load_snapshot_params, outdated

NOW = datetime(2025, 10, 15, 12, tzinfo=UTC)  # a Wednesday


def taken(*hours_ago: float, size: float = 0) -> list[Manifest]:
    """Snapshots of so many hours before `NOW`, of *size* GiB each."""
    dump = StoredDump(file="dump.custom", bytes=int(size * GIB), sha256="0" * 64, program="x")
    return [
        Manifest(
            format=1, id=new_id(NOW - timedelta(hours=hours)), name=f"{hours:g}", taken_at=NOW - timedelta(hours=hours),
            database="x", server_version="18", product_version="1", leagues=(), tables=(), dump=dump, seconds=1,
        )
        for hours in hours_ago
    ]  # fmt: skip


def gone(found: list[Manifest], **params: float) -> list[str]:
    """Names of those that do not stay, oldest first."""
    values = {"keep_last": 1, "keep_daily": 0, "keep_weekly": 0} | params
    due = outdated(found, SnapshotParams(**values), NOW)
    return [next(each.name for each in found if each.id == key) for key in due]


def test_the_newest_stay_however_old_they_are():
    """Others go, the oldest first."""
    assert ["3000", "2000"] == gone(taken(1000, 3000, 2000, 900), keep_last=2)


def test_the_newest_of_each_day_and_week_stays():
    """Days and weeks are those of the calendar in UTC; today and this week count."""
    hours = (1, 2, 25, 26, 60, 24 * 8, 24 * 8 + 1, 24 * 20)

    assert ["480", "193", "192", "60", "26", "2"] == gone(taken(*hours), keep_daily=2)
    assert ["480", "193", "60", "26", "25", "2"] == gone(taken(*hours), keep_weekly=2)


def test_the_oldest_go_until_the_rest_fits():
    """One that is too large is passed over for a smaller older one; the newest stays in any case."""
    assert ["4", "3"] == gone(taken(1, 2, 3, 4, size=1), keep_last=4, max_gib=2.5)
    assert [] == gone(taken(1, size=50), max_gib=1)
    assert ["2"] == gone(taken(1, size=50) + taken(2, size=0.1), keep_last=2, max_gib=1)


def test_the_projects_own_params_can_be_read():
    """They hold every key, and the folder is within the project's own state."""
    params = load_snapshot_params(REPOSITORY / "params")

    assert params == SnapshotParams()
    assert (REPOSITORY / "params" / "snapshots.yaml").read_text().count(": ") >= len(SnapshotParams.model_fields)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("keep_last: 0", "key `keep_last`: Input should be greater than or equal to 1, not 0"),
        ("keep_daily: -1", "key `keep_daily`"),
        ("keep_weekly: 1.5", "key `keep_weekly`"),
        ("max_gib: .inf", "key `max_gib`"),
        ("max_gib: none", "key `max_gib`"),
        ("folder: ''", "key `folder`"),
        ("keep: 5", "key `keep`"),
        ("[]", "holds no mapping"),
    ],
)
def test_a_mistake_in_the_params_names_file_and_key(tmp_path, text, told):
    """Nothing is read, written or removed."""
    (tmp_path / "snapshots.yaml").write_text(text)
    with pytest.raises(UsageError) as refused:
        load_snapshot_params(tmp_path)

    assert f"{tmp_path / 'snapshots.yaml'}" in str(refused.value)
    assert told in str(refused.value)


def test_missing_params_are_an_error(tmp_path):
    """A folder nobody named is not written to."""
    with pytest.raises(UsageError, match=r"snapshots\.yaml"):
        load_snapshot_params(tmp_path)


def test_folder_may_lie_anywhere(settings):
    """Relative to the project, or absolute."""
    assert settings.root / "here" == retention.folder_of(settings, SnapshotParams(folder="here"))
    assert "/srv/there" == str(retention.folder_of(settings, SnapshotParams(folder="/srv/there")))
