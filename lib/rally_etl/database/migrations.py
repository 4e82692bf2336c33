"""The ledger's migrations: numbered SQL files, each applied once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable

import sqlalchemy as sa

from rally_etl import logs
from rally_etl.errors import RallyEtlError

LOCK = 0x52414C4C_0001  # advisory lock of everything that changes the layout of tables

MIGRATIONS_TABLE = """
    create schema if not exists etl;
    create table etl.migrations (
        name       text primary key,
        sha256     text not null,
        applied_at timestamptz not null default clock_timestamp()
    )
"""


def migrate(engine: sa.Engine, folder: Traversable | None = None) -> list[str]:
    """Apply the SQL files of *folder* that this database has not seen, in the order of their numbers.

    One transaction per file; a second process waits for the first. Answers the names of the files applied now.

    Args:
        folder: holds `NNNN_name.sql`; None is the ledger of this package. Bare names in a file mean schema `etl`.

    Raises:
        RallyEtlError: a file that was applied has changed since, or is gone.
    """
    scripts = _scripts(folder or files("rally_etl.database") / "ledger")
    with layout_lock(engine) as connection:
        known = _applied(connection)
        _refuse_changes(scripts, known)
        new = [name for name in scripts if name not in known]
        for name in new:
            _apply(connection, name, scripts[name])
            logs.event("migration.applied", name=name)
    return new


@contextmanager
def layout_lock(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Hold the lock under which tables are made; yields a connection outside any transaction."""
    with engine.connect() as connection:
        connection.execute(sa.text("set lock_timeout = '60s'"))
        connection.execute(sa.text("select pg_advisory_lock(:key)"), {"key": LOCK})
        connection.commit()
        try:
            yield connection
        finally:
            # Closing the session gives the lock back, whatever state its transaction is in.
            connection.invalidate()


def run_script(connection: sa.Connection, text: str) -> None:
    """Run SQL as it is written; a literal % needs no doubling."""
    connection.execution_options(no_parameters=True).exec_driver_sql(text)


def _scripts(folder: Traversable) -> dict[str, str]:
    """Answer name and text of the SQL files, in order; line ends are those of the repository on every machine."""
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return {file.name: file.read_text(encoding="utf-8").replace("\r\n", "\n") for file in found}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _applied(connection: sa.Connection) -> dict[str, str]:
    """Answer name and SHA-256 of the files applied so far; makes the table that says so."""
    with connection.begin():
        if connection.scalar(sa.text("select to_regclass('etl.migrations')")) is None:
            run_script(connection, MIGRATIONS_TABLE)
        rows = connection.execute(sa.text("select name, sha256 from etl.migrations order by name"))
        return {row.name: row.sha256 for row in rows}


def _refuse_changes(scripts: dict[str, str], known: dict[str, str]) -> None:
    changed = [name for name, sha256 in known.items() if name in scripts and _sha256(scripts[name]) != sha256]
    gone = [name for name in known if name not in scripts]
    if changed or gone:
        names = ", ".join([f"{name} (changed)" for name in changed] + [f"{name} (gone)" for name in gone])
        raise RallyEtlError(
            f"migrations are not what they were when this database applied them: {names}; nothing was applied\n"
            "hint: put the file back and add a new one with the next number, or use the release that made this database"
        )


def _apply(connection: sa.Connection, name: str, text: str) -> None:
    with connection.begin():
        run_script(connection, "set local search_path = etl, public")
        run_script(connection, text)
        connection.execute(
            sa.text("insert into etl.migrations (name, sha256) values (:name, :sha256)"),
            {"name": name, "sha256": _sha256(text)},
        )
