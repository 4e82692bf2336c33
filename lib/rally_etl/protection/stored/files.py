"""The files of a snapshot: compressed, hashed and measured while rows go through, never held in memory as a whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rally_etl.protection.stored.manifest import LOCK, PARTIAL, REMOVED, Damaged, StoredTable, listed

CHUNK = 1024**2  # bytes
LEVEL = 3  # of gzip: 6 takes twice the time for a tenth of the size
_GZIP = 16 + zlib.MAX_WBITS
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)


class Stopped(Exception):
    """Another part of the work failed: this one need not go on."""


class Sink:
    """Takes what COPY sends and writes it compressed; ``rows``, ``raw_bytes``, ``bytes``, ``sha256`` tell of it.

    Readable by nobody else: it holds what users wrote. A file that is there already is an error.

    Args:
        stop: once it is set, the next piece raises `Stopped`.
        moved: called with the rows and bytes written since the last call.
    """

    def __init__(
        self,
        path: Path,
        stop: threading.Event | None = None,
        moved: Callable[[int, int], None] = lambda rows, size: None,
    ):
        self._descriptor = os.open(path, _NEW, 0o600)
        self._stop, self._moved = stop, moved
        self._waiting = bytearray()
        self._compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
        self._hash = hashlib.sha256()
        self.rows = self.raw_bytes = self.bytes = 0

    def write(self, data: bytes) -> int:
        """Take a piece."""
        self._waiting += data
        if len(self._waiting) >= CHUNK:
            self._compress()
        return len(data)

    def finish(self) -> None:
        """Write what is left, and see that the disk has it."""
        self._compress()
        self._put(self._compressor.flush())
        os.fsync(self._descriptor)
        self.close()

    def close(self) -> None:
        """Close the file, whatever is in it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def _compress(self) -> None:
        if self._stop and self._stop.is_set():
            raise Stopped
        rows, before = self._waiting.count(b"\n"), self.bytes  # a line's end within a value is written as \n
        self.rows += rows
        self.raw_bytes += len(self._waiting)
        self._put(self._compressor.compress(self._waiting))
        self._waiting.clear()
        self._moved(rows, self.bytes - before)

    def _put(self, data: bytes) -> None:
        self._hash.update(data)
        self.bytes += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]


class Source:
    """Gives COPY what the file of a table holds.

    What is wrong with the file is kept in ``fault``: COPY makes another error of it.
    """

    def __init__(self, folder: Path, table: StoredTable):
        self.table = table
        self.fault: Damaged | None = None
        self._hash = hashlib.sha256()
        self._decompressor = zlib.decompressobj(_GZIP)
        self._left = table.raw_bytes
        self._file = open_whole(folder, table.file, table.bytes)

    def read(self, size: int = CHUNK) -> bytes:
        """The next piece of at most so many bytes; empty at the end, where the whole file is judged."""
        try:
            return self._next(size)
        except Damaged as damaged:
            self.fault = damaged
            raise
        except (zlib.error, OSError) as error:
            self.fault = damage(self.table.file, f"it cannot be read ({error})")
            raise self.fault from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _next(self, size: int) -> bytes:
        while not self._decompressor.eof:
            data = self._decompressor.unconsumed_tail or self._take()
            piece = self._decompressor.decompress(data, size)
            if piece:
                self._left -= len(piece)
                if self._left < 0:
                    raise damage(self.table.file, f"it holds more than {self.table.raw_bytes:,} bytes")
                return piece
            if not data and not self._decompressor.eof:
                raise damage(self.table.file, "it ends in the middle")
        self._hash.update(rest := self._file.read())
        if rest or self._decompressor.unused_data:
            raise damage(self.table.file, "it goes on after its end")
        if self._hash.hexdigest() != self.table.sha256:
            raise damage(self.table.file, "its SHA-256 is another")
        if self._left:
            raise damage(self.table.file, f"it holds {self._left:,} bytes fewer than were written")
        return b""

    def _take(self) -> bytes:
        self._hash.update(data := self._file.read(CHUNK))
        return data


def damage(file: str, what: str) -> Damaged:
    """One file is not what was written."""
    return Damaged(
        f"{file} of the snapshot is damaged: {what}; nothing was changed\nhint: `rally-etl snapshot verify` checks all"
    )


def open_whole(folder: Path, name: str, size: int):
    """Open a file of a snapshot for reading, unbuffered.

    Raises:
        Damaged: it is missing, no file of its own, or of another size.
    """
    try:
        file = os.fdopen(os.open(folder / name, _READ), "rb", buffering=0)
    except OSError as error:
        raise damage(name, error.strerror or "it cannot be opened") from None
    found = os.fstat(file.fileno())
    if found.st_size != size:
        file.close()
        raise damage(name, f"it has {found.st_size:,} bytes, not {size:,}")
    return file


def sha256_of(folder: Path, name: str, size: int) -> str:
    """SHA-256 of a file of a snapshot.

    Raises:
        Damaged: as for `open_whole`.
    """
    with open_whole(folder, name, size) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, data: bytes) -> None:
    """Write a new file and see that the disk has it."""
    descriptor = os.open(path, _NEW, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync(folder: Path) -> None:
    """See that the disk has the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def partial(folder: Path, snapshot_id: str) -> Iterator[Path]:
    """A folder to write a snapshot in, which gets its name at the end; after an error nothing of it is left.

    While it is written its lock is held, which ends with the process: what a killed one has left is known by that.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{snapshot_id}{PARTIAL}"
    lock = FileLock(folder / f"{snapshot_id}{LOCK}", mode=0o600)
    with lock:
        try:
            path.mkdir(mode=0o700)
            yield path
            sync(path)
            path.rename(folder / snapshot_id)
            sync(folder)
        finally:
            shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):
                (folder / f"{snapshot_id}{LOCK}").unlink()


def being_written(folder: Path) -> frozenset[str]:
    """Ids of partial snapshots whose process lives."""
    found = set()
    for each in listed(folder):
        if each.path.name.endswith(PARTIAL) and not _is_free(folder, each.id):
            found.add(each.id)
    return frozenset(found)


def remove_left_over(folder: Path, tell: Callable[[str, int], None] = lambda name, size: None) -> int:
    """Remove what killed processes have left; answer how many. *tell* gets the name and the bytes of each."""
    count = 0
    for each in listed(folder):
        if each.state != "partial":
            continue
        lock = FileLock(folder / f"{each.id}{LOCK}", mode=0o600)
        try:
            with lock.acquire(blocking=False):
                size = used(each.path)
                remove(each.path)
                (folder / f"{each.id}{LOCK}").unlink(missing_ok=True)
        except Timeout:
            continue
        tell(each.path.name, size)
        count += 1
    _remove_locks(folder)
    return count


def _remove_locks(folder: Path) -> None:
    """Remove lock files that nobody holds: of processes killed between a snapshot's last step and its end."""
    for path in folder.glob(f"*{LOCK}") if folder.is_dir() else ():
        with contextlib.suppress(Timeout, OSError), FileLock(path, mode=0o600).acquire(blocking=False):
            path.unlink()


def remove(path: Path) -> None:
    """Remove the folder of a snapshot; a half removed one is no snapshot any more."""
    if path.is_symlink():
        path.unlink()
        return
    if not path.name.endswith((PARTIAL, REMOVED)):
        path = path.rename(path.with_name(path.name + REMOVED))
    shutil.rmtree(path)


def used(path: Path) -> int:
    """Bytes of the files in a folder; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        return 0
    return sum(entry.stat(follow_symlinks=False).st_size for entry in os.scandir(path) if entry.is_file())


def _is_free(folder: Path, snapshot_id: str) -> bool:
    if not (folder / f"{snapshot_id}{LOCK}").exists():
        return True
    try:
        with FileLock(folder / f"{snapshot_id}{LOCK}", mode=0o600).acquire(blocking=False):
            return True
    except (Timeout, OSError):
        return False
