"""Several sessions that see the database of one moment, whatever is written meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa


@contextmanager
def one_moment(engine: sa.Engine) -> Iterator[str]:
    """Answer the name of a snapshot of now, which `join_moment` takes until the block ends."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True) as connection:
        yield connection.execute(sa.text("select pg_export_snapshot()")).scalar_one()


def join_moment(connection: sa.Connection, snapshot: str, timeout_s: float | None = None) -> None:
    """Begin a transaction of *connection* that sees the snapshot and cannot write; it has begun none yet.

    Args:
        timeout_s: seconds one statement may take; None leaves the session's limit.
    """
    connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    # no bind can stand here; the server made the name, of digits and dashes
    connection.exec_driver_sql(f"set transaction snapshot '{snapshot}'")
    if timeout_s is not None:
        connection.exec_driver_sql(f"set local statement_timeout = {max(1, round(timeout_s * 1000))}")
