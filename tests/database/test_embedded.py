"""The embedded server: shared by runs, survives their ends and its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from rally_etl.database import embedded
from rally_etl.errors import RallyEtlError, UsageError

LIB = Path(embedded.__file__).resolve().parents[2]
CARELESS = (("fsync", "off"), ("shared_buffers", "16MB"))
START = (
    "import sys, time; from pathlib import Path; from rally_etl.database import embedded; "
    f"embedded.url(embedded.Server(Path(sys.argv[1]), {CARELESS!r})); print('ready', flush=True); time.sleep(60)"
)


@pytest.fixture
def server():
    """A place for a server of this test's own."""
    home = Path(tempfile.mkdtemp(prefix="rally-embedded-"))
    server = embedded.Server(home / "pg", CARELESS)
    yield server
    embedded.erase(server)
    shutil.rmtree(home, ignore_errors=True)


def starter(server: embedded.Server) -> subprocess.Popen[str]:
    """Start the server from another process, which then waits to be killed."""
    return subprocess.Popen(
        [sys.executable, "-c", START, str(server.data)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(LIB)},
    )


def postmaster(server: embedded.Server) -> int:
    """Answer the process number of the running server."""
    return int((server.data / "postmaster.pid").read_text().split()[0])


def database(url: str) -> str:
    """Connect and answer the name of the database."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return connection.scalar(sa.text("select current_database()"))


def test_deep_folder_with_odd_characters():
    """A path too long for a socket, with blanks, commas and quotes, is no obstacle."""
    home = Path(tempfile.mkdtemp(prefix="rally-embedded-"))
    server = embedded.Server(home / 'my, "own" o\'clock' / ("deep " * 20).strip() / ".rally" / "pg", CARELESS)
    try:
        assert embedded.DATABASE == database(embedded.url(server))
        assert len(str(embedded.socket_folder(server.data))) < 60
    finally:
        embedded.erase(server)
        shutil.rmtree(home)

    assert not embedded.socket_folder(server.data).exists()


def test_two_runs_share_one_server_that_outlives_them(server):
    """Processes that start together find one server; it lives on when both are killed."""
    runs = [starter(server), starter(server)]
    assert ["ready\n", "ready\n"] == [run.stdout.readline() for run in runs]
    first = postmaster(server)
    for run in runs:
        run.kill()
        run.wait()

    embedded.start(server)

    assert first == postmaster(server)
    assert embedded.DATABASE == database(embedded.url(server))


def test_threads_share_one_server(server):
    """Threads of one process that ask at once start it once."""
    with ThreadPoolExecutor(3) as pool:
        assert 1 == len(set(pool.map(embedded.url, [server] * 3)))


def test_killed_server_is_started_again_with_its_rows(server):
    """A server that was killed leaves postmaster.pid behind; the next start recovers what was committed."""
    engine = sa.create_engine(embedded.url(server), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("create table kept as select 1 as x"))
    process = psutil.Process(postmaster(server))
    process.send_signal(signal.SIGKILL)
    process.wait(10)

    embedded.start(server)

    with engine.connect() as connection:
        assert 1 == connection.scalar(sa.text("select x from kept"))
    assert process.pid != postmaster(server)


def test_stale_pid_file_of_another_program(server):
    """After a restart of a container the number in postmaster.pid may belong to anybody."""
    embedded.start(server)
    path = server.data / "postmaster.pid"
    lines = path.read_text().splitlines()
    embedded.stop(server)
    path.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    assert not embedded.stop(server)
    assert embedded.DATABASE == database(embedded.url(server))


def test_stop_and_start_again(server):
    """`stop` tells whether it stopped something; a later start finds the data."""
    assert not embedded.stop(server)
    embedded.start(server)

    assert embedded.stop(server)
    assert not embedded.stop(server)
    assert embedded.DATABASE == database(embedded.url(server))


def test_half_made_data_is_made_anew(server):
    """An initdb that was killed leaves a folder that nobody takes for a database."""
    new = server.data.with_name("pg.new")
    new.mkdir(parents=True)
    (new / "PG_VERSION").write_text("18")

    assert embedded.DATABASE == database(embedded.url(server))
    assert not new.exists()


@pytest.mark.slow
def test_database_that_was_not_made_in_time(server):
    """A start that was killed after the server and before its database is finished by the next one."""
    maintenance = sa.create_engine(
        embedded.url(server, "postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    with maintenance.connect() as connection:
        connection.execute(sa.text(f"drop database {embedded.DATABASE}"))

    assert embedded.DATABASE == database(embedded.url(server))


def test_folder_that_holds_something_else(server):
    """Files of somebody else are not deleted."""
    server.data.mkdir(parents=True)
    (server.data / "letter.txt").write_text("dear")

    with pytest.raises(UsageError, match="no database"):
        embedded.start(server)

    assert "dear" == (server.data / "letter.txt").read_text()


@pytest.mark.slow
def test_start_that_fails_says_why(server):
    """The message holds what the server said, and where its log is."""
    bad = embedded.Server(server.data, (("shared_buffers", "many"),))

    with pytest.raises(RallyEtlError, match="shared_buffers") as failure:
        embedded.start(bad)

    assert f"hint: read {server.log}" in str(failure.value)
