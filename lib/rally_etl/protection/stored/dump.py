"""A dump of the whole database by pg_dump, of the very moment that a snapshot shows."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from rally_etl.database import embedded
from rally_etl.errors import RallyEtlError, UsageError
from rally_etl.protection.guard.command import environment_of

APPLICATION = "rally-etl snapshot"
VERSION_S = 20  # seconds a program may take to say its version
TOLD_LINES = 3


@dataclass(frozen=True, slots=True)
class Program:
    """A pg_dump; ``told`` is what it says of itself."""

    path: Path
    major: int
    told: str


def find_program(engine: sa.Engine) -> Program:
    """The pg_dump that can dump this server: the newest of the one in PATH and the embedded server's own.

    Raises:
        UsageError: there is none, or all are older than the server.
    """
    with engine.connect() as connection:
        server = connection.connection.dbapi_connection.server_version // 10000
    found = sorted(_programs(), key=lambda each: each.major, reverse=True)
    for program in found:
        if program.major >= server:
            return program
    what = f"{found[0].told} is older than the server (PostgreSQL {server})" if found else "there is no pg_dump"
    raise UsageError(
        f"{what}; nothing was copied\n"
        f"hint: put a pg_dump of PostgreSQL {server} or later into PATH, or take the snapshot without --dump"
    )


def dump(engine: sa.Engine, program: Program, path: Path, exported: str) -> None:
    """Write a dump in pg_dump's own format, at the moment that another session has exported.

    The password is in its environment, never on its command line.

    Raises:
        RallyEtlError: pg_dump failed; what it said is in the message.
    """
    environment = environment_of(engine.url.render_as_string(hide_password=False), APPLICATION)
    environment.pop("DATABASE_URL", None)
    database = environment.pop("PGDATABASE")
    # A name that looks like an address would be read as one; in a conninfo string it is a name.
    name = database.replace("\\", "\\\\").replace("'", "\\'")
    done = subprocess.Popen(
        [program.path, "--format=custom", f"--snapshot={exported}", "--no-password", f"--file={path}",
         f"--dbname=dbname='{name}'"],
        env=environment | {"LC_ALL": "C"}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, errors="replace", umask=0o077,
    )  # fmt: skip
    try:
        _, said = done.communicate()
    finally:
        if done.poll() is None:
            done.kill()
            done.wait()
    if done.returncode:
        lines = " ".join(said.strip().splitlines()[-TOLD_LINES:]) or f"exit code {done.returncode}"
        raise RallyEtlError(
            f"pg_dump failed: {lines}; no snapshot was kept, and nothing in the database was changed\n"
            "hint: free space, or take the snapshot without --dump"
        )
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _programs() -> list[Program]:
    places = [Path(name)] if (name := shutil.which("pg_dump")) else []
    with contextlib.suppress(RallyEtlError):  # a project with a database of its own may do without the embedded server
        places.append(embedded.programs() / "pg_dump")
    return [program for place in places if place.is_file() and (program := _program(place))]


def _program(path: Path) -> Program | None:
    """What a pg_dump says of itself; None where it does not run."""
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_S, stdin=subprocess.DEVNULL
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"(\d+)(?:\.\d+|devel|beta\d+|rc\d+)", said)
    return Program(path, int(version[1]), said) if version else None
