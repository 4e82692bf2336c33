"""A snapshot shows one moment, whole or not at all, whatever happens while it is taken."""

from __future__ import annotations

import errno
import gzip
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY, first
from rally_etl.errors import RallyEtlError, UsageError
from rally_etl.protection.stored import create as creating
from rally_etl.protection.stored import dump, files, manifest, retention
from rally_etl.protection.stored.create import create
from rally_etl.protection.stored.prune import prune
from rally_etl.protection.stored.retention import SnapshotParams
from rally_etl.protection.stored.verify import verify
from scrapes import fingerprint

ENDING = sa.text(
    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
    " and datname = current_database() and query ilike 'copy (%'"
)
LARGE = 40_000  # rows of which a snapshot does not fit into a few kilobytes
SLOWLY = """
import sys, time
from rally_etl.protection.stored import files
write = files.Sink.write
def slowly(self, data):
    print("copying", flush=True)
    time.sleep(1)
    return write(self, data)
files.Sink.write = slowly
sys.argv = ["rally-etl", "snapshot", "create"]
from rally_etl.cli import main
main()
"""


@pytest.fixture(scope="module")
def folder(module_settings, module_engine) -> Path:
    """Where the snapshots of this module lie; the database has one large table and a few rows."""
    with module_engine.begin() as connection:
        for statement in (
            f"create table large as select n, md5(n::text) as text from generate_series(1, {LARGE}) as n",
            "insert into users (email, password_hash) values ('ann@example.org', 'x')",
            'create table "Ünï ""q""/../x" ("a" integer primary key)',
            'insert into "Ünï ""q""/../x" values (1)',
        ):
            connection.exec_driver_sql(statement)
    return retention.folder_of(module_settings)


def environment(settings) -> dict[str, str]:
    """What a process needs to work on the test's database."""
    named = {"DATABASE_URL": settings.database_url, "RALLY_HOME": str(settings.root)}
    return os.environ | named | {"PYTHONPATH": str(REPOSITORY / "lib")}


def complete(folder: Path) -> list[str]:
    """Ids of the complete snapshots; nothing else may be there."""
    found = manifest.listed(folder)
    assert {"complete"} >= {each.state for each in found}
    return [each.id for each in found]


def test_snapshot_holds_every_table_for_nobody_else_to_read(folder, module_engine, module_settings):
    """Tables of any name; files that only their owner reads; rows and hashes in the manifest, which is written last."""
    taken = create(module_engine, module_settings, name="before the season")
    path = folder / taken.id
    large = taken.table("large")

    assert taken == manifest.read(folder, taken.id)
    assert "before the season" == taken.name
    assert {"users", "teams", 'Ünï "q"/../x'} <= set(manifest.names_of(taken.tables))
    assert LARGE == large.rows
    assert f"{LARGE}\t" in gzip.decompress((path / large.file).read_bytes()).decode()
    assert {0o600} == {each.stat().st_mode & 0o777 for each in path.iterdir()}
    assert 0o700 == path.stat().st_mode & 0o777
    assert {manifest.MANIFEST, *(table.file for table in taken.tables)} == {each.name for each in path.iterdir()}
    assert [] == [each for each in verify(module_engine, folder, taken) if each.fault]


def test_snapshot_shows_one_moment(folder, module_engine, module_settings):
    """What is written while it is taken is not in it, in no table."""
    is_done = threading.Event()

    def meanwhile(progress: creating.Progress) -> None:
        if not is_done.is_set():
            is_done.set()
            with module_engine.begin() as connection:
                connection.execute(sa.text("insert into users (email, password_hash) values ('late@example.org', 'x')"))
                connection.execute(sa.text("delete from large where n = 1"))

    taken = create(module_engine, module_settings, tables=["users", "large"], tell=meanwhile)

    assert {"users": 1, "large": LARGE} == {table.name: table.rows for table in taken.tables}


def test_no_such_table_is_named(folder, module_engine, module_settings):
    """Before anything is written; and so is one whose rows stand in others."""
    with pytest.raises(UsageError, match="there is no table 'nothing' in schema public; nothing was copied"):
        create(module_engine, module_settings, tables=["users", "nothing"])
    with module_engine.begin() as connection:
        connection.execute(sa.text("create table parted (n integer) partition by range (n)"))
    with pytest.raises(UsageError, match="table parted is partitioned or inherits"):
        create(module_engine, module_settings)
    with module_engine.begin() as connection:
        connection.execute(sa.text("drop table parted"))


def test_name_is_one_line(module_engine, module_settings):
    """What a terminal would act on is no name."""
    with pytest.raises(UsageError, match="is no name for a snapshot"):
        create(module_engine, module_settings, name="a\x1b[2Jb")


@pytest.mark.parametrize("code", first(1, [errno.ENOSPC, errno.EDQUOT, errno.EIO]))
def test_full_disk_leaves_no_snapshot(folder, module_engine, module_settings, monkeypatch, code):
    """The error says what to do; the database is as it was, and other sessions still work."""
    before, rows, write = complete(folder), fingerprint(module_engine), os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) > 1000:
            raise OSError(code, os.strerror(code))
        return write(descriptor, data)

    monkeypatch.setattr(files.os, "write", full)
    with pytest.raises(RallyEtlError) as refused:
        create(module_engine, module_settings)
    monkeypatch.undo()

    assert f"cannot be written to {folder}: {os.strerror(code)}; no snapshot was kept" in str(refused.value)
    assert "hint: free space there" in str(refused.value)
    assert before == complete(folder)
    assert rows == fingerprint(module_engine)


def test_limit_of_the_system_is_a_full_disk(folder, module_settings):
    """A real limit on the size of files, in a process of its own: exit code 1, no stack, nothing is kept."""
    before = complete(folder)
    done = subprocess.run(
        [sys.executable, "-m", "rally_etl", "snapshot", "create"],
        env=environment(module_settings),
        capture_output=True,
        text=True,
        timeout=100,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )

    assert 1 == done.returncode, done.stderr
    assert "error: the snapshot cannot be written to" in done.stderr
    assert "File too large; no snapshot was kept" in done.stderr
    assert "Traceback" not in done.stderr
    assert before == complete(folder)


def test_folder_that_cannot_be_written_is_named(module_engine, module_settings, monkeypatch, tmp_path):
    """A file in its place, or no permission."""
    (tmp_path / "file").write_text("x")
    for place, told in ((tmp_path / "file" / "x", "Not a directory"), (tmp_path / "closed", "Permission denied")):
        monkeypatch.setattr(retention, "folder_of", lambda settings, place=place: place)
        if "closed" in place.name:
            denied = PermissionError(errno.EACCES, "Permission denied")
            monkeypatch.setattr(files.os, "open", lambda *given, denied=denied: (_ for _ in ()).throw(denied))
        with pytest.raises(RallyEtlError, match=told):
            create(module_engine, module_settings)
    monkeypatch.undo()

    assert [] == manifest.listed(tmp_path / "closed")


def test_lost_connection_leaves_no_snapshot(folder, module_engine, module_settings, monkeypatch):
    """Every session of the snapshot is ended by the server in the middle of a table."""
    before, write, is_ended = complete(folder), files.Sink.write, threading.Event()

    def lost(sink: files.Sink, data: bytes) -> int:
        if not is_ended.is_set():
            is_ended.set()
            with module_engine.connect() as connection:
                connection.execute(ENDING)
        return write(sink, data)

    monkeypatch.setattr(files.Sink, "write", lost)
    with pytest.raises(RallyEtlError, match=r"the database stopped the snapshot: .*; no snapshot was kept"):
        create(module_engine, module_settings, tables=["large"])
    monkeypatch.undo()

    assert before == complete(folder)
    create(module_engine, module_settings, tables=["large"])


def test_killed_snapshot_is_partial_until_the_next_one(folder, module_engine, module_settings):
    """While its process lives it is being written and nobody removes it; afterwards it is named as left over."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOWLY], env=environment(module_settings), stdout=subprocess.PIPE, text=True
    )
    assert "copying\n" == process.stdout.readline()
    (writing,) = [each for each in manifest.listed(folder, files.being_written(folder)) if each.state != "complete"]
    assert "writing" == writing.state
    assert 0 == files.remove_left_over(folder)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 10
    while files.being_written(folder) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert ["partial"] == [each.state for each in manifest.listed(folder) if each.state != "complete"]
    with pytest.raises(UsageError, match=f"there is no snapshot {writing.id} in .*, only a partial one"):
        manifest.read(folder, writing.id)
    taken = create(module_engine, module_settings, tables=["users"])
    assert taken.id in complete(folder)
    assert [] == [each.name for each in folder.iterdir() if each.name.startswith(writing.id)]


def test_two_at_once_are_two_snapshots(folder, module_engine, module_settings):
    """Neither takes the other's folder for something left over."""
    before, found = complete(folder), []
    threads = [
        threading.Thread(target=lambda: found.append(create(module_engine, module_settings, tables=["users", "large"])))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted([*before, *(each.id for each in found)]) == complete(folder)
    assert 2 == len({each.id for each in found})


def test_dump_is_of_the_same_moment(folder, module_engine, module_settings):
    """pg_dump's own format, with the ledger in it, listed in the manifest with its hash."""
    taken = create(module_engine, module_settings, tables=["users"], dump=True)
    program = dump.find_program(module_engine)
    path = folder / taken.id / manifest.DUMP
    listed = subprocess.run(
        [program.path.with_name("pg_restore"), "--list", path], capture_output=True, text=True, check=True
    ).stdout

    assert taken.dump.sha256 == files.sha256_of(folder / taken.id, manifest.DUMP, taken.dump.bytes)
    assert "TABLE DATA public large" in listed
    assert "TABLE DATA etl runs" in listed


def test_password_is_not_on_the_command_line(module_engine, monkeypatch, tmp_path):
    """Anybody on the machine can read command lines; pg_dump finds it in its environment."""
    seen = {}

    class Recorded:
        returncode = 0

        def __init__(self, words, **given):
            seen.update(words=list(map(str, words)), environment=given["env"])
            (tmp_path / "dump").write_bytes(b"x")

        def communicate(self):
            return "", ""

        def poll(self):
            return 0

    monkeypatch.setattr(dump.subprocess, "Popen", Recorded)
    engine = sa.create_engine(module_engine.url.set(username="ann", password="s3cret/:@ %", database="a'b=c"))
    dump.dump(engine, dump.Program(tmp_path / "pg_dump", 99, "x"), tmp_path / "dump", "0000-1")

    assert "s3cret" not in " ".join(seen["words"])
    assert "--dbname=dbname='a\\'b=c'" in seen["words"]
    assert ("ann", "s3cret/:@ %") == (seen["environment"]["PGUSER"], seen["environment"]["PGPASSWORD"])
    assert "DATABASE_URL" not in seen["environment"]


def test_dump_needs_a_program_that_is_new_enough(folder, module_engine, module_settings, monkeypatch):
    """One that is older than the server, and none at all: refused before anything is copied."""
    before = complete(folder)
    old = dump.Program(Path("/nowhere/pg_dump"), 9, "pg_dump (PostgreSQL) 9.6.2")
    for found, told in (
        ([old], r"pg_dump \(PostgreSQL\) 9\.6\.2 is older than the server"),
        ([], "there is no pg_dump"),
    ):
        monkeypatch.setattr(dump, "_programs", lambda found=found: found)
        with pytest.raises(UsageError, match=f"{told}.*nothing was copied\nhint: put a pg_dump of PostgreSQL"):
            create(module_engine, module_settings, tables=["users"], dump=True)

    assert before == complete(folder)


def test_failing_dump_keeps_nothing(folder, module_engine, module_settings, monkeypatch, tmp_path):
    """What pg_dump said is in the message."""
    before, script = complete(folder), tmp_path / "pg_dump"
    script.write_text("#!/bin/sh\necho pg_dump: error: no space >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr(dump, "_programs", lambda: [dump.Program(script, 99, "pg_dump 99.0")])
    with pytest.raises(RallyEtlError, match="pg_dump failed: pg_dump: error: no space; no snapshot was kept"):
        create(module_engine, module_settings, tables=["users"], dump=True)

    assert before == complete(folder)


def test_prune_removes_what_no_rule_keeps(folder, module_engine, module_settings):
    """And what killed processes have left; damaged ones stay. A dry run removes nothing."""
    left = folder / f"{manifest.new_id()}{manifest.PARTIAL}"
    left.mkdir()
    (folder / f"{manifest.new_id()}{manifest.LOCK}").touch()
    (left / "0001-users.copy.gz").write_bytes(b"x" * 100)
    damaged = folder / manifest.new_id()
    damaged.mkdir()
    params = SnapshotParams(keep_last=1, keep_daily=0, keep_weekly=0)
    complete_ones = [each.manifest for each in manifest.listed(folder) if each.manifest]
    found = [each.id for each in sorted(complete_ones, key=lambda each: each.taken_at)]
    assert 1 < len(found)
    told = prune(folder, params, dry_run=True)
    assert complete_ones == [each.manifest for each in manifest.listed(folder) if each.manifest]
    removed = prune(folder, params)

    assert told == removed
    assert {left.name: 100} == {each.name: each.bytes for each in removed if "process" in each.why}
    assert found[:-1] == [each.name for each in removed if each.why == "no rule keeps it"]
    assert all(each.bytes > 0 for each in removed)
    assert sorted([found[-1], damaged.name]) == sorted(each.name for each in folder.iterdir())
    assert [] == prune(folder, params)
