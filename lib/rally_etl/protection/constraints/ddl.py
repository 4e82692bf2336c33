"""Constraints that a run drops and adds: dropped inside its publish, added after it without stopping anybody."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.engine import clean_message
from rally_etl.database.retry import is_transient
from rally_etl.errors import RallyEtlError
from rally_etl.protection.constraints.needed import Key, Link

LOCK_WAIT_S = 60  # making an index waits for transactions that are older than it
LONGEST_NAME = 63

_UNIQUE = re.compile(r"alter table (\S+) add constraint (\S+) unique \(([^()]+)\)", re.I)
_INDEX = re.compile(r"create unique index (?=\S+ on )", re.I)
_FOREIGN = re.compile(r"alter table .+ add constraint \S+ foreign key .+", re.I)

_WRITE = sa.text(
    "insert into etl.constraint_changes (run_id, number, table_name, name, action, definition)"
    " values (:run, :number, :table, :name, :action, :definition)"
)
_READ = sa.text(
    "select table_name, name, action, definition from etl.constraint_changes"
    " where run_id = :run and (action = 'drop') = :drops and done_at is null order by number"
)
_DONE = sa.text(
    "update etl.constraint_changes set done_at = case when cast(:fault as text) is null then clock_timestamp() end,"
    " fault = :fault where run_id = :run and table_name = :table and name = :name and action = :action"
)
_IS_CONSTRAINT = sa.text(
    "select exists (select from pg_constraint where conrelid = to_regclass(:table) and conname = :name)"
)
_IS_INDEX = sa.text("select to_regclass(:name) is not null")
_STANDS = sa.text(
    "select exists (select from pg_constraint as c where c.conrelid = to_regclass(:table) and c.conname = :name"
    " and c.convalidated) or exists (select from pg_index as x join pg_class as i on i.oid = x.indexrelid"
    " where x.indrelid = to_regclass(:table) and i.relname = :name and x.indisvalid)"
)
_TAKEN = sa.text(
    "select relname from pg_class where relnamespace = to_regnamespace('public')"
    " union select conname from pg_constraint where connamespace = to_regnamespace('public')"
)


@dataclass(frozen=True, slots=True)
class Change:
    """One constraint that is added, dropped or validated. ``definition``: the statement that makes it."""

    table: str
    name: str
    action: Literal["add", "drop", "validate"]
    definition: str

    @property
    def told(self) -> str:
        """`adds clubs_name_key on clubs`."""
        verb = {"add": "adds", "drop": "drops", "validate": "validates"}[self.action]
        return f"{verb} {self.name} on {self.table}"


class Names:
    """Names for new constraints that nothing has yet."""

    def __init__(self, connection: sa.Connection) -> None:
        self._taken = set(connection.scalars(_TAKEN))

    def new(self, *parts: str) -> str:
        """A name of these parts; one that would be too long ends with a hash."""
        whole = "_".join(parts)
        if len(whole) > LONGEST_NAME:
            digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
            whole = f"{whole[: LONGEST_NAME - 9]}_{digest}"
        name, number = whole, 1
        while name in self._taken:
            number += 1
            name = f"{whole[: LONGEST_NAME - 4]}_{number}"
        self._taken.add(name)
        return name


def key_to_add(key: Key, names: Names) -> Change:
    """A unique key as `params/constraints.yaml` wants it: a constraint, or an index where it is about some rows."""
    name = names.new(key.table, *key.columns, "key")
    table, columns = quote("public", key.table), ", ".join(quote(column) for column in key.columns)
    if key.rows:
        definition = f"create unique index {quote(name)} on {table} ({columns}) where {key.rows}"
    else:
        definition = f"alter table {table} add constraint {quote(name)} unique ({columns})"
    return Change(key.table, name, "add", definition)


def link_to_add(link: Link, names: Names) -> Change:
    """A foreign key without a rule for deletion."""
    name = names.new(link.table, link.column, "fkey")
    definition = (
        f"alter table {quote('public', link.table)} add constraint {quote(name)}"
        f" foreign key ({quote(link.column)}) references {quote('public', link.target)} ({quote(link.target_column)})"
    )
    return Change(link.table, name, "add", definition)


def write_changes(connection: sa.Connection, run_id: str, changes: Iterable[Change]) -> None:
    """Put what a run will do to constraints into the ledger, in its order."""
    rows = [
        {
            "run": run_id,
            "number": number,
            "table": each.table,
            "name": each.name,
            "action": each.action,
            "definition": each.definition,
        }
        for number, each in enumerate(changes, start=1)
    ]
    if rows:
        connection.execute(_WRITE, rows)


def drop_planned(connection: sa.Connection, run_id: str) -> None:
    """Drop what the run drops, inside its publish and before its rows.

    Raises:
        RallyEtlError: one cannot be dropped; the publish ends with nothing written.
        sqlalchemy.exc.DBAPIError: others hold its table; the publish may be tried again.
    """
    for change in _planned(connection, run_id, drops=True):
        binds = {"table": quote("public", change.table), "name": change.name}
        try:
            with connection.begin_nested():
                if connection.scalar(_IS_CONSTRAINT, binds):
                    connection.exec_driver_sql(f"alter table {binds['table']} drop constraint {quote(change.name)}")
                elif connection.scalar(_IS_INDEX, {"name": quote("public", change.name)}):
                    connection.exec_driver_sql(f"drop index {quote('public', change.name)}")
        except sa.exc.DBAPIError as error:
            if is_transient(error):
                raise
            raise RallyEtlError(
                f"{change.name} on {change.table} cannot be dropped ({clean_message(error)}); nothing was written\n"
                "hint: drop what depends on it, then do this again"
            ) from error
        connection.execute(_DONE, _binds(run_id, change))


def add_planned(engine: sa.Engine, run_id: str) -> list[str]:
    """Add what the run adds, after its publish: indexes concurrently, foreign keys first without, then with old rows.

    What could not be added is taken away again.

    Returns:
        one sentence per constraint that could not be added.
    """
    problems = []
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        changes = _planned(connection, run_id, drops=False)
        if not changes:
            return []
        wait = connection.scalar(sa.text("select current_setting('lock_timeout')"))
        connection.exec_driver_sql(f"set lock_timeout = '{LOCK_WAIT_S}s'")
        try:
            for change in changes:
                fault = _add(connection, change)
                connection.execute(_DONE, _binds(run_id, change, fault))
                if fault:
                    problems.append(f"{change.name} on {change.table} could not be added: {fault}")
        finally:
            connection.execute(sa.text("select set_config('lock_timeout', :wait, false)"), {"wait": wait})
    return problems


def _planned(connection: sa.Connection, run_id: str, *, drops: bool) -> list[Change]:
    rows = connection.execute(_READ, {"run": run_id, "drops": drops})
    return [Change(row.table_name, row.name, row.action, row.definition) for row in rows]


def _add(connection: sa.Connection, change: Change) -> str | None:
    """Make one constraint; why it could not be made, with nothing left of it."""
    binds = {"table": quote("public", change.table), "name": change.name}
    if connection.scalar(_STANDS, binds):
        return None
    had = change.action == "validate"
    try:
        for statement in _statements(change):
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
    except sa.exc.DBAPIError as error:
        if not had:
            _take_away(connection, change)
        return clean_message(error)
    return None if connection.scalar(_STANDS, binds) else "the database does not show it as valid"


def _statements(change: Change) -> Iterator[str]:
    """The definition in steps that do not stop readers and writers, where there is such a way."""
    table, name = quote("public", change.table), quote(change.name)
    unique = _UNIQUE.fullmatch(change.definition)
    if change.action == "validate":
        yield f"alter table {table} validate constraint {name}"
    elif unique:
        yield f"create unique index concurrently {name} on {table} ({unique[3]})"
        yield f"alter table {table} add constraint {name} unique using index {name}"
    elif _INDEX.match(change.definition):
        yield _INDEX.sub("create unique index concurrently ", change.definition, count=1)
    elif _FOREIGN.fullmatch(change.definition):
        yield f"{change.definition} not valid"
        yield f"alter table {table} validate constraint {name}"
    else:
        yield change.definition


def _take_away(connection: sa.Connection, change: Change) -> None:
    table = quote("public", change.table)
    if connection.scalar(_IS_CONSTRAINT, {"table": table, "name": change.name}):
        connection.exec_driver_sql(f"alter table {table} drop constraint {quote(change.name)}")
    connection.exec_driver_sql(f"drop index concurrently if exists {quote('public', change.name)}")


def _binds(run_id: str, change: Change, fault: str | None = None) -> dict[str, str | None]:
    return {"run": run_id, "table": change.table, "name": change.name, "action": change.action, "fault": fault}
