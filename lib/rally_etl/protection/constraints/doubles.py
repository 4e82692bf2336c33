"""Imported rows that stand several times: copies that say the same are deleted in a plan, others are a person's."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote
from rally_etl.protection.constraints.needed import Key
from rally_etl.protection.constraints.twins import NOT_CONTENT, PLAIN_ID, copies_of_lines

NOT_SAID = ("id", "created_at", "updated_at", "match_id")
"""Columns that do not tell two rows apart."""

ASKED_AT_MOST = 50  # per table; the rest is counted


@dataclass(frozen=True, slots=True)
class Copies:
    """Rows under one key that do not say the same: their ids (or keys) in order, and what differs by column."""

    table: str
    said: str
    ids: tuple[int | str, ...]
    differing: str
    league_id: int | None = None


def as_it_would_be(table: Table) -> str:
    """SQL of the rows of a planned table with the plan so far; its schema comes first in ``search_path``."""
    columns = ", ".join(quote(name) for name in table.column_names)
    planned = quote(table.name)
    return (
        f"(select {columns} from {quote('public', table.name)} as o"
        f" where not exists (select from {planned} as p where {table.same('p', 'o')})"
        f" union all select {columns} from {planned} where _op <> 'delete')"
    )


def plan_copies(connection: sa.Connection, table: Table, key: Key, keys: list[str]) -> list[tuple[int, int]]:
    """Plan the deletion of rows that say what an older row with the same key says; answer (deleted, kept)."""
    columns = ", ".join(quote(name) for name in key.columns)
    content = [name for name in table.column_names if name not in (*NOT_SAID, *key.columns)]
    same = " and ".join([f"d.{quote(name)} is not distinct from f.{quote(name)}" for name in content] or ["true"])
    rows = connection.execute(
        sa.text(
            f"with now as materialized (select * from {as_it_would_be(table)} as a where {_whole(key)}),"
            f" placed as (select id, min(id) over (partition by {columns}) as first_id from now)"
            " select d.id, f.id as first_id from placed as x join now as d on d.id = x.id"
            f" join now as f on f.id = x.first_id where x.id <> x.first_id and {same} order by d.id"
        )
    ).all()
    delete(connection, table, [row.id for row in rows], keys)
    return [(row.id, row.first_id) for row in rows]


def find_copies(connection: sa.Connection, table: Table, key: Key, rows_sql: str) -> tuple[int, list[Copies]]:
    """Rows that share a key: how many, and the first of them with what differs.

    Args:
        rows_sql: SQL of the rows: those of the live table, or `as_it_would_be`.
    """
    columns = ", ".join(quote(name) for name in key.columns)
    league = "a.league_id" if table.has("league_id") else "null::integer"
    row = "a.id" if table.has("id") else f"concat_ws(', ', {', '.join(f'a.{quote(name)}' for name in table.key)})"
    rows = connection.execute(
        sa.text(
            f"with now as materialized (select a.*, {row} as _row, {league} as _league from {rows_sql} as a"
            f" where {_whole(key)}),"
            f" doubled as (select {columns}, count(*) over () as things, sum(count(*)) over () as row_count,"
            f" array_agg(_row order by _row) as rows, min(_league) as league,"
            f" concat_ws(', ', {columns}) as said from now group by {columns} having count(*) > 1"
            f" order by min(_row) limit {ASKED_AT_MOST})"
            " select d.*, (select string_agg(told, '; ' order by told) from ("
            "  select format('%s: %s', j.key, string_agg(distinct coalesce(j.value #>> '{}', 'nothing'), ' or '))"
            "  as told"
            "  from now as n cross join jsonb_each(to_jsonb(n) - cast(:aside as text[])) as j"
            "  where n._row = any(d.rows) group by j.key having count(distinct j.value) > 1) as t) as differing"
            " from doubled as d"
        ),
        {"aside": [*NOT_SAID, *key.columns, "_row", "_league"]},
    ).all()
    found = [Copies(table.name, row.said, tuple(row.rows), row.differing or "nothing", row.league) for row in rows]
    return (int(rows[0].row_count) if rows else 0), found


def plan_lines(connection: sa.Connection, table: Table, keys: list[str]) -> tuple[list[tuple[int, int]], list[int]]:
    """Plan match lines under a doubled suffix: copies go, and one that stands alone gets the plain id.

    Returns:
        (deleted, kept) of the copies, and the lines whose id is mended.
    """
    columns = frozenset(table.column_names)
    sql = copies_of_lines(columns, as_it_would_be(table))
    rows = connection.execute(sa.text(f"select id, first_id, plain, is_same from ({sql}) as copies order by id")).all()
    copies = [(row.id, row.first_id) for row in rows if row.id != row.first_id and row.is_same]
    alone = [row.id for row in rows if row.id == row.first_id]
    delete(connection, table, [row for row, _ in copies], keys)
    if alone:
        names = ", ".join(quote(name) for name in table.column_names)
        images = ", ".join(
            PLAIN_ID.format("a") if name == "tenniscores_match_id" else f"a.{quote(name)}"
            for name in table.column_names
        )
        connection.execute(
            sa.text(
                "create temporary table mended_lines on commit drop as"
                f" select {images} from {as_it_would_be(table)} as a where a.id = any(:ids)"
            ),
            {"ids": alone},
        )
        connection.execute(sa.text(f"delete from {quote(table.name)} where id = any(:ids)"), {"ids": alone})
        connection.execute(
            sa.text(
                f"insert into {quote(table.name)} ({names}, _op, _leagues)"
                " select *, 'update', cast(:leagues as text[]) from mended_lines"
            ),
            {"leagues": keys},
        )
        connection.execute(sa.text("drop table mended_lines"))
    return copies, alone


def differing_lines(connection: sa.Connection, table: Table) -> list[Copies]:
    """Match lines under a doubled suffix that say something else than the line under the plain id."""
    sql = copies_of_lines(frozenset(table.column_names), as_it_would_be(table))
    rows = connection.execute(
        sa.text(
            "select c.plain, c.first_id, c.id, m.league_id, to_jsonb(m) as one, to_jsonb(f) as other"
            f" from ({sql}) as c join {as_it_would_be(table)} as m on m.id = c.id"
            f" join {as_it_would_be(table)} as f on f.id = c.first_id"
            f" where c.id <> c.first_id order by c.id limit {ASKED_AT_MOST}"
        )
    )
    found = []
    for row in rows:
        differing = sorted(
            f"{name}: {row.other[name]} or {value}"
            for name, value in row.one.items()
            if name not in NOT_CONTENT and value != row.other[name]
        )
        found.append(Copies(table.name, row.plain, (row.first_id, row.id), "; ".join(differing), row.league_id))
    return found


def delete(connection: sa.Connection, table: Table, ids: list[int], keys: list[str]) -> None:
    """Plan the deletion of live rows, instead of what was planned for them."""
    if not ids:
        return
    columns = ", ".join(quote(name) for name in table.column_names)
    connection.execute(sa.text(f"delete from {quote(table.name)} where id = any(:ids)"), {"ids": ids})
    connection.execute(
        sa.text(
            f"insert into {quote(table.name)} ({columns}, _op, _leagues) select {columns}, 'delete',"
            f" cast(:leagues as text[]) from {quote('public', table.name)} where id = any(:ids)"
        ),
        {"ids": ids, "leagues": keys},
    )


def _whole(key: Key) -> str:
    conditions = [f"a.{quote(name)} is not null" for name in key.columns]
    return " and ".join([*conditions, f"({key.rows})"] if key.rows else conditions)
