"""A server of its own for benches that make hundreds of databases, or need one that answers on TCP."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rally_etl.database import embedded
from rally_etl.settings import GIB, Settings

CARELESS = (("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off"))
"""Nothing is lost when the machine stops: everything is made anew by the next bench."""


@contextmanager
def own_server(home: Settings, *, tcp: bool = False) -> Iterator[Settings]:
    """Settings of the project on a throw-away server, in memory where there is room; gone afterwards.

    Args:
        tcp: it listens on a free port of 127.0.0.1 too, which ``PGPORT`` says to this process and its children.
    """
    folder = Path(tempfile.mkdtemp(prefix="rally-bench-server-", dir=_in_memory()))
    options = CARELESS
    before = os.environ.get("PGPORT")
    if tcp:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            os.environ["PGPORT"] = str(free.getsockname()[1])
        options += (("listen_addresses", "127.0.0.1"), ("port", os.environ["PGPORT"]))
    server = embedded.Server(folder / "pg", options)
    try:
        yield replace(home, database_url=embedded.url(server))
    finally:
        embedded.erase(server)
        shutil.rmtree(folder, ignore_errors=True)
        if tcp:
            os.environ.pop("PGPORT")
            os.environ.update({"PGPORT": before} if before else {})


def _in_memory() -> str | None:
    """A folder in memory where there is room; else the usual one."""
    folder = Path("/dev/shm")
    return str(folder) if folder.is_dir() and shutil.disk_usage(folder).free > 4 * GIB else None
