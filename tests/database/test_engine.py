"""Sessions: their limits, and readers that cannot write."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from rally_etl.database.engine import connect, read_only
from rally_etl.errors import RallyEtlError

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
