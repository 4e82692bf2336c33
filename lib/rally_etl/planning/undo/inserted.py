"""What a run inserted goes again where nothing that stays refers to it; the rest stays, switched off, and is listed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote
from rally_etl.database.references import ReferenceParams
from rally_etl.errors import UsageError
from rally_etl.planning.compare import TOUCHED
from rally_etl.planning.undo.later import SHOWN_ROWS, Later, refuse_redirected
from rally_etl.planning.undo.pointing import Pointing
from rally_etl.planning.undo.undone import DUE, Undone, row_key

ENTITIES = ("teams", "clubs", "series", "players")

_MAKE_STAYS = """
    drop table if exists pg_temp.undo_stays;
    create temporary table undo_stays (
        table_name text not null, row_key text not null, round integer not null, by_table text not null,
        by_column text not null, why text not null, by_row text not null, by_count bigint not null
    ) on commit drop;
"""
"""Rows that the run inserted and that something refers to, one row per reference; found round by round."""

_LISTED = """
    select row_key, why, string_agg(
        case when by_count = 1 then by_table || ' ' || by_row || ' (' || by_column || ')'
             else by_table || ' ' || by_row || ' and ' || to_char(by_count - 1, 'FM999,999,990') || ' more ('
                  || by_column || ')' end, '; ' order by by_table, by_column) as what
    from (select *, min(place) over (partition by row_key) as first from (
            select *, array_position(array[{order}], why) as place from undo_stays where table_name = :table
          ) as placed) as listed
    where place = first group by 1, 2 order by 1
    """
BY_USERS, BY_OTHERS, BY_STAYING = (
    "a user's row refers to it", "another program's row refers to it", "a row that stays refers to it",
)  # fmt: skip


def plan_inserted(
    connection: sa.Connection,
    parts: Mapping[str, Undone],
    pointing: Iterable[Pointing],
    params: ReferenceParams,
    undone: str,
    later: list[Later],
) -> dict[str, dict[str, dict[str, str]]]:
    """Plan what the run inserted: deleted, or switched off where it has to stay. All that returns is planned already.

    Returns:
        table -> why a row stays -> key of the row -> what refers to it.

    Raises:
        UsageError: a row of a later run refers to one that would go; it names both.
    """
    connection.exec_driver_sql(_MAKE_STAYS)
    for part in parts.values():
        connection.execute(sa.text("analyze undo_changed"))
        untouched = (
            f"not exists (select from undo_changed as c where c.table_name = '{part.table.name}'"
            f" and c.row_key = {row_key(part.table, 'p')})"
        )
        part.plan_rows(
            connection,
            part.of("l"),
            "'delete'",
            f"{part.rows} where {DUE} and p._op = 'insert' and {part.is_live} and {untouched}",
        )
        connection.execute(sa.text(f"analyze {quote(part.table.name)}"))
    pointing = [each for each in pointing if each.has_rows]
    _find_staying(connection, parts, pointing, undone, later)
    for name in ENTITIES:
        if name in parts:
            refuse_redirected(connection, parts[name], undone)
    for part in reversed(list(parts.values())):
        if part.table.name in IMPORTED and part.table.has("is_active"):
            _switch_off(connection, part, pointing)
    return {name: _listed(connection, part.table, params) for name, part in parts.items()}


def _find_staying(
    connection: sa.Connection, parts: Mapping[str, Undone], pointing: list[Pointing], undone: str, later: list[Later]
) -> None:
    """Take out of the plan what something that stays refers to, then what these rows refer to, and so on."""
    number, newly = 1, None
    while newly is None or newly:
        found: dict[str, set[str]] = defaultdict(set)
        for each in pointing:
            name = each.reference.target
            if name not in parts or (newly is not None and each.reference.table not in newly):
                continue
            part = parts[name]
            if not connection.scalar(sa.text(f"select exists (select from {quote(name)} where _op = 'delete')")):
                continue
            rows = each.staying if newly is None else each.of_round(number - 1)
            if newly is None:
                _refuse_needed(connection, part, each, undone, later)
            why = BY_STAYING if newly is not None else BY_USERS if each.reference.is_users else BY_OTHERS
            written = connection.execute(
                sa.text(
                    "insert into undo_stays"
                    f" select '{name}', x.row_key, {number}, '{each.reference.table}', '{each.reference.column}', :why,"
                    f" min(r.row_key), count(*) from {each.going} as x join ({rows}) as r on r.value = x.value"
                    f" where {each.is_last} group by x.row_key"
                ),
                {"why": why},
            ).rowcount
            if written:
                found[name].add(each.reference.name)
        for name in found:
            connection.execute(
                sa.text(
                    f"delete from {quote(name)} as p using undo_stays as s where s.table_name = '{name}'"
                    f" and s.round = {number} and s.row_key = {row_key(parts[name].table, 'p')} and p._op = 'delete'"
                )
            )
        number, newly = number + 1, set(found)


def _refuse_needed(connection: sa.Connection, part: Undone, each: Pointing, undone: str, later: list[Later]) -> None:
    """Rows that a later run has written to refer to one that goes: that run is taken back first."""
    if each.reference.how != "id":
        return
    name = part.table.name
    pairs = f"from {each.going} as x join ({each.staying}) as r on r.value = x.value where {each.is_last}"
    if not later or not connection.scalar(sa.text(f"select exists (select {pairs})")):
        return
    for other in later:
        table = other.planned.get(each.reference.table)
        if table is None:
            continue
        wrote = other.writes(table, each.reference.column, "l")
        rows = connection.execute(
            sa.text(
                f"select x.row_key, r.row_key as by_row, count(*) over () as total {pairs} and exists ("
                f"select from {quote('public', table.name)} as l where {row_key(table, 'l')} = r.row_key and {wrote})"
                f" order by 1, 2 limit {SHOWN_ROWS}"
            ),
            {"later": list(other.leagues)},
        ).all()
        if rows:
            told = "; ".join(f"{table.name} {row.by_row} at {name} {row.row_key}" for row in rows)
            more = f" and {rows[0].total - len(rows):,} more" if rows[0].total > len(rows) else ""
            raise UsageError(
                f"rows of run {other.run_id} point at what run {undone} made: {told}{more}"
                f" ({each.reference.column}); nothing was planned\nhint: undo {other.run_id} first"
            )
    if not each.reference.is_users and (unknown := [other.run_id for other in later if not other.planned]):
        raise UsageError(
            f"{each.reference.table} points at {name} that run {undone} made, and the plan of run {unknown[0]}, which"
            " may have written that, is no longer kept; nothing was planned\n"
            "hint: import the scrape before it again"
        )


def _switch_off(connection: sa.Connection, part: Undone, pointing: Iterable[Pointing]) -> None:
    """Plan rows that have to stay as inactive ones, but for those that an active row of another program belongs to."""
    table = part.table
    values = {"is_active": "false"} | ({TOUCHED: "now()"} if table.has(TOUCHED) else {})
    used = [
        f"exists (select from ({each.active}) as r where r.value = {each.key('l')})"
        for each in pointing
        if each.reference.target == table.name and each.active
    ]
    part.plan_rows(
        connection,
        part.of("l", values),
        "'deactivate'",
        f"{part.rows} where {DUE} and p._op = 'insert' and {part.is_live} and l.is_active and p.is_active"
        f" and not exists (select from {quote(table.name)} as d where {table.same('d', 'l')})"
        f" and not ({' or '.join(used) or 'false'})",
    )


def _listed(connection: sa.Connection, table: Table, params: ReferenceParams) -> dict[str, dict[str, str]]:
    order = ", ".join("'" + why.replace("'", "''") + "'" for why in (BY_USERS, BY_OTHERS, BY_STAYING))
    rows = connection.execute(sa.text(_LISTED.format(order=order)), {"table": table.name}).all()
    named = _names(connection, table, params, [row.row_key for row in rows])
    off = set()
    if rows and table.has("is_active"):
        sql = f"select {row_key(table, 'p')} from {quote(table.name)} as p where p._op = 'deactivate'"
        off = set(connection.scalars(sa.text(sql)))
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        is_off = ", switched off" if row.row_key in off else ""
        found[row.why][f"{row.row_key}{named.get(row.row_key, '')}"] = f"{row.what}{is_off}"
    return found


def _names(connection: sa.Connection, table: Table, params: ReferenceParams, keys: list[str]) -> dict[str, Any]:
    """Key of a row -> its name in brackets."""
    columns = [quote(name) for name in params.identity.get(table.name, ()) if table.has(name)]
    if not columns or not keys:
        return {}
    rows = connection.execute(
        sa.text(
            f"select {row_key(table, 'l')} as row_key, concat_ws(' ', {', '.join(columns)}) as name"
            f" from {quote('public', table.name)} as l where {row_key(table, 'l')} = any(:keys)"
        ),
        {"keys": keys},
    )
    return {row.row_key: f" ({row.name})" for row in rows}
