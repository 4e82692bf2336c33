"""Lines of the log: whole, in files of bounded size, however many processes write and whatever tears them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY
from rally_etl.logs.files import Lines

WRITER = """
import json, sys
from pathlib import Path
from rally_etl.logs.files import Lines
lines = Lines(Path(sys.argv[1]), max_bytes=20_000, keep=1000)
for number in range(400):
    lines.write((json.dumps({"who": sys.argv[2], "number": number, "text": "x" * (number % 300)}) + "\\n").encode())
"""


def read(folder: Path) -> list[dict]:
    """All lines, the oldest file first; each must be JSON."""
    paths = sorted(folder.glob("*.jsonl"), key=lambda path: int(path.name.split(".")[1]))
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def test_lines_of_processes_are_whole_and_none_is_lost_while_files_change(tmp_path):
    """Four processes write at once through a dozen full files: every line is there once, in order."""
    arguments = [sys.executable, "-c", WRITER, str(tmp_path)]
    environment = {"PYTHONPATH": str(REPOSITORY / "lib"), "PATH": ""}
    writers = [subprocess.Popen([*arguments, name], env=environment) for name in "abcd"]
    assert [0, 0, 0, 0] == [writer.wait(timeout=60) for writer in writers]

    found = read(tmp_path)
    for name in "abcd":
        assert list(range(400)) == [line["number"] for line in found if line["who"] == name]
    sizes = [path.stat().st_size for path in tmp_path.glob("*.jsonl")]
    assert len(sizes) > 12
    assert max(sizes) < 20_000 + 2_000


def test_a_torn_line_is_cut_off_by_the_next_writer(tmp_path):
    """What a kill or a full disk left of a line goes; the lines before and after are read."""
    lines = Lines(tmp_path, max_bytes=10_000, keep=5)
    lines.write(b'{"number": 1}\n')
    (path,) = tmp_path.glob("*.jsonl")
    with path.open("ab") as file:
        file.write(b'{"number": 2, "te')

    lines.write(b'{"number": 3}\n')

    assert [1, 3] == [line["number"] for line in read(tmp_path)]


def test_only_the_newest_files_are_kept(tmp_path):
    """A new file takes the oldest away; other files in the folder stay."""
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "rally-etl-20200101.1.jsonl").write_text("{}\n", encoding="utf-8")
    lines = Lines(tmp_path, max_bytes=10, keep=3)
    for number in range(6):
        lines.write(f'{{"number": {number}}}\n'.encode())

    assert [3, 4, 5] == [line["number"] for line in read(tmp_path)]
    assert (tmp_path / "notes.txt").exists()


def test_a_file_that_somebody_deleted_is_made_anew(tmp_path):
    """A process that runs on after its file was deleted does not write into nowhere."""
    lines = Lines(tmp_path, max_bytes=10_000, keep=5)
    lines.write(b'{"number": 1}\n')
    next(tmp_path.glob("*.jsonl")).unlink()

    lines.write(b'{"number": 2}\n')

    assert [2] == [line["number"] for line in read(tmp_path)]


def test_a_full_disk_leaves_no_half_line(tmp_path, monkeypatch):
    """Where only a part of a line fits, that part goes again, and the writer hears of it."""
    lines = Lines(tmp_path, max_bytes=10_000, keep=5)
    lines.write(b'{"number": 1}\n')
    whole = os.write
    monkeypatch.setattr(os, "write", lambda file, line: whole(file, line[:7]))

    with pytest.raises(OSError, match="only 7 of 14 bytes"):
        lines.write(b'{"number": 2}\n')

    monkeypatch.undo()
    lines.write(b'{"number": 3}\n')
    assert [1, 3] == [line["number"] for line in read(tmp_path)]
