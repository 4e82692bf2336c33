"""Compare wanted rows with live rows: what differs becomes the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import Column, Table, quote

TOUCHED = "updated_at"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the live rows of one table should say.

    Attributes:
        sql: a query with the written columns, and ``id`` where *join* uses it; its rows are one per live row.
        values: written column -> SQL over ``w`` (wanted) and ``l`` (live, NULLs for a new row).
        join: how a wanted row finds its live row.
        new_id: SQL of a new row's id; by default the next value of the live sequence.
    """

    sql: str
    values: Mapping[str, str]
    join: str = "l.id = w.id"
    new_id: str | None = None


def plan_changes(
    connection: sa.Connection, table: Table, wanted: Wanted, league: str, binds: Mapping[str, object]
) -> None:
    """Write one row into the plan for every wanted row that is new or differs from its live row.

    The connection's ``search_path`` starts with the plan's schema. Columns that are not written keep their live value,
    and take their default in a new row; ``updated_at`` moves with a change. Columns that the live table lacks are left
    out: environments disagree (docs/databases.md).
    """
    written = {column.name: wanted.values[column.name] for column in table.columns if column.name in wanted.values}
    types = {column.name: column.type for column in table.columns}
    value = {name: f"cast({sql} as {_uncut(types[name])})" for name, sql in written.items()}
    images = ", ".join(_image(column, table, value, wanted) for column in table.columns)
    differs = "false"
    if value:
        live = ", ".join(f"l.{quote(name)}" for name in value)
        differs = f"row({live}) is distinct from row({', '.join(value.values())})"
    off = "false"
    if "is_active" in value:
        off = f"l.is_active is not false and {value['is_active']} is false"
    connection.execute(
        sa.text(
            f"""
            insert into {quote(table.name)} ({", ".join(quote(name) for name in table.column_names)}, _op, _leagues)
            select {images},
                   case when l.id is null then 'insert' when {off} then 'deactivate' else 'update' end,
                   array[cast(:league as text)]
            from ({wanted.sql}) as w
            left join {quote("public", table.name)} as l on {wanted.join}
            where l.id is null or {differs}
            """
        ),
        {"league": league, **binds},
    )


def keep_before_images(connection: sa.Connection, table: Table) -> None:
    """Store the live image of every row that the plan updates, deactivates or deletes."""
    columns = [quote(column) for column in table.column_names]
    connection.execute(
        sa.text(
            f"insert into {quote(f'{table.name}_before')} ({', '.join(columns)})"
            f" select {', '.join(f'l.{column}' for column in columns)} from {quote('public', table.name)} as l"
            f" join {quote(table.name)} as p on {table.same('p', 'l')} where p._op <> 'insert'"
        )
    )


def _image(column: Column, table: Table, value: Mapping[str, str], wanted: Wanted) -> str:
    live, default = f"l.{quote(column.name)}", column.default_sql or "null"
    if column.name == "id":
        new_id = wanted.new_id or (f"nextval('{table.sequence}')" if table.sequence else default)
        return f"case when l.id is null then {new_id} else l.id end"
    if column.name in value:
        return value[column.name]
    if column.name == TOUCHED:
        return "now()"
    return f"case when l.id is null then {default} else {live} end"


def _uncut(type_name: str) -> str:
    """The column's type without a length: a cast to varchar(n) would cut a text in silence."""
    return "text" if type_name.startswith("character varying") else type_name
