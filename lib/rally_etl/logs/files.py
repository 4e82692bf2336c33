"""Files of the log: lines that many processes append, whole or not at all, in files that are never renamed."""

from __future__ import annotations

import fcntl
import os
import re
import threading
from datetime import UTC, datetime
from pathlib import Path

_FILE = re.compile(r"rally-etl-(\d{8})\.(\d+)\.jsonl")
LONGEST_TORN = 1 << 16  # bytes; a line is shorter
FEWEST = 2  # files that are kept, so that nobody deletes the one that others still write


class Lines:
    """Appends lines to `rally-etl-<day>.<number>.jsonl` in *folder*.

    A full file is not renamed, which another process would not hear of: whoever finds it full goes on in the next
    number. A line is one write at the end of the file under a lock of the file, so that lines of processes do not mix;
    what a full disk or a kill has torn is cut off by the next writer.

    Args:
        max_bytes: of one file; the line that crosses it is its last.
        keep: files that stay when a new one is begun, the newest.
    """

    def __init__(self, folder: Path, max_bytes: int, keep: int) -> None:
        self.folder, self.max_bytes, self.keep = folder, max_bytes, max(keep, FEWEST)
        self._file: int | None = None
        self._name = ""
        self._guard = threading.Lock()

    def write(self, line: bytes) -> None:
        """Append one line, which ends with a line feed.

        Raises:
            OSError: it cannot be written; the file is as before.
        """
        with self._guard:
            file = self._open(f"{datetime.now(UTC):%Y%m%d}")
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                end = _whole_lines(file)
                written = os.write(file, line)
                if written < len(line):
                    os.ftruncate(file, end)
                    raise OSError(f"only {written} of {len(line)} bytes were written")
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let the file go; the next line opens it again."""
        with self._guard:
            self._leave()

    def _open(self, day: str) -> int:
        if self._file is not None and self._name.startswith(f"rally-etl-{day}.") and self._has_room(self._file):
            return self._file
        self._leave()
        self.folder.mkdir(parents=True, exist_ok=True)
        number = max((place for at, place in self._found() if at == day), default=1)
        while True:
            self._name = f"rally-etl-{day}.{number}.jsonl"
            path = self.folder / self._name
            is_new = not path.exists()
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
            if self._has_room(file):
                break
            os.close(file)
            number += 1
        self._file = file
        if is_new:
            self._prune()
        return file

    def _has_room(self, file: int) -> bool:
        found = os.fstat(file)
        return found.st_size < self.max_bytes and found.st_nlink > 0  # somebody may have deleted it

    def _leave(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _found(self) -> list[tuple[str, int]]:
        names = (_FILE.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted((found[1], int(found[2])) for found in names if found)

    def _prune(self) -> None:
        for day, number in self._found()[: -self.keep]:
            (self.folder / f"rally-etl-{day}.{number}.jsonl").unlink(missing_ok=True)


def _whole_lines(file: int) -> int:
    """Cut off what stands behind the last line feed; answer where the file ends then."""
    end = os.fstat(file).st_size
    if end == 0 or os.pread(file, 1, end - 1) == b"\n":
        return end
    start = max(0, end - LONGEST_TORN)
    end = start + os.pread(file, end - start, start).rfind(b"\n") + 1
    os.ftruncate(file, end)
    return end
