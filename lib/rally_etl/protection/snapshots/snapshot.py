"""A snapshot: a copy of imported and user tables with all that brings them back, also from another process.

It is kept in the database itself, in schema ``guard_<run>``: one plain table per live table, with its name, its rows
and its primary key, and the table ``_definitions``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.database.references import ARCHIVED, Reference, ReferenceParams, find_references
from rally_etl.errors import RallyEtlError, UsageError
from rally_etl.protection.snapshots.definitions import (
    Definitions,
    base_tables,
    name_schemas,
    read_definitions,
    run,
    structure,
)
from rally_etl.protection.snapshots.fingerprints import fingerprint, whole

DEFINITIONS = "_definitions"
PRACTICE_ROWS = "home_team ilike '%practice%' or coalesce(away_team, '') = ''"

_SCHEMAS = sa.text(
    r"""
    select n.nspname from pg_namespace as n
    where n.nspname like 'guard\_%' and to_regclass(format('%I._definitions', n.nspname)) is not null
    order by 1
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What was copied.

    Attributes:
        tables: copied tables, in the order of their names.
        named: those that the operator named to be guarded; all of them where nothing was named.
        fingerprints: table -> fingerprint of its rows.
        structures: table -> fingerprint of what it is made of.
        rows: table -> rows.
        definitions: what the tables are made of.
        references: columns of users' rows that refer to imported rows by id, with and without a foreign key.
        identity: imported table -> columns that say which thing a row stands for.
        practice_rows: SQL rule that tells users' rows in the table schedule.
        secrets: columns that no image of a row may hold.
        taken_at: when, as text with the zone.
        seconds: how long it took.
    """

    run_id: str
    tables: tuple[str, ...]
    named: tuple[str, ...]
    fingerprints: dict[str, str]
    structures: dict[str, str]
    rows: dict[str, int]
    definitions: Definitions
    references: tuple[Reference, ...]
    identity: dict[str, list[str]]
    practice_rows: str
    secrets: tuple[str, ...]
    taken_at: str
    seconds: float

    @property
    def schema(self) -> str:
        """Where it is kept."""
        return schema_of(self.run_id)

    @property
    def fingerprint(self) -> str:
        """One fingerprint of the rows of all tables."""
        return whole(self.fingerprints)

    def columns(self, table: str) -> list[str]:
        """Columns of a table, as they stood."""
        return [column["name"] for column in self.definitions.tables[table]["columns"]]

    def key(self, table: str) -> list[str]:
        """Primary key of a table; empty where it has none."""
        return self.definitions.tables[table]["key"]

    def rows_of_users(self, table: str) -> str | None:
        """SQL rule that tells rows of users in a table; None where users have none."""
        if table == "schedule":
            return self.practice_rows
        return None if table in (*IMPORTED, *ARCHIVED) else "true"


def schema_of(run_id: str) -> str:
    """Name of the schema that keeps the snapshot of a run."""
    return "guard_" + run_id.lower().replace("-", "_")


def take(
    engine: sa.Engine, run_id: str, tables: Sequence[str] | None = None, params: ReferenceParams | None = None
) -> Snapshot:
    """Copy tables as they are at one moment, with all that is needed to rebuild them.

    Without *tables* every table of schema ``public`` is copied, but for those of extensions. With *tables*, these, all
    imported tables, and whatever they refer to by a foreign key, step by step: a row that comes back must find what it
    refers to. Tables beyond that stay as the command leaves them.

    Args:
        params: where references without a foreign key and rows of practices are told; without it only foreign keys
            and the usual rule are known.

    Raises:
        UsageError: no such table, or one that is partitioned or inherits; nothing was copied.
    """
    started = time.monotonic()
    names = _wanted(engine, tables)
    schema = schema_of(run_id)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        references = tuple(find_references(connection, params)) if params else ()
        name_schemas(connection)
        if names:
            locked = ", ".join(quote("public", name) for name in names)
            run(connection, f"lock table {locked} in access share mode")
        definitions = read_definitions(connection, names)
        if missing := sorted(set(names) - set(definitions.tables)):
            raise RallyEtlError(
                f"table {missing[0]} went while the snapshot was made; nothing was copied\nhint: start again"
            )
        run(connection, f"create schema {quote(schema)}")
        rows = {name: _copy(connection, schema, number, name, definitions) for number, name in enumerate(names)}
        snapshot = Snapshot(
            run_id=run_id,
            tables=tuple(names),
            named=tuple(tables or names),
            fingerprints=fingerprint(connection, schema, names),
            structures={name: structure(definition) for name, definition in definitions.tables.items()},
            rows=rows,
            definitions=definitions,
            references=tuple(each for each in references if each.table in rows and each.target in rows),
            identity=params.identity if params else {},
            practice_rows=params.practice_rows if params else PRACTICE_ROWS,
            secrets=tuple(sorted(params.secrets)) if params else (),
            taken_at=str(run(connection, "select now()").scalar_one()),
            seconds=time.monotonic() - started,
        )
        _keep(connection, snapshot)
    return snapshot


def _wanted(engine: sa.Engine, tables: Sequence[str] | None) -> list[str]:
    """Tables to copy."""
    with engine.connect() as connection:
        found = base_tables(connection)
        if tables and (unknown := sorted(set(tables) - set(found))):
            raise UsageError(
                f"there is no table {unknown[0]} in schema public; nothing was copied and the command was not started\n"
                f"hint: the tables are {', '.join(found)}"
            )
        name_schemas(connection)
        wanted = set(found) if not tables else set(tables) | (set(IMPORTED) & set(found))
        while tables:
            definitions = read_definitions(connection, wanted)
            targets = {
                each["target"]
                for definition in definitions.tables.values()
                for each in definition["constraints"].values()
                if each["type"] == "f" and each["target_schema"] == "public"
            }
            if targets <= wanted:
                break
            wanted |= targets
    if divided := sorted(name for name in wanted if found[name]):
        raise UsageError(
            f"table {divided[0]} is partitioned or inherits, which a snapshot cannot bring back; nothing was copied and"
            " the command was not started\nhint: --tables names the tables to guard"
        )
    return sorted(wanted)


def _copy(connection: sa.Connection, schema: str, number: int, table: str, definitions: Definitions) -> int:
    """Copy one table with its primary key; answer its rows."""
    copy = quote(schema, table)
    count = run(connection, f"create table {copy} as select * from {quote('public', table)}").rowcount
    if key := definitions.tables[table]["key"]:
        columns = ", ".join(quote(name) for name in key)
        run(connection, f"alter table {copy} add constraint {quote(f'_key_{number}')} primary key ({columns})")
    run(connection, f"analyze {copy}")
    return count


def _keep(connection: sa.Connection, snapshot: Snapshot) -> None:
    """Write what `find` reads."""
    table = quote(snapshot.schema, DEFINITIONS)
    run(connection, f"create table {table} (name text primary key, definition jsonb not null)")
    document = asdict(snapshot)
    connection.execute(
        sa.text(f"insert into {table} (name, definition) values (:name, cast(:definition as jsonb))"),
        [{"name": name, "definition": json.dumps(value)} for name, value in document.items()],
    )


def find(connection: sa.Connection, run_id: str) -> Snapshot:
    """Read a snapshot that another process has taken.

    Raises:
        RallyEtlError: it is not kept, or no longer.
    """
    table = quote(schema_of(run_id), DEFINITIONS)
    if not connection.scalar(sa.text("select to_regclass(:table)"), {"table": table}):
        raise RallyEtlError(
            f"the snapshot of run {run_id} is not kept; nothing was changed\n"
            "hint: a snapshot is dropped when its run has ended well"
        )
    found: dict[str, Any] = dict(run(connection, f"select name, definition from {table}").all())
    found["definitions"] = Definitions(**found["definitions"])
    found["references"] = tuple(Reference(**each) for each in found["references"])
    return Snapshot(**found | {name: tuple(found[name]) for name in ("tables", "named", "secrets")})


def left_behind(connection: sa.Connection) -> list[str]:
    """Runs whose snapshot is kept, oldest first; of a run that is not alive it was left by a guard that died."""
    return sorted(
        run(
            connection, f"select definition #>> '{{}}' from {quote(name, DEFINITIONS)} where name = 'run_id'"
        ).scalar_one()
        for name in connection.scalars(_SCHEMAS).all()
    )


def drop(engine: sa.Engine, run_id: str) -> None:
    """Forget the snapshot of a run; without one, nothing happens."""
    with engine.begin() as connection:
        run(connection, f"drop schema if exists {quote(schema_of(run_id))} cascade")
