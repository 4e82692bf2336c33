"""Connections: how long a session may wait, and what a reader may do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from rally_etl.database import embedded
from rally_etl.database.url import normalise_url, safe_text
from rally_etl.errors import RallyEtlError
from rally_etl.settings import Settings

OLDEST_SERVER = 150000  # PostgreSQL 15
STARTING_S = 30.0  # how long a server that is starting is waited for

# A machine that vanished is found out within a minute, on either side: silence for 30 s, then three questions of 10 s.
# A client that ended while its statement runs is found out within 5 s. On a unix socket both are known at once.
_IDLE_S, _INTERVAL_S, _COUNT = 30, 10, 3
_CHECK_S = 5


def database_url(settings: Settings) -> str:
    """Answer the address of the database as SQLAlchemy takes it; starts the embedded server if it is the one."""
    if settings.database_url:
        return normalise_url(settings.database_url)
    return embedded.url(embedded_server(settings))


def embedded_server(settings: Settings) -> embedded.Server:
    """Answer the embedded server of the project folder, running or not."""
    return embedded.Server(settings.state_dir / "pg")


def connect(settings: Settings, *, application_name: str = "rally-etl") -> sa.Engine:
    """Open a pool of sessions to the database, each with the limits of *settings* and in UTC.

    Raises:
        UsageError: DATABASE_URL is no PostgreSQL address.
        RallyEtlError: nobody answers there, the login is refused, or the server is older than 15.
    """
    url = database_url(settings)
    engine = sa.create_engine(
        url,
        pool_pre_ping=True,
        hide_parameters=True,  # an error that is shown somewhere has no values of rows
        connect_args={
            "application_name": application_name,
            "connect_timeout": 10,
            "keepalives_idle": _IDLE_S,
            "keepalives_interval": _INTERVAL_S,
            "keepalives_count": _COUNT,
            "tcp_user_timeout": 1000 * (_IDLE_S + _COUNT * _INTERVAL_S),
        },
    )
    limits = session_limits(settings)

    @sa.event.listens_for(engine, "connect")
    def limit(connection: Any, _record: Any) -> None:
        # In autocommit: a `set` inside a transaction that is rolled back is undone.
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(limits)
        connection.autocommit = False

    _greet(engine, url)
    return engine


def session_limits(settings: Settings) -> str:
    """Answer the statement that limits a session; the numbers are whole numbers of seconds."""
    limits = {
        "statement_timeout": settings.statement_timeout_s,
        "lock_timeout": settings.lock_timeout_s,
        "idle_in_transaction_session_timeout": settings.idle_in_transaction_timeout_s,
    }
    sets = [f"set {name} = '{int(seconds)}s'" for name, seconds in limits.items()]
    return "; ".join([*sets, "set time zone 'UTC'", *_ENDS_OF_CLIENTS])


_ENDS_OF_CLIENTS = (
    f"set tcp_keepalives_idle = {_IDLE_S}",
    f"set tcp_keepalives_interval = {_INTERVAL_S}",
    f"set tcp_keepalives_count = {_COUNT}",
    # not every platform of a server can look whether its client is there
    f"do $$ begin perform set_config('client_connection_check_interval', '{_CHECK_S}s', false);"
    " exception when others then null; end $$",
)
"""How a server finds out that the client of a session is gone; its locks then end with the session."""


@contextmanager
def read_only(
    engine: sa.Engine, *schemas: str, timeout_s: float | None = None, one_moment: bool = False
) -> Iterator[sa.Connection]:
    """Open a transaction that cannot write; bare names resolve in *schemas*, in order (none given: as the session).

    Args:
        timeout_s: seconds one statement may take; None leaves the session's limit.
        one_moment: all statements see the database as the first one does.
    """
    local = sa.text("select set_config(:name, :value, true)")
    isolation: dict[str, Any] = {"isolation_level": "REPEATABLE READ"} if one_moment else {}
    with engine.connect().execution_options(postgresql_readonly=True, **isolation) as connection:
        if schemas:
            quote = engine.dialect.identifier_preparer.quote_identifier
            connection.execute(local, {"name": "search_path", "value": ", ".join(quote(name) for name in schemas)})
        if timeout_s is not None:
            value = f"{max(1, round(timeout_s * 1000))}ms"
            connection.execute(local, {"name": "statement_timeout", "value": value})
        yield connection


def clean_message(error: BaseException) -> str:
    """Answer one line of what a database driver says: the first line, without SQL, parameters and positions."""
    said = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
    return said[0].strip().removeprefix("ERROR:").strip()


def is_weather(error: BaseException) -> bool:
    """Whether the database refused or went away: no bug, and nothing that a stack would explain."""
    weather = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError)
    return isinstance(error, weather) or is_refused(error)


def is_refused(error: BaseException) -> bool:
    """Whether the login of the database may not do what was asked."""
    return getattr(getattr(error, "orig", None), "pgcode", None) == "42501"


def _greet(engine: sa.Engine, url: str) -> None:
    """Connect once, so that a wrong address is an answer here and not a stack in the middle of a run."""
    from rally_etl.database.retry import is_starting, retrying  # it needs `clean_message`

    try:
        for attempt in retrying("connecting", on=is_starting, attempts=20, timeout_s=STARTING_S):
            with attempt, engine.connect() as connection:
                version = connection.connection.dbapi_connection.server_version
    except sa.exc.DBAPIError as error:
        engine.dispose()
        raise RallyEtlError(
            f"no connection to {safe_text(url)}: {clean_message(error)}\n"
            "hint: is the server up, does the database exist, are user and password right? DATABASE_URL names it"
        ) from None
    if version < OLDEST_SERVER:
        engine.dispose()
        raise RallyEtlError(f"the server is PostgreSQL {version // 10000}, too old\nhint: use 15 or later")
