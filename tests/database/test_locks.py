"""One run at a time."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from rally_etl.database.engine import connect
from rally_etl.database.locks import run_lock
from rally_etl.errors import RunLocked


@pytest.fixture
def other(settings):
    """Sessions of another run on the same database."""
    engine = connect(settings, application_name="rally-etl run 20251003T0730")
    yield engine
    engine.dispose()


def test_second_run_is_refused_with_the_name_of_the_first(engine, other):
    """The message names the application, the process and since when; the exit code is 5."""
    with (
        run_lock(other),
        pytest.raises(RunLocked, match=r"run 20251003T0730, server process \d+ since \d{4}") as failure,
        run_lock(engine),
    ):
        pass

    assert 5 == failure.value.exit_code


def test_lock_is_free_after_a_run(engine, other):
    """A run that ended, well or badly, holds nothing."""
    with pytest.raises(ZeroDivisionError), run_lock(other):
        raise ZeroDivisionError
    with run_lock(engine), engine.connect() as connection:
        assert 1 == connection.scalar(sa.text("select count(*) from pg_locks where locktype = 'advisory'"))


def test_lock_dies_with_its_session(engine, other):
    """A killed run holds nothing: the lock belongs to its session."""
    with run_lock(other):
        with engine.connect() as connection:
            connection.execute(
                sa.text("select pg_terminate_backend(pid, 5000) from pg_locks where locktype = 'advisory'")
            )
        with run_lock(engine), engine.connect() as connection:
            assert 1 == connection.scalar(sa.text("select count(*) from pg_locks where locktype = 'advisory'"))


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
