"""A candidate made of copies of every live table, which a test changes by SQL of its own."""

from __future__ import annotations

import re

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.planning.schema import schemas


def copy_live(engine: sa.Engine, run_id: str) -> None:
    """Make the run's candidate anew: what live is, table by table."""
    candidate = schemas(run_id)[1]
    with engine.begin() as connection:
        connection.execute(sa.text(f"drop schema if exists {quote(candidate)} cascade"))
        connection.execute(sa.text(f"create schema {quote(candidate)}"))
        names = connection.scalars(sa.text("select tablename from pg_tables where schemaname = 'public'")).all()
        for name in names:
            connection.execute(sa.text(f"create table {quote(candidate, name)} as table {quote('public', name)}"))


def change(engine: sa.Engine, run_id: str, sql: str) -> set[str]:
    """Write to the candidate, statement by statement; answer the tables written."""
    with engine.begin() as connection:
        connection.execute(sa.text(f"set local search_path = {quote(schemas(run_id)[1])}, public"))
        for statement in sql.split(";"):
            connection.execute(sa.text(statement))
    return set(re.findall(r"(?:update|delete from|insert into) (\w+)", sql))


def put_back(engine: sa.Engine, run_id: str, tables: set[str]) -> None:
    """Make tables of the candidate what live is."""
    candidate = schemas(run_id)[1]
    with engine.begin() as connection:
        for name in tables:
            connection.execute(sa.text(f"truncate {quote(candidate, name)}"))
            connection.execute(sa.text(f"insert into {quote(candidate, name)} table {quote('public', name)}"))
