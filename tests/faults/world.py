"""A small live database with users, its exact copy kept aside, and what is looked at after a run was broken."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
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
KEYS = """
    select t.relname as name, a.attname as key, r.relname as target
    from pg_constraint as c join pg_class as t on t.oid = c.conrelid join pg_class as r on r.oid = c.confrelid
    join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'f' and c.connamespace = to_regnamespace('public') and cardinality(c.conkey) = 1
"""
NUMBERED = """
    select t.relname as name from pg_attribute as a join pg_class as t on t.oid = a.attrelid
    where t.relnamespace = to_regnamespace('public') and t.relkind = 'r' and a.attname = 'id'
    and (a.attidentity <> '' or exists (
        select from pg_attrdef as d where d.adrelid = t.oid and d.adnum = a.attnum
        and pg_get_expr(d.adbin, d.adrelid) like 'nextval(%'))
"""
"""Tables whose new rows are numbered."""


@dataclass(slots=True)
class World:
    """One database that can be put back to the moment of `keep`: rows, counters of ids, schemas of plans."""

    engine: sa.Engine
    administration: sa.Engine
    public: dict[str, str] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)  # numbered table -> its highest id when it began

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
        if not self.known:
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
        """Remember which ids there are; `timeless` numbers those that come later in their order."""
        self.known = {
            row.name: self.rows(f"select coalesce(max(id), 0) from {quote('public', row.name)}")[0][0]
            for row in self.rows(NUMBERED)
        }

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
        """The same without the moments at which rows were written, and without what a repeated plan has cost in ids.

        A plan that is made again takes its ids anew, so new rows count by their order: in their own table and wherever
        a foreign key points at them.
        """
        with self.engine.connect() as connection:
            times = {row.name: row.times for row in connection.execute(sa.text(TIMES))}
            pointing = {(row.name, row.key): row.target for row in connection.execute(sa.text(KEYS))}
            pointing |= {(name, "id"): name for name in self.known}
            tables = {
                name: connection.scalars(sa.text(f"select to_jsonb(t) from {quote('public', name)} as t")).all()
                for name in times
            }
        number = {
            name: {new: self.known[name] + place for place, new in enumerate(sorted(ids), start=1)}
            for name in self.known
            if (ids := {row["id"] for row in tables[name] if row["id"] > self.known[name]})
        }
        return {
            name: _digest(
                {
                    column: number.get(pointing.get((name, column)), {}).get(value, value)
                    for column, value in row.items()
                    if column not in times[name]
                }
                for row in rows
            )
            for name, rows in tables.items()
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


def _digest(rows: Iterable[dict[str, Any]]) -> str:
    return sha256("\n".join(sorted(json.dumps(row, sort_keys=True) for row in rows)).encode()).hexdigest()


def through(settings: Settings, folder: str) -> Settings:
    """The same project over the proxy that listens in *folder*."""
    url = sa.make_url(settings.database_url).update_query_dict({"host": folder})
    return replace(settings, database_url=url.render_as_string(hide_password=False))
