"""Rally's own tables, for a database that has none."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import sqlalchemy as sa

from rally_etl.database.migrations import layout_lock, migrate, run_script

CORE_TABLES = ("leagues", "teams", "players")


@dataclass(frozen=True, slots=True)
class Made:
    """What `init` did."""

    rally_tables: bool  # False: the database held Rally's tables and they were taken as they are
    migrations: list[str]


def init(engine: sa.Engine) -> Made:
    """Make Rally's tables where there are none, and bring the ledger (schema `etl`) up to date.

    A database that holds any of the core tables is Rally's: nothing of it is changed.
    """
    with layout_lock(engine) as connection, connection.begin():
        exists = sa.text("select to_regclass(:name) is not null")
        found = [name for name in CORE_TABLES if connection.scalar(exists, {"name": name})]
        if not found:
            run_script(connection, (files("rally_etl.database") / "rally_schema.sql").read_text(encoding="utf-8"))
    return Made(rally_tables=not found, migrations=migrate(engine))
