"""A small live database with users, its exact copy kept aside, and what is looked at after a run was broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.settings import Settings
from scrapes import fingerprint

TIMES = """
    select t.tablename as name, coalesce(array_agg(a.attname) filter (where a.attname is not null), '{}') as times
    from pg_tables as t
    left join pg_attrdef as d on d.adrelid = cast(format('public.%I', t.tablename) as regclass)
        and pg_get_expr(d.adbin, d.adrelid) ~* 'now\\(\\)|timestamp'
    left join pg_attribute as a on a.attrelid = d.adrelid and a.attnum = d.adnum
    where t.schemaname = 'public' group by 1 order by 1
"""
"""Tables and their columns that hold the moment at which a row was written."""
SESSIONS = """
    select concat_ws(' ', pid, application_name, state, left(query, 80)) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and application_name like 'rally-etl%'
"""
LOCKS = """
    select concat_ws(' ', pid, objid) from pg_locks where locktype = 'advisory'
    and database = (select oid from pg_database where datname = current_database())
"""
COPIED = "strategy file_copy"
"""By the other strategy a copy of a copy loses the indexes of unlogged tables in a crash (PostgreSQL 18.4)."""
SEQUENCES = "select schemaname, sequencename, last_value from pg_sequences where schemaname = 'public'"


@dataclass(slots=True)
class World:
    """One database that can be put back to the moment of `keep`: rows, counters of ids, schemas of plans."""

    engine: sa.Engine
    administration: sa.Engine
    public: dict[str, str] = field(default_factory=dict)
    sequences: list[sa.Row] = field(default_factory=list)

    @classmethod
    @contextmanager
    def of(cls, settings: Settings) -> Iterator[World]:
        """The database of *settings*; its copy is gone at the end."""
        url = sa.make_url(settings.database_url)
        world = cls(
            sa.create_engine(url, poolclass=sa.NullPool, connect_args={"application_name": "world"}),
            sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool),
        )
        try:
            yield world
        finally:
            world._administer(f"drop database if exists {world._kept} with (force)")

    @property
    def _kept(self) -> str:
        return f"{self.engine.url.database}_kept"

    def keep(self) -> None:
        """Remember everything as it is now."""
        self.public = self.live()
        if not self.sequences:
            self.note_ids()
        self._administer(f"drop database if exists {self._kept} with (force)")
        self._leave_alone()
        self._administer(f"create database {self._kept} template {self.engine.url.database} {COPIED}")

    def put_back(self) -> None:
        """Make everything as it was; whoever is connected no longer is."""
        self._administer(f"drop database {self.engine.url.database} with (force)")
        self._administer(f"create database {self.engine.url.database} template {self._kept} {COPIED}")

    def _leave_alone(self) -> None:
        """End every session: a database can be copied when nobody is connected, and pools of runs here may still be."""
        self.engine.dispose()
        self._administer(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
            f" where datname = '{self.engine.url.database}' and pid <> pg_backend_pid()"
        )

    def note_ids(self) -> None:
        """Remember which ids the next rows would get."""
        self.sequences = self.rows(SEQUENCES)

    def reset_ids(self) -> None:
        """Let the next rows get the ids that they would have had at the moment of `note_ids`."""
        with self.engine.begin() as connection:
            for row in self.sequences:
                connection.execute(
                    sa.text("select setval(cast(:name as regclass), :value, :called)"),
                    {
                        "name": quote(row.schemaname, row.sequencename),
                        "value": row.last_value or 1,
                        "called": row.last_value is not None,
                    },
                )

    def rows(self, sql: str, **binds: Any) -> list[sa.Row]:
        """Rows of a query."""
        with self.engine.connect() as connection:
            return list(connection.execute(sa.text(sql), binds))

    def write(self, sql: str, **binds: Any) -> None:
        """Execute one statement in a transaction of its own."""
        with self.engine.begin() as connection:
            connection.execute(sa.text(sql), binds)

    def live(self) -> dict[str, str]:
        """Digest of every table of schema public, bit for bit."""
        return fingerprint(self.engine)

    def timeless(self) -> dict[str, str]:
        """The same without the moments at which rows were written."""
        digest = "select md5(coalesce(string_agg(r, chr(10) order by r), '')) from"
        digest += " (select cast(to_jsonb(t) - cast(:times as text[]) as text) as r from {} as t) as rows"
        with self.engine.connect() as connection:
            return {
                row.name: connection.scalar(sa.text(digest.format(quote("public", row.name))), {"times": row.times})
                for row in connection.execute(sa.text(TIMES)).all()
            }

    def sessions(self) -> list[str]:
        """Sessions of the product, with what they do."""
        return [row[0] for row in self.rows(SESSIONS)]

    def locks(self) -> list[str]:
        """Advisory locks that anybody holds in this database."""
        return [row[0] for row in self.rows(LOCKS)]

    def _administer(self, sql: str) -> None:
        with self.administration.connect() as connection:
            connection.execute(sa.text(sql))


def through(settings: Settings, folder: str) -> Settings:
    """The same project over the proxy that listens in *folder*."""
    url = sa.make_url(settings.database_url).update_query_dict({"host": folder})
    return replace(settings, database_url=url.render_as_string(hide_password=False))
