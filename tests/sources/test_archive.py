"""The raw archive keeps every file once, whole, and notices when one is no longer what was kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rally_etl.errors import RallyEtlError
from rally_etl.sources.archive import fetch, keep, path_of, sha256_of


@given(data=st.binary(max_size=2000))
def test_what_was_kept_comes_back(tmp_path_factory, data):
    """Any bytes, none included."""
    archive = tmp_path_factory.mktemp("archive")

    keep(archive, data, sha256_of(data))

    assert data == fetch(archive, sha256_of(data))


def test_a_file_is_kept_once(tmp_path):
    """The same bytes again leave the archived file as it is, and nothing half-written lies beside it."""
    data = b"[1]" * 1000
    path = keep(tmp_path, data, sha256_of(data))
    written = path.stat().st_mtime_ns

    assert path == keep(tmp_path, data, sha256_of(data))
    assert written == path.stat().st_mtime_ns
    assert [path] == [found for found in tmp_path.rglob("*") if found.is_file()]


@pytest.mark.parametrize("damage", [lambda old: b"", lambda old: old[:-3], lambda old: old[:10] + b"x" + old[11:]])
def test_damage_is_noticed(tmp_path, damage):
    """An archived file that was cut or altered is not handed out."""
    data = bytes(range(256)) * 20
    path = keep(tmp_path, data, sha256_of(data))
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(RallyEtlError, match=r"archive|no longer what was kept"):
        fetch(tmp_path, sha256_of(data))


def test_other_bytes_under_the_digest_are_noticed(tmp_path):
    """A readable file that holds something else is not handed out either."""
    path = keep(tmp_path, b"[1]", sha256_of(b"[1]"))
    path.write_bytes(keep(tmp_path, b"[2]", sha256_of(b"[2]")).read_bytes())

    with pytest.raises(RallyEtlError, match="no longer what was kept"):
        fetch(tmp_path, sha256_of(b"[1]"))


def test_missing_file_is_an_error(tmp_path):
    """A digest that was never kept."""
    with pytest.raises(RallyEtlError, match="cannot be read from the archive"):
        fetch(tmp_path, sha256_of(b"x"))


def test_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    """When the file cannot be put in place, the error says so and no part of it stays."""
    from pathlib import Path

    def refuse(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)

    with pytest.raises(RallyEtlError, match=r"No space left on device.*nothing was staged\nhint:"):
        keep(tmp_path, b"[1]", sha256_of(b"[1]"))
    assert [] == [found for found in tmp_path.rglob("*") if found.is_file()]


def test_place_that_cannot_hold_an_archive_is_an_error(tmp_path):
    """A file where the archive's folder belongs."""
    (tmp_path / "archive").write_text("x")

    with pytest.raises(RallyEtlError, match="cannot be written"):
        keep(tmp_path / "archive", b"[1]", sha256_of(b"[1]"))
    assert not path_of(tmp_path / "archive", sha256_of(b"[1]")).exists()
