"""What is tried again and what is not, on errors that a real server gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Barrier, Thread

import psycopg2
import pytest
import sqlalchemy as sa
import stamina

from rally_etl.database import retry
from rally_etl.database.retry import is_starting, is_transient, retrying, says_transient


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Backoff without the waits; limits of attempts as they are."""
    stamina.set_testing(True, attempts=100, cap=True)
    yield
    stamina.set_testing(False)


@pytest.fixture(scope="module")
def table(module_engine: sa.Engine) -> sa.Engine:
    """A table of two rows to fight about."""
    with module_engine.begin() as connection:
        connection.execute(sa.text("create table fought (id integer primary key, n integer not null check (n >= 0))"))
        connection.execute(sa.text("insert into fought values (1, 0), (2, 0)"))
    return module_engine


def error_of(engine: sa.Engine, *statements: str) -> Exception:
    """What the database says to the last of the statements."""
    with pytest.raises(sa.exc.DBAPIError) as failure, engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    return failure.value


def deadlock(engine: sa.Engine) -> Exception:
    """What one of two sessions is told that wait for each other."""
    both, found = Barrier(2), []

    def update(first: int, second: int) -> None:
        try:
            with engine.begin() as connection:
                connection.execute(sa.text("set local deadlock_timeout = '50ms'"))
                connection.execute(sa.text(f"update fought set n = n + 1 where id = {first}"))
                both.wait(20)
                connection.execute(sa.text(f"update fought set n = n + 1 where id = {second}"))
        except sa.exc.DBAPIError as error:
            found.append(error)

    threads = [Thread(target=update, args=order) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found[0]


def serialization(engine: sa.Engine) -> Exception:
    """What a repeatable read is told whose row has changed since it began."""
    with (
        pytest.raises(sa.exc.DBAPIError) as failure,
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as late,
        late.begin(),
    ):
        late.execute(sa.text("select * from fought"))
        with engine.begin() as early:
            early.execute(sa.text("update fought set n = n + 1 where id = 1"))
        late.execute(sa.text("update fought set n = n + 1 where id = 1"))
    return failure.value


def lock_time_out(engine: sa.Engine) -> Exception:
    """What a session is told that waited in vain for a table."""
    with engine.begin() as holder:
        holder.execute(sa.text("lock table fought"))
        return error_of(engine, "set local lock_timeout = '50ms'", "select * from fought")


def terminated(engine: sa.Engine) -> Exception:
    """What a session is told that somebody ends."""
    return error_of(engine, "select pg_terminate_backend(pg_backend_pid())")


def lost(engine: sa.Engine) -> Exception:
    """What a session says whose connection has gone before its statement."""
    with pytest.raises(sa.exc.DBAPIError) as failure, engine.connect() as connection:
        pid = connection.scalar(sa.text("select pg_backend_pid()"))
        with engine.connect() as other:
            other.execute(sa.text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        connection.execute(sa.text("select 1"))
    return failure.value


@pytest.mark.parametrize("happening", [deadlock, serialization, lock_time_out, terminated, lost])
def test_what_passes_by_itself_is_transient(table, happening: Callable[[sa.Engine], Exception]):
    """Lock conflicts and lost connections, as the server and the driver report them."""
    assert is_transient(happening(table))


@pytest.mark.parametrize(
    "statement",
    [
        "selekt 1",
        "insert into fought values (1, 0)",
        "update fought set n = -1 where id = 1",
        "insert into fought values (3, null)",
        "select * from nowhere",
        "set local role rally_nobody",
        "do $$begin raise exception using errcode = 'disk_full'; end$$",
        "do $$begin raise exception using errcode = 'out_of_memory'; end$$",
        "do $$begin raise exception using errcode = 'insufficient_privilege'; end$$",
        "select pg_cancel_backend(pg_backend_pid()) from pg_sleep(0.01)",
    ],
)
def test_what_does_not_pass_is_not_tried_again(table, statement):
    """Syntax, constraints, permissions, a full disk, a cancelled statement: the first answer is the last."""
    tried = []

    with pytest.raises(sa.exc.DBAPIError):
        for attempt in retrying("a statement", lambda label, text: None):
            with attempt, table.begin() as connection:
                tried.append(statement)
                connection.execute(sa.text(statement))

    assert 1 == len(tried)


@pytest.mark.parametrize(
    "text, transient, starting",
    [
        ('FATAL:  password authentication failed for user "rally"', False, False),
        ('FATAL:  database "rally" does not exist', False, False),
        ('could not translate host name "nowhere" to address', False, False),
        ("FATAL:  the database system is starting up", True, True),
        ("FATAL:  the database system is in recovery mode", True, True),
        ("FATAL:  sorry, too many clients already", True, True),
        ("connection to server at 127.0.0.1, port 1 failed: Connection refused", True, False),
        ("server closed the connection unexpectedly", True, False),
    ],
)
def test_connections_that_cannot_be_opened_are_told_apart_by_their_text(text, transient, starting):
    """The driver gives no code before there is a session."""
    error = sa.exc.OperationalError("connect", None, psycopg2.OperationalError(text))

    assert (transient, starting) == (is_transient(error), is_starting(error))


@pytest.mark.parametrize(
    "text, transient",
    [
        ("OperationalError: (psycopg2.errors.LockNotAvailable) canceling statement due to lock timeout", True),
        ("OperationalError: (psycopg2.OperationalError) server closed the connection unexpectedly", True),
        ("RallyEtlError: no connection to postgresql://h/d: FATAL: the database system is starting up", True),
        ("OperationalError: (psycopg2.errors.DiskFull) could not extend file", False),
        ("ProgrammingError: (psycopg2.errors.SyntaxError) syntax error", False),
        ("RallyEtlError: no connection to postgresql://h/d: FATAL: password authentication failed", False),
        ("ValueError: server closed the connection unexpectedly", False),
        (None, False),
    ],
)
def test_text_of_another_process_is_judged_by_class_and_words(text, transient):
    """A notebook's kernel leaves the name of the error and its first words."""
    assert transient == says_transient(text)


def test_errors_of_ours_are_not_transient():
    """A bug is no weather."""
    assert not is_transient(ValueError("server closed the connection"))
    assert not is_starting(ValueError("the database system is starting up"))


def test_transient_error_is_tried_again_and_told(table):
    """The block runs again after a lock time-out; each further attempt is told before it begins."""
    told, tried = [], []

    for attempt in retrying("publish NSTF", lambda label, text: told.append(f"{label} {text}")):
        with attempt:
            tried.append(attempt.num)
            if len(tried) < 3:
                raise lock_time_out(table)

    assert [1, 2, 3] == tried
    expected = "again publish NSTF: canceling statement due to lock timeout; attempt {} of 4"
    assert [expected.format(2), expected.format(3)] == told


def test_attempts_end(table, capsys):
    """After the last attempt the error itself comes out; without a listener the attempts are told on stderr."""
    tried = []

    with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
        for attempt in retrying("reading", attempts=2):
            with attempt:
                tried.append(attempt.num)
                raise lock_time_out(table)

    assert [1, 2] == tried
    assert "again: reading: canceling statement due to lock timeout; attempt 2 of 2\n" == capsys.readouterr().err


def test_no_attempt_begins_after_the_time_is_over(table):
    """The limit of time holds whatever number of attempts is left."""
    stamina.set_testing(False)
    tried = []

    with pytest.raises(sa.exc.OperationalError):
        for attempt in retrying("reading", lambda label, text: None, timeout_s=0.001):
            with attempt:
                tried.append(attempt.num)
                raise lock_time_out(table)

    assert [1] == tried
    assert retry.ATTEMPTS > 1
