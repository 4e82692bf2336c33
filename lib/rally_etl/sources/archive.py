"""The raw archive: every file read is kept, compressed, under the SHA-256 of its bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import pyarrow as pa  # carries zstd (level 1): a scrape shrinks about tenfold for a third of the cost of decoding it

from rally_etl.errors import RallyEtlError


def sha256_of(data: bytes) -> str:
    """Hex digest under which the archive keeps the bytes."""
    return hashlib.sha256(data).hexdigest()


def path_of(archive: Path, sha256: str) -> Path:
    """Where the archive keeps a file; two letters of the digest per folder, so that folders stay small."""
    return archive / sha256[:2] / f"{sha256}.json.zst"


def keep(archive: Path, data: bytes, sha256: str) -> Path:
    """Write the bytes unless the archive has them already; the file appears whole or not at all.

    Raises:
        RallyEtlError: the archive cannot be written (disk full, no permission).
    """
    path = path_of(archive, sha256)
    if path.exists():
        return path
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with pa.CompressedOutputStream(pa.OSFile(str(part), "wb"), "zstd") as stream:
            stream.write(data)
        part.replace(path)
    except (OSError, pa.ArrowException) as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise RallyEtlError(
            f"the archive {archive} cannot be written: {error}; nothing was staged\n"
            "hint: free space or check permissions"
        ) from error
    return path


def fetch(archive: Path, sha256: str) -> bytes:
    """The bytes kept under this digest.

    Raises:
        RallyEtlError: not in the archive, or no longer what was kept.
    """
    path = path_of(archive, sha256)
    try:
        with pa.CompressedInputStream(pa.OSFile(str(path), "rb"), "zstd") as stream:
            data = stream.read()
    except (OSError, pa.ArrowException) as error:
        raise RallyEtlError(f"{sha256} cannot be read from the archive: {error}") from error
    if sha256_of(data) != sha256:
        raise RallyEtlError(f"the archived file {path.name} is no longer what was kept")
    return data
