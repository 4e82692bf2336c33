"""Sessions: their limits, and readers that cannot write."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa
import stamina

from rally_etl.database.engine import connect, read_only
from rally_etl.errors import RallyEtlError
from rally_etl.settings import Settings

LIMITS = ("application_name", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "TimeZone")


def show(connection: sa.Connection) -> list[str]:
    """Answer the settings of a session."""
    return [connection.scalar(sa.text(f"show {name}")) for name in LIMITS]


def test_every_session_has_its_limits(settings):
    """The limits hold in each session of the pool, also after a rollback and a return to the pool."""
    limited = replace(settings, statement_timeout_s=90, lock_timeout_s=5, idle_in_transaction_timeout_s=45)
    engine = connect(limited, application_name="rally-etl run 7")

    with engine.connect() as one, engine.connect() as two:
        one.rollback()
        assert [["rally-etl run 7", "90s", "5s", "45s", "UTC"]] * 2 == [show(one), show(two)]
    with engine.connect() as again:
        assert ["rally-etl run 7", "90s", "5s", "45s", "UTC"] == show(again)
    engine.dispose()


def test_missing_database_is_said_without_the_password(settings):
    """A database that does not exist is named, with a hint; the password is not shown."""
    url = sa.make_url(settings.database_url).set(database="not_there", password="secret")

    with pytest.raises(RallyEtlError, match="not_there") as failure:
        connect(replace(settings, database_url=url.render_as_string(hide_password=False)))

    assert "secret" not in str(failure.value)
    assert "\nhint: " in str(failure.value)


def test_reader_cannot_write(engine):
    """A read-only transaction refuses to write."""
    with pytest.raises(sa.exc.InternalError, match="read-only"), read_only(engine) as connection:
        connection.execute(sa.text("insert into leagues (league_id, league_name) values ('X', 'X')"))


def test_reading_leaves_no_trace_in_the_pool(engine):
    """The session that read can write again, with its own search_path and limit."""
    with read_only(engine, "etl", timeout_s=0.5) as connection:
        assert ("etl", "500ms") == tuple(
            connection.execute(sa.text("select current_schema, current_setting('statement_timeout')")).one()
        )
    with engine.begin() as connection:
        connection.execute(sa.text("insert into leagues (league_id, league_name) values ('X', 'X')"))
        assert ("public", "10min") == tuple(
            connection.execute(sa.text("select current_schema, current_setting('statement_timeout')")).one()
        )


def test_an_error_shows_no_values(settings):
    """Wherever it is shown: the statement yes, the names that it was asked with no."""
    with connect(settings).connect() as connection, pytest.raises(sa.exc.ProgrammingError) as caught:
        connection.execute(sa.text("select *\nfrom nowhere\nwhere name = :name"), {"name": "Ann Example"})

    assert "from nowhere" in str(caught.value)
    assert "Ann" not in str(caught.value)


def test_schema_names_are_quoted(engine):
    """A schema of any name is found, and cannot smuggle another one in."""
    name = 'Odd, "public'
    with engine.begin() as connection:
        quoted = engine.dialect.identifier_preparer.quote_identifier(name)
        connection.execute(sa.text(f"create schema {quoted}"))
    with read_only(engine, name) as connection:
        assert [name] == connection.scalar(sa.text("select current_schemas(false)"))


def test_reader_is_stopped_in_time(engine):
    """A query that runs longer than its limit is cancelled."""
    with pytest.raises(sa.exc.OperationalError, match="timeout"), read_only(engine, timeout_s=0.05) as connection:
        connection.execute(sa.text("select pg_sleep(5)"))


class StartingServer:
    """Answers the first clients that it takes no connection yet, then hands on to a real server."""

    def __init__(self, reach: Callable[[], socket.socket], refusals: int, text: str):
        self.reach, self.refusals, self.text, self.asked = reach, refusals, text, 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listening.accept()
                self._refuse(client) if self.asked < self.refusals else self._hand_on(client)
                self.asked += 1

    def _refuse(self, client: socket.socket) -> None:
        fields = b"SFATAL\0VFATAL\0C57P03\0M" + self.text.encode() + b"\0\0"
        request = client.recv(1024)
        while request[4:8] in (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"):  # asks for encryption
            client.sendall(b"N")
            request = client.recv(1024)
        client.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
        client.close()

    def _hand_on(self, client: socket.socket) -> None:
        server = self.reach()
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _reach(url: sa.URL) -> socket.socket:
    """A connection to the server of the tests, over its unix socket where it has one."""
    if url.host:
        return socket.create_connection((url.host, url.port or 5432))
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{url.query['host']}/.s.PGSQL.{url.query.get('port', 5432)}")
    return server


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(
    "text, refusals, asked",
    [("the database system is starting up", 2, 3), ("password authentication failed", 1, 1)],
)
def test_server_that_is_starting_is_waited_for(settings, text, refusals, asked, capsys):
    """It says that it is not ready: tried again; a login that is refused is an answer, and tried once."""
    url = sa.make_url(settings.database_url)
    server = StartingServer(lambda: _reach(url), refusals, text)
    starting = url.set(host="127.0.0.1", port=server.port, query={"sslmode": "disable"})
    behind = Settings(root=settings.root, database_url=starting.render_as_string(hide_password=False))
    stamina.set_testing(True, attempts=100, cap=True)
    try:
        if asked > refusals:
            connect(behind).dispose()
            assert "again: connecting: " in capsys.readouterr().err
        else:
            with pytest.raises(RallyEtlError, match=text):
                connect(behind)
    finally:
        stamina.set_testing(False)
        server.listening.close()

    assert asked == server.asked
