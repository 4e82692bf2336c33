"""Take a snapshot: one exported moment of the database, copied table by table over several connections."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import sqlalchemy as sa

from rally_etl import __version__
from rally_etl.database.catalog import quote
from rally_etl.database.engine import clean_message
from rally_etl.errors import RallyEtlError, UsageError
from rally_etl.naming import load_leagues
from rally_etl.protection.snapshots.definitions import base_tables, name_schemas, read_definitions, run
from rally_etl.protection.stored import dump as dumping
from rally_etl.protection.stored import files, manifest, retention
from rally_etl.protection.stored.manifest import Manifest, StoredColumn, StoredDump, StoredTable
from rally_etl.protection.stored.rows import fingerprint_of, names, pin

if TYPE_CHECKING:
    from rally_etl.settings import Settings

CONNECTIONS = 3  # that copy at once; one more holds the moment
MOST_LETTERS = 200  # of a name
_TOLD = ("constraints", "indexes", "unique_keys", "sequences")


@dataclass(slots=True)
class Progress:
    """How far a snapshot is; ``done`` of ``tables``."""

    tables: int
    done: int = 0
    rows: int = 0
    bytes: int = 0


Tell = Callable[[Progress], None]


@dataclass(slots=True)
class _Copying:
    """What the threads of one snapshot share."""

    engine: sa.Engine
    path: Path
    exported: str
    definitions: dict[str, dict[str, Any]]
    tell: Tell
    progress: Progress
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def moved(self, rows: int, size: int, tables: int = 0) -> None:
        """Something was written."""
        with self.lock:
            self.progress.rows += rows
            self.progress.bytes += size
            self.progress.done += tables
            self.tell(self.progress)


def create(
    engine: sa.Engine,
    settings: Settings,
    *,
    name: str = "",
    tables: Sequence[str] = (),
    dump: bool = False,
    tell: Tell = lambda progress: None,
) -> Manifest:
    """Copy tables as they are at one moment into files of a new snapshot; the database is only read.

    Without *tables*: all of schema ``public`` but those of extensions. The ledger, schema ``etl``, says what was done
    and is no part of what may come back; a *dump* has everything.

    Raises:
        UsageError: no such table, one that is partitioned or inherits, or no pg_dump that can be used.
        RallyEtlError: the disk or the database refused; no snapshot was kept.
    """
    started = time.monotonic()
    _check_name(name)
    folder = retention.folder_of(settings)
    wanted = _wanted(engine, tables)
    program = dumping.find_program(engine) if dump else None
    snapshot_id = manifest.new_id()
    try:
        files.remove_left_over(folder)
        with files.partial(folder, snapshot_id) as path, _moment(engine, wanted) as connection:
            found = _head(connection, settings, snapshot_id, name, wanted)
            shared = _Copying(
                engine, path, found.pop("exported"), found.pop("definitions"), tell, Progress(len(wanted))
            )
            stored = _copy_all(shared, wanted)
            made = _dump(engine, settings, program, path, shared.exported) if program else None
            taken = Manifest(**found, tables=tuple(stored), dump=made, seconds=round(time.monotonic() - started, 3))
            files.write_whole(path / manifest.MANIFEST, manifest.dumped(taken))
    except OSError as error:
        raise RallyEtlError(
            f"the snapshot cannot be written to {folder}: {error.strerror or error}; no snapshot was kept,"
            " and nothing in the database was changed\nhint: free space there (`rally-etl snapshot prune`), check its"
            " permissions, or name another folder in params/snapshots.yaml"
        ) from None
    except (sa.exc.DBAPIError, psycopg2.Error) as error:
        raise RallyEtlError(
            f"the database stopped the snapshot: {clean_message(error)}; no snapshot was kept, and nothing in the"
            " database was changed\nhint: start again"
        ) from None
    return taken


def _check_name(name: str) -> None:
    if len(name) > MOST_LETTERS or not name.isprintable():
        raise UsageError(
            f"{name[:40]!r} is no name for a snapshot; nothing was copied\n"
            f"hint: up to {MOST_LETTERS} letters on one line"
        )


def _wanted(engine: sa.Engine, tables: Iterable[str]) -> list[str]:
    """Tables to copy."""
    with engine.connect() as connection:
        found = base_tables(connection)
    if unknown := sorted(set(tables) - set(found)):
        raise UsageError(
            f"there is no table {unknown[0]!r} in schema public; nothing was copied\n"
            f"hint: the tables are {', '.join(found)}"
        )
    wanted = sorted(set(tables) or found)
    if divided := [name for name in wanted if found[name]]:
        others = " ".join(f"--tables {name}" for name in wanted if not found[name])
        raise UsageError(
            f"table {divided[0]} is partitioned or inherits, which a snapshot cannot bring back; nothing was copied\n"
            f"hint: name the others, or take a dump with pg_dump: {others}"
        )
    if not wanted:
        raise UsageError("the database has no table in schema public; nothing was copied\nhint: `rally-etl db init`")
    return wanted


@contextmanager
def _moment(engine: sa.Engine, tables: Iterable[str]):
    """A transaction that holds one moment, and keeps everybody from altering the tables, while others read."""
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        run(connection, f"lock table {', '.join(quote('public', name) for name in tables)} in access share mode")
        pin(connection)
        yield connection


def _head(
    connection: sa.Connection, settings: Settings, snapshot_id: str, name: str, wanted: Sequence[str]
) -> dict[str, Any]:
    """Everything of the manifest but its files; with the exported snapshot and the definitions."""
    name_schemas(connection)
    definitions = read_definitions(connection, wanted).tables
    if missing := sorted(set(wanted) - set(definitions)):
        raise RallyEtlError(f"table {missing[0]} went while the snapshot began; nothing was copied\nhint: start again")
    known, leagues = load_leagues(settings.params_dir), []
    if "league_id" in {each["name"] for each in definitions.get("leagues", {"columns": []})["columns"]}:
        keys = run(connection, "select league_id from public.leagues where league_id is not null").scalars()
        leagues = sorted({known.canonical(key) or key for key in keys})
    facts = run(
        connection,
        "select pg_export_snapshot() as exported, clock_timestamp() as taken_at, current_database() as database,"
        " current_setting('server_version') as server_version",
    ).one()
    return facts._asdict() | {
        "format": manifest.FORMAT, "id": snapshot_id, "name": name, "product_version": __version__,
        "leagues": tuple(leagues), "definitions": definitions,
    }  # fmt: skip


def _copy_all(shared: _Copying, wanted: Sequence[str]) -> list[StoredTable]:
    """Copy the tables; the first error stops all."""
    shared.tell(shared.progress)
    with ThreadPoolExecutor(min(CONNECTIONS, len(wanted))) as pool:
        copies = [pool.submit(_copy, shared, number, name) for number, name in enumerate(wanted, start=1)]
        try:
            return [copy.result() for copy in copies]
        except BaseException:
            shared.stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            for copy in copies:  # the first that failed by itself says why
                if not copy.cancelled() and not isinstance(error := copy.exception(), files.Stopped | None):
                    raise error from None
            raise


def _copy(shared: _Copying, number: int, table: str) -> StoredTable:
    """Copy one table at the shared moment, and take its fingerprint there."""
    if shared.stop.is_set():
        raise files.Stopped
    definition = shared.definitions[table]
    columns = tuple(
        StoredColumn(**{field: column[field] for field in StoredColumn.model_fields})
        for column in definition["columns"]
    )
    copied = [column.name for column in columns if not column.generated]
    file = f"{number:04}-{re.sub(r'[^a-z0-9_]', '_', table.lower())[:40]}.copy.gz"
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with shared.engine.connect().execution_options(**options) as connection:
        try:
            run(connection, f"set transaction snapshot '{shared.exported}'")
            pin(connection)
            run(connection, "set local search_path = ''")
            fingerprint = fingerprint_of(connection, "public", table, copied)
            sink = files.Sink(shared.path / file, shared.stop, shared.moved)
            try:
                with connection.connection.cursor() as cursor:
                    sql = f"copy (select {names(copied)} from {quote('public', table)}) to stdout"
                    cursor.copy_expert(sql, sink, size=files.CHUNK)
                sink.finish()
            finally:
                sink.close()
        except BaseException:
            connection.invalidate()  # it may be in the middle of a COPY
            raise
        connection.rollback()
    if sink.rows != int(fingerprint.split(":")[0]):
        raise RallyEtlError(
            f"of table {table} {sink.rows:,} rows were copied and {fingerprint.split(':')[0]} counted; no snapshot was"
            " kept\nhint: this is a fault of the program, report it"
        )
    shared.moved(0, 0, tables=1)
    return StoredTable(
        name=table, file=file, rows=sink.rows, bytes=sink.bytes, raw_bytes=sink.raw_bytes, sha256=sink.sha256,
        fingerprint=fingerprint, columns=columns, key=tuple(definition["key"]),
        definition={part: definition[part] for part in _TOLD},
    )  # fmt: skip


def _dump(engine: sa.Engine, settings: Settings, program: dumping.Program, path: Path, exported: str) -> StoredDump:
    dumping.dump(engine, program, path / manifest.DUMP, exported)
    size = (path / manifest.DUMP).stat().st_size
    sha256 = files.sha256_of(path, manifest.DUMP, size)
    return StoredDump(file=manifest.DUMP, bytes=size, sha256=sha256, program=program.told)
