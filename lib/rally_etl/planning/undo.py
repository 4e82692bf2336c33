"""Take a published run back: its plan read backwards, column by column, without what was changed since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote
from rally_etl.database.references import Reference, find_references, read_reference_params
from rally_etl.errors import UsageError
from rally_etl.planning.compare import TOUCHED
from rally_etl.planning.schema import add_tables, read_planned, schemas

if TYPE_CHECKING:
    from rally_etl.settings import Settings

KEPT_ENTITIES = ("leagues", "clubs", "series")
"""Ids are forever: what an import made stays, and these have nothing to switch off."""

LISTED_ROWS = 200  # per table and reason


@dataclass(frozen=True, slots=True)
class _Undone:
    """One table of the run that is taken back; aliases in SQL: ``p`` planned, ``b`` before, ``l`` live."""

    table: Table
    plan: str  # schema of the undone run's plan
    is_import: bool
    keys: tuple[Reference, ...] = ()  # its references that the database itself guards

    @property
    def after(self) -> str:
        return quote(self.plan, self.table.name)

    @property
    def before(self) -> str:
        return quote(self.plan, f"{self.table.name}_before")

    @property
    def live(self) -> str:
        return quote("public", self.table.name)

    @property
    def row(self) -> str:
        """SQL of a row's key as one text."""
        return f"concat_ws(', ', {', '.join(f'p.{quote(name)}' for name in self.table.key)})"

    @property
    def columns(self) -> str:
        return ", ".join(quote(name) for name in self.table.column_names)

    def stands(self, column: str) -> str:
        """SQL: whether the value of before still points at something, where the database would refuse it otherwise."""
        return standing(self.keys, column)

    def of(self, alias: str, values: Mapping[str, str] | None = None) -> str:
        """The columns of an image, some of them with other *values*."""
        return ", ".join((values or {}).get(name, f"{alias}.{quote(name)}") for name in self.table.column_names)


def standing(keys: Iterable[Reference], column: str, image: str = "b") -> str:
    """SQL: whether a column of an image may be written again: it is NULL, or what it points at is live."""
    value = f"{image}.{quote(column)}"
    return (
        " and ".join(
            f"({value} is null or exists (select from {quote('public', each.target)} as x"
            f" where x.{quote(each.target_column)} = {value}))"
            for each in keys
            if each.column == column
        )
        or "true"
    )


def leagues_of(connection: sa.Connection, operation: Mapping[str, Any]) -> list[str]:
    """Keys of the leagues that the undone run published.

    Raises:
        UsageError: there is no such run, it has published nothing, or it follows what a guarded command did itself.
    """
    run_id = operation["run"]
    rows = connection.execute(
        sa.text("select league, published_at from etl.run_leagues where run_id = :run order by league"), {"run": run_id}
    ).all()
    if not rows:
        raise UsageError(f"there is no run {run_id!r}; nothing was planned\nhint: `rally-etl runs` lists them")
    if not (published := [row.league for row in rows if row.published_at]):
        raise UsageError(f"run {run_id} has published nothing; nothing was planned\nhint: there is nothing to undo")
    guarded = sa.text("select command from etl.guards where run_id = :run and method = 'direct'")
    if command := connection.scalar(guarded, {"run": run_id}):
        raise UsageError(
            f"run {run_id} gave users' rows the ids that a command had issued, whose own rows are no plan: {command};"
            " nothing was planned\nhint: guard the command that brings the rows back, or restore a backup"
        )
    return published


def plan_undo(
    connection: sa.Connection,
    catalog: dict[str, Table],
    settings: Settings,
    run_id: str,
    operation: Mapping[str, Any],
    keys: list[str],
) -> tuple[dict[str, Table], Counter[tuple[str, str, str]]]:
    """Plan the way back; the plan's schema comes first in ``search_path``.

    A column that still is as published returns to what it was, ``updated_at`` too; one that was changed since stays and
    is listed, and so does one that pointed at nothing where a foreign key forbids that. Deleted rows come back under
    their ids. What an import made is switched off, or deleted where nothing refers to it; leagues, clubs and series
    that it made stay.

    Returns:
        the user tables that the run had re-pointed; and (table, reason, row) -> 1 for what stays as it is.

    Raises:
        UsageError: the plan is no longer kept, or a later run has changed the same rows.
    """
    undone = operation["run"]
    planned = read_planned(connection, undone)
    if not planned:
        raise UsageError(
            f"the plan of run {undone} is no longer kept, so its rows are not known; nothing was planned\n"
            "hint: import the scrape before it again"
        )
    is_import = connection.scalar(
        sa.text("select operation is null from etl.runs where run_id = :run"), {"run": undone}
    )
    references = find_references(
        connection, read_reference_params(settings.params_dir / "references.yaml"), with_imported=True
    )
    later = _later_runs(connection, undone)
    touched: dict[str, Table] = {}
    held: Counter[tuple[str, str, str]] = Counter()
    for name, table in planned.items():
        part = _Undone(
            table,
            schemas(undone)[0],
            is_import,
            tuple(each for each in references if each.table == name and each.is_hard),
        )
        if not connection.scalar(sa.text(f"select exists (select from {part.after})")):
            continue
        _check_columns(connection, part, undone)
        if name not in catalog:
            touched |= {name: table}
            add_tables(connection, run_id, {name: table})
        binds = {"leagues": leagues_of(connection, operation), "keys": keys}
        kept = {
            "changed since": _changed_since(connection, part, binds),
            "it pointed at nothing": _lost_before(connection, part, binds),
            **_plan_inserted(connection, part, binds, [each for each in references if each.target == name]),
        }
        _refuse_overtaken(connection, part, undone, kept["changed since"], later)
        _plan_returns(connection, part, binds)
        _plan_deleted(connection, part, binds)
        for reason, rows in kept.items():
            held.update({(name, reason, f"{row}: {what}"): 1 for row, what in list(rows.items())[:LISTED_ROWS]})
    connection.execute(_CONSTRAINTS, {"run": run_id, "undone": undone})
    return touched, held


_CONSTRAINTS = sa.text(
    """
    insert into etl.constraint_changes (run_id, number, table_name, name, action, definition)
    select :run, row_number() over (order by number desc), table_name, name,
           case action when 'add' then 'drop' else 'add' end, definition
    from etl.constraint_changes
    where run_id = :undone and action <> 'validate' and done_at is not null and undone_at is null
    """
)
"""What the undone run has added is dropped, before rows come back; what it has dropped is made again, after them."""


def _check_columns(connection: sa.Connection, part: _Undone, undone: str) -> None:
    found = connection.execute(sa.text(f"select * from {part.before} limit 0")).keys()
    if set(found) != set(part.table.column_names):
        raise UsageError(
            f"the columns of {part.table.name} have changed since run {undone}; nothing was planned\n"
            "hint: import the scrape before it again"
        )


def _changed_columns(connection: sa.Connection, part: _Undone) -> list[str]:
    """Columns that the run wrote in some row."""
    names = [name for name in part.table.column_names if name not in part.table.key]
    if not names:
        return []
    flags = ", ".join(f"bool_or(p.{quote(name)} is distinct from b.{quote(name)})" for name in names)
    row = connection.execute(
        sa.text(f"select {flags} from {part.after} as p join {part.before} as b on {part.table.same('b', 'p')}")
    ).one()
    return [name for name, is_changed in zip(names, row, strict=True) if is_changed]


_DUE = "p._leagues && cast(:leagues as text[])"


def _changed_since(connection: sa.Connection, part: _Undone, binds: dict[str, Any]) -> dict[str, str]:
    """Key of a row -> what somebody changed after the run, of what the run itself had written."""
    same, names = part.table.same("l", "p"), part.table.column_names
    moved = ", ".join(
        f"case when (p._op = 'insert' or p.{quote(name)} is distinct from b.{quote(name)})"
        f" and l.{quote(name)} is distinct from p.{quote(name)} then '{name}' end"
        for name in names
        if name not in (*part.table.key, TOUCHED)
    )
    is_live = f"l.{quote(part.table.key[0])} is not null"
    rows = connection.execute(
        sa.text(
            f"select row_key, columns from ("
            f" select {part.row} as row_key, case when p._op = 'delete' then array['it is there again']"
            f"  when not {is_live} then array['it is gone']"
            f"  else array_remove(array[{moved or 'null'}], null) end as columns, p._op, {is_live} as is_live"
            f" from {part.after} as p left join {part.before} as b on {part.table.same('b', 'p')}"
            f" left join {part.live} as l on {same} where {_DUE}"
            f") as compared where case when _op = 'delete' then is_live else cardinality(columns) > 0 end"
            " order by row_key"
        ),
        binds,
    )
    return {row.row_key: ", ".join(row.columns) for row in rows}


def _refuse_overtaken(
    connection: sa.Connection, part: _Undone, undone: str, changed: Mapping[str, str], later: Iterable[str]
) -> None:
    """Rows that a later run has written are that run's: it is taken back first."""
    if not changed:
        return
    for other in later:
        if part.table.name not in read_planned(connection, other):
            continue
        row = connection.execute(
            sa.text(
                f"select {part.row} as row_key from {quote(schemas(other)[0], part.table.name)} as p"
                f" where {part.row} = any(:rows) order by 1 limit 1"
            ),
            {"rows": list(changed)},
        ).first()
        if row:
            raise UsageError(
                f"run {other} has changed {part.table.name} {row.row_key} ({changed[row.row_key]}) after run {undone};"
                f" nothing was planned\nhint: undo {other} first"
            )


def _later_runs(connection: sa.Connection, undone: str) -> list[str]:
    """Runs that published after the undone one, the newest first."""
    rows = connection.scalars(
        sa.text(
            "select run_id from etl.run_leagues where run_id <> :run and published_at >"
            " (select max(published_at) from etl.run_leagues where run_id = :run)"
            " group by run_id order by max(published_at) desc"
        ),
        {"run": undone},
    )
    return list(rows)


def _plan_returns(connection: sa.Connection, part: _Undone, binds: dict[str, Any]) -> None:
    """Plan what was updated or switched off, back to what it was."""
    changed = _changed_columns(connection, part)
    if not changed:
        return
    returns = {
        name: "p.{0} is distinct from b.{0} and l.{0} is not distinct from p.{0}".format(quote(name))
        + f" and {part.stands(name)}"
        for name in changed
    }
    values = {
        name: f"case when {condition} then b.{quote(name)} else l.{quote(name)} end"
        for name, condition in returns.items()
    }
    off = f"l.is_active is not false and {values['is_active']} is false" if "is_active" in values else "false"
    connection.execute(
        sa.text(
            f"insert into {quote(part.table.name)} ({part.columns}, _op, _leagues)"
            f" select {part.of('l', values)}, case when {off} then 'deactivate' else 'update' end,"
            f" cast(:keys as text[]) from {part.after} as p join {part.before} as b on {part.table.same('b', 'p')}"
            f" join {part.live} as l on {part.table.same('l', 'p')}"
            f" where p._op in ('update', 'deactivate') and {_DUE} and ({' or '.join(returns.values())})"
        ),
        binds,
    )


def _lost_before(connection: sa.Connection, part: _Undone, binds: dict[str, Any]) -> dict[str, str]:
    """Key of a row -> columns that pointed at nothing before the run mended them, and cannot be written so again."""
    lost = [
        f"case when p.{name} is distinct from b.{name} and not ({part.stands(each.column)}) then '{each.column}' end"
        for each in part.keys
        if (name := quote(each.column))
    ]
    if not lost:
        return {}
    rows = connection.execute(
        sa.text(
            f"select row_key, columns from (select {part.row} as row_key, array_remove(array[{', '.join(lost)}], null)"
            f" as columns from {part.after} as p join {part.before} as b on {part.table.same('b', 'p')}"
            f" where p._op in ('update', 'deactivate') and {_DUE}) as compared where cardinality(columns) > 0"
            " order by row_key"
        ),
        binds,
    )
    return {row.row_key: ", ".join(dict.fromkeys(row.columns)) for row in rows}


def _plan_deleted(connection: sa.Connection, part: _Undone, binds: dict[str, Any]) -> None:
    """Plan what was deleted, under the ids it had."""
    connection.execute(
        sa.text(
            f"insert into {quote(part.table.name)} ({part.columns}, _op, _leagues)"
            f" select {part.of('b')}, 'insert', cast(:keys as text[])"
            f" from {part.after} as p join {part.before} as b on {part.table.same('b', 'p')}"
            f" where p._op = 'delete' and {_DUE}"
            f" and not exists (select from {part.live} as l where {part.table.same('l', 'p')})"
        ),
        binds,
    )


def _plan_inserted(
    connection: sa.Connection, part: _Undone, binds: dict[str, Any], references: list[Reference]
) -> dict[str, dict[str, str]]:
    """Plan what the run made: switched off, or deleted where nobody refers to it; answer what stays and why."""
    table = part.table
    new = f"from {part.after} as p join {part.live} as l on {table.same('l', 'p')} where p._op = 'insert' and {_DUE}"
    if table.name in IMPORTED and table.has("is_active"):
        values = {"is_active": "false"} | ({TOUCHED: "now()"} if table.has(TOUCHED) else {})
        connection.execute(
            sa.text(
                f"insert into {quote(table.name)} ({part.columns}, _op, _leagues)"
                f" select {part.of('l', values)}, 'deactivate', cast(:keys as text[]) {new}"
                " and l.is_active is not false"
            ),
            binds,
        )
        return {}
    if table.name in KEPT_ENTITIES:
        rows = connection.execute(sa.text(f"select {part.row} as row_key {new} order by 1"), binds)
        return {"made by the run": {row.row_key: "it keeps its id" for row in rows}}
    used = [
        f"exists (select from {quote('public', each.table)} as x"
        f" where cast(x.{quote(each.column)} as text) = cast(l.{quote(each.target_column)} as text))"
        for each in references
    ]
    # a row that was changed since is listed as such and stays
    as_published = f"row({part.of('l')}) is not distinct from row({part.of('p')})"
    free = f"{as_published} and not ({' or '.join(used) or 'false'})"
    connection.execute(
        sa.text(
            f"insert into {quote(table.name)} ({part.columns}, _op, _leagues)"
            f" select {part.of('l')}, 'delete', cast(:keys as text[]) {new} and {free}"
        ),
        binds,
    )
    if not used:
        return {}
    rows = connection.execute(
        sa.text(f"select {part.row} as row_key {new} and ({' or '.join(used)}) order by 1"), binds
    )
    return {"referred to": {row.row_key: "something points at it" for row in rows}}
