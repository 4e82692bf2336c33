"""A database of its own for what must not touch the one that people use: proofs, measurements."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from rally_etl.database.engine import clean_message, connect
from rally_etl.errors import RallyEtlError
from rally_etl.settings import Settings


@contextmanager
def scratch_database(settings: Settings, purpose: str) -> Iterator[str]:
    """The address of a fresh, empty database on the server of the project; gone afterwards.

    Args:
        purpose: a word for its name.

    Raises:
        RallyEtlError: the server does not let this user make a database.
    """
    name = f"rally_{purpose}_{time.time_ns()}"
    server = connect(settings)
    by_itself = {"isolation_level": "AUTOCOMMIT"}
    try:
        with server.connect().execution_options(**by_itself) as connection:
            connection.execute(sa.text(f"create database {name} template template0"))
    except sa.exc.ProgrammingError as error:
        raise RallyEtlError(
            f"no database of its own for {purpose}: {clean_message(error)}; nothing was done\n"
            "hint: without DATABASE_URL the embedded server is used, where everything is allowed"
        ) from None
    try:
        yield server.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect().execution_options(**by_itself) as connection:
            connection.execute(sa.text(f"drop database {name} with (force)"))
        server.dispose()
