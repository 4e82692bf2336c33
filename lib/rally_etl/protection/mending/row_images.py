"""Images of the rows that a repair makes, in the tables of the plan, whose schema comes first in ``search_path``."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote
from rally_etl.planning.compare import TOUCHED
from rally_etl.planning.folding import unique_keys

if TYPE_CHECKING:
    from rally_etl.protection.mending.repair import Repair


def write(connection: sa.Connection, table: Table, repairs: Iterable[Repair], keys: list[str]) -> None:
    """Plan one table's repairs; a row that several repairs change is one row.

    Args:
        keys: the leagues that the rows are published with.
    """
    repairs = list(repairs)
    _updates(connection, table, repairs, keys)
    _inserts(connection, table, [each for each in repairs if each.action == "insert"], keys)
    _switched_off(connection, table, [each for each in repairs if each.action == "deactivate"], keys)


def _updates(connection: sa.Connection, table: Table, repairs: Iterable[Repair], keys: list[str]) -> None:
    values: dict[str, dict[str, str | None]] = defaultdict(dict)
    for repair in repairs:
        if repair.action != "update":
            continue
        follows = {column: becomes for column, (_, becomes) in repair.follows.items()}
        values[repair.orphan.row] = follows | values[repair.orphan.row] | {repair.orphan.column: repair.becomes}
    if not values:
        return
    written = sorted({column for each in values.values() for column in each})
    types = {column.name: column.type for column in table.columns}
    images = {
        name: f"case when r.changes ? '{name}' then cast(r.changes ->> '{name}' as {types[name]})"
        f" else l.{quote(name)} end"
        for name in written
    }
    if table.name in IMPORTED and table.has(TOUCHED):
        images[TOUCHED] = "now()"
    columns = ", ".join(quote(name) for name in table.column_names)
    image = ", ".join(images.get(name, f"l.{quote(name)}") for name in table.column_names)
    moves = [name for name in written if name in table.key]
    moved = " or ".join(f"r.changes ? '{name}'" for name in moves) or "false"
    source = (
        f"from {quote('public', table.name)} as l join jsonb_to_recordset(cast(:rows as jsonb)) as"
        f" r(row_key text, changes jsonb) on r.row_key = {row_key(table, 'l')}"
    )
    rows = json.dumps([{"row_key": row, "changes": changes} for row, changes in values.items()])
    binds = {"rows": rows, "leagues": keys}
    connection.execute(
        sa.text(
            f"insert into {quote(table.name)} ({columns}, _op, _leagues) select {image},"
            f" case when {moved} then 'insert' else 'update' end, cast(:leagues as text[]) {source}"
        ),
        binds,
    )
    if moves:
        live = ", ".join(f"l.{quote(name)}" for name in table.column_names)
        connection.execute(
            sa.text(
                f"insert into {quote(table.name)} ({columns}, _op, _leagues)"
                f" select {live}, 'delete', cast(:leagues as text[]) {source} where {moved}"
            ),
            binds,
        )


def _inserts(connection: sa.Connection, table: Table, repairs: Iterable[Repair], keys: list[str]) -> None:
    """Rows that are gone under the key they had, missing pairs under an id of the sequence."""
    rows = [dict(each.image) for each in repairs if each.image]
    if not rows:
        return
    values = []
    for column in table.columns:
        name, default = quote(column.name), column.default_sql or "null"
        if column.name == "id" and table.sequence:
            default = f"nextval('{table.sequence}')"
        values.append(f"case when r.image ? '{column.name}' then i.{name} else {default} end")
    columns = ", ".join(quote(name) for name in table.column_names)
    connection.execute(
        sa.text(
            f"insert into {quote(table.name)} ({columns}, _op, _leagues)"
            f" select {', '.join(values)}, 'insert', cast(:leagues as text[])"
            " from jsonb_array_elements(cast(:rows as jsonb)) as r(image)"
            f" cross join lateral jsonb_populate_record(null::{quote('public', table.name)}, r.image) as i"
        ),
        {"rows": json.dumps(rows), "leagues": keys},
    )


def _switched_off(connection: sa.Connection, table: Table, repairs: Iterable[Repair], keys: list[str]) -> None:
    rows = sorted({each.orphan.row for each in repairs})
    if not rows:
        return
    values = {"is_active": "false"} | ({TOUCHED: "now()"} if table.has(TOUCHED) else {})
    columns = ", ".join(quote(name) for name in table.column_names)
    image = ", ".join(values.get(name, f"l.{quote(name)}") for name in table.column_names)
    connection.execute(
        sa.text(
            f"insert into {quote(table.name)} ({columns}, _op, _leagues) select {image}, 'deactivate',"
            f" cast(:leagues as text[]) from {quote('public', table.name)} as l"
            f" where {row_key(table, 'l')} = any(:rows)"
        ),
        {"rows": rows, "leagues": keys},
    )


def row_key(table: Table, alias: str) -> str:
    """SQL of the key of a row as one text."""
    return f"concat_ws(', ', {', '.join(f'{alias}.{quote(name)}' for name in table.key)})"


def clashing_rows(connection: sa.Connection, tables: Mapping[str, Table]) -> dict[tuple[str, str], str]:
    """Planned rows that a unique key does not let stand beside others: (table, key) -> why."""
    found: dict[tuple[str, str], str] = {}
    for name, table in tables.items():
        if not connection.scalar(sa.text(f"select exists (select from {quote(name)})")):
            continue
        for key in unique_keys(connection, name):
            for row in connection.execute(sa.text(_clashing(table, key))):
                others = ", ".join(sorted({other for other in row.others if other != row.row_key})[:3])
                found[name, row.row_key] = f"{name} {others or 'another row'} says that already"
    return found


def _clashing(table: Table, key: sa.Row) -> str:
    """SQL of planned rows that would have the same values of a unique key as another row of the candidate."""
    columns = ", ".join(quote(column) for column in key.columns)
    conditions = [f"({key.predicate})"] if key.predicate else []
    if not key.nulls_are_equal:
        conditions += [f"{quote(column)} is not null" for column in key.columns]
    where = " and ".join(conditions) or "true"
    plan, live = quote(table.name), quote("public", table.name)
    own = row_key(table, "c")
    names = ", ".join(quote(name) for name in table.column_names)
    return f"""
        select row_key, others from (
            select {own} as row_key, c.is_planned, count(*) over w as row_count, array_agg({own}) over w as others
            from (
                select {names}, true as is_planned from {plan} where _op <> 'delete' and {where}
                union all
                select {names}, false from {live} as l
                where {where} and ({columns}) in (select {columns} from {plan} where _op <> 'delete')
                  and not exists (select from {plan} as q where {table.same("q", "l")} and q._op <> 'insert')
            ) as c
            window w as (partition by {columns})
        ) as d
        where is_planned and row_count > 1
        """
