"""One run at a time: the lock names its holder, ends with it, and a run that has lost it does not write."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psycopg2
import pytest
import sqlalchemy as sa

from conftest import REPOSITORY
from rally_etl.database.engine import connect
from rally_etl.database.locks import END_WRITERS, RUN_LOCK, WRITE_LOCK, may_write, regain, run_lock
from rally_etl.errors import LockLost, RunLocked

RUN = "20251003T073000-ab12"
OURS = f"locktype = 'advisory' and granted and (classid::bigint << 32) + objid::bigint = {RUN_LOCK}"
LOCKS = f"select count(*) from pg_locks where {OURS}"
END_HOLDER = f"select pg_terminate_backend(pid, 5000) from pg_locks where {OURS}"
HOLD = """
import sys
from rally_etl.database.engine import connect
from rally_etl.database.locks import run_lock
from rally_etl.settings import Settings
with run_lock(connect(Settings.from_env()), what="guard"):
    print("taken", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def engine(module_engine) -> sa.Engine:
    """Sessions of the tests of this module, which leave nothing in the database."""
    return module_engine


@pytest.fixture(scope="module")
def other(module_settings) -> Iterator[sa.Engine]:
    """Sessions of another run on the same database."""
    engine = connect(module_settings)
    yield engine
    engine.dispose()


def locks(engine: sa.Engine) -> int:
    """How many sessions hold the run lock."""
    with engine.connect() as connection:
        return connection.scalar(sa.text(LOCKS))


def end_holder(engine: sa.Engine) -> None:
    """End the session that holds the run lock, as an administrator or a restart does."""
    with engine.connect() as connection:
        connection.execute(sa.text(END_HOLDER))


def test_second_run_is_refused_with_the_name_of_the_first(engine, other):
    """The message names the run, its program and host, the server process and since when; the exit code is 5."""
    here = rf"\(process {os.getpid()} on {socket.gethostname()[:20]}"
    with run_lock(other) as lock:
        lock.name(f"run {RUN}")
        with pytest.raises(RunLocked, match=rf"run {RUN} {here}.*, server process \d+ since \d{{4}}") as failure:
            run_lock(engine).__enter__()

    assert 5 == failure.value.exit_code
    assert "nothing was changed\nhint: wait until it ends" in str(failure.value)


def test_lock_is_free_after_a_run(engine, other):
    """A run that ended, well or badly, holds nothing."""
    with pytest.raises(ZeroDivisionError), run_lock(other):
        raise ZeroDivisionError
    with run_lock(engine):
        assert 1 == locks(engine)

    assert 0 == locks(engine)


def test_lock_dies_with_its_session(engine, other):
    """The lock belongs to its session: where that ends, another run may begin."""
    with run_lock(other):
        end_holder(engine)
        with run_lock(engine):
            assert 1 == locks(engine)


def test_lock_of_a_killed_program_is_free_at_once(module_settings, engine):
    """`kill -9`: nothing is left to clean before the next run takes the lock."""
    environment = os.environ | {"DATABASE_URL": module_settings.database_url, "PYTHONPATH": str(REPOSITORY / "lib")}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert "taken\n" == holder.stdout.readline()
    with pytest.raises(RunLocked, match=rf"guard \(process {holder.pid} on "), run_lock(engine):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate()

    with run_lock(engine, wait_s=20):
        assert 1 == locks(engine)


def test_server_asks_whether_its_clients_are_there(module_settings, engine, other):
    """Over a network a client that vanished is found out after a minute of silence; a waiting one within 5 s."""
    with other.connect() as connection:
        found = [
            connection.scalar(sa.text(f"select setting from pg_settings where name = '{name}'"))
            for name in ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")
        ]
        interval = connection.scalar(sa.text("show client_connection_check_interval"))
        is_local = connection.scalar(sa.text("select inet_client_addr() is null"))

    assert "5s" == interval
    assert (["0", "0", "0"] if is_local else ["30", "10", "3"]) == found


@pytest.mark.slow
def test_statement_of_a_client_that_vanished_ends(module_settings, engine):
    """A program that waits for something in the database and is killed does not wait there for ever."""
    waiting = connect(module_settings)
    with run_lock(engine):
        session = waiting.raw_connection().dbapi_connection
        pid = session.info.backend_pid
        thread = threading.Thread(target=_wait_in_vain, args=(session,))
        thread.start()
        sql = sa.text("select count(*) from pg_stat_activity where pid = :pid and wait_event_type = 'Lock'")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            assert _until(lambda: connection.scalar(sql, {"pid": pid}) == 1)
            socket.socket(fileno=os.dup(session.fileno())).shutdown(socket.SHUT_RDWR)
            assert _until(lambda: connection.scalar(sql, {"pid": pid}) == 0)
    thread.join()
    waiting.dispose()


def _wait_in_vain(session) -> None:
    with pytest.raises(psycopg2.Error):
        session.cursor().execute(f"set lock_timeout = 0; select pg_advisory_lock({RUN_LOCK})")


def _until(holds, seconds: float = 30) -> bool:
    """Wait until a condition holds; False when it does not."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.05)
    return False


def test_wait_ends_when_the_first_run_ends(engine, other):
    """A second run that waits gets the lock as soon as the first lets go."""
    taken, done = threading.Event(), threading.Event()

    def first():
        with run_lock(other):
            taken.set()
            done.wait(20)

    thread = threading.Thread(target=first)
    thread.start()
    assert taken.wait(20)
    threading.Timer(0.2, done.set).start()
    with run_lock(engine, wait_s=20):
        assert done.is_set()
    thread.join()


def test_wait_is_limited(engine, other):
    """Who waits in vain is told so."""
    with run_lock(other), pytest.raises(RunLocked, match=r"after 0\.1 s of waiting"), run_lock(engine, wait_s=0.1):
        pass


def test_holder_may_write_and_nobody_else(engine):
    """A transaction asks whether its own program holds the lock; outside a run nothing may be written."""
    with run_lock(engine), engine.begin() as connection:
        may_write(connection)
    with pytest.raises(LockLost, match="nothing was written"), engine.begin() as connection:
        may_write(connection)


@pytest.mark.parametrize("is_taken", [False, True], ids=["free", "taken by another run"])
def test_run_that_lost_its_lock_may_not_write(engine, other, is_taken):
    """Its session ended while it went on: it does not write, whether another run has begun or not."""
    with run_lock(engine):
        end_holder(other)
        following = run_lock(other)
        held = _in_a_thread_of_its_own(following) if is_taken else None
        with pytest.raises(LockLost, match="another run may have begun; nothing was written"):
            with engine.begin() as connection:
                may_write(connection)
        if held:
            held()


def test_lock_that_was_lost_is_taken_again_while_nobody_has_it(engine, other):
    """After a restart of the server the run goes on under a new session; one that was overtaken does not."""
    with run_lock(engine) as lock:
        lock.name(f"run {RUN}")
        assert not regain(engine)
        end_holder(other)
        assert regain(engine)
        with engine.begin() as connection:
            may_write(connection)
        with pytest.raises(RunLocked, match=f"run {RUN}"):
            run_lock(other).__enter__()
        end_holder(other)
        let_go = _in_a_thread_of_its_own(run_lock(other, what="merge"))
        with pytest.raises(LockLost, match=r"another has it now: .*merge"):
            regain(engine)
        let_go()


def test_run_that_follows_ends_what_still_writes(engine, other):
    """A publish that asked in time and then lost its lock is known to the run after it, which ends it."""
    with run_lock(engine), engine.connect() as late, late.begin() as transaction:
        may_write(late)
        late.execute(sa.text("create table half_written (id integer)"))
        end_holder(other)
        let_go = _in_a_thread_of_its_own(run_lock(other))
        with other.begin() as connection:
            ended = connection.execute(END_WRITERS, {"key": WRITE_LOCK, "wait_ms": 5000}).scalars().all()
            assert connection.scalar(sa.text("select to_regclass('half_written')")) is None
        with pytest.raises(sa.exc.OperationalError):
            late.execute(sa.text("select 1"))
        late.invalidate()
        transaction.close()
        let_go()

    assert [True] == ended


def _in_a_thread_of_its_own(lock):
    """Hold a lock as another program would; answer what lets it go."""
    taken, done = threading.Event(), threading.Event()

    def hold():
        with lock:
            taken.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(20)

    def let_go():
        done.set()
        thread.join()

    return let_go
