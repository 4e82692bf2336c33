"""Files of params are parsed once per text, and what is kept of them is never older than they are."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rally_etl import params


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of params in a project that has a state folder."""
    (tmp_path / ".rally").mkdir()
    (tmp_path / "params").mkdir()
    path = tmp_path / "params" / "gate.yaml"
    path.write_text("a: [1, 2.5, null, true, 'x']\nNO: 012\n", encoding="utf-8")
    return path


def read(path: Path) -> dict:
    """What another process reads."""
    params._parsed.cache_clear()
    return params.read_mapping(path)


def kept(path: Path) -> list[Path]:
    """What is kept between processes."""
    return sorted((path.parents[1] / ".rally" / "params").glob("*"))


def test_what_is_kept_is_what_was_parsed(file, monkeypatch):
    """The second process parses nothing and reads the same, types too."""
    first = read(file)
    monkeypatch.setattr(params, "YAML", lambda **named: pytest.fail("parsed again"))

    assert {"a": [1, 2.5, None, True, "x"], "NO": 12} == first == read(file)
    assert int is type(first["NO"])


def test_another_text_is_parsed_anew(file):
    """Of as many letters and the same moment: the text itself counts; one version is kept."""
    read(file)
    stamp = file.stat().st_mtime_ns
    file.write_text(file.read_text(encoding="utf-8").replace("2.5", "3.5"), encoding="utf-8")
    params.os.utime(file, ns=(stamp, stamp))

    assert 3.5 == read(file)["a"][1]
    assert 1 == len(kept(file))


def test_damage_of_what_is_kept_is_no_matter(file):
    """Cut short, overwritten or one letter off, it is parsed anew and kept again; without a folder nothing is."""
    whole = read(file)
    (path,) = kept(file)
    good = path.read_bytes()
    for damage in (b"", b"\x00\x01", good[:-3], good.replace(b"x", b"y")):
        assert good != damage
        path.write_bytes(damage)
        assert whole == read(file)
        assert good == path.read_bytes()
    path.unlink()
    path.parent.rmdir()
    path.parent.write_text("a file in the way", encoding="utf-8")

    assert whole == read(file)


def test_what_is_no_plain_value_is_not_kept(file):
    """A date is parsed each time."""
    file.write_text("day: 2025-10-01\n", encoding="utf-8")

    assert date(2025, 10, 1) == read(file)["day"] == read(file)["day"]
    assert [] == kept(file)
