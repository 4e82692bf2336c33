"""What a merge leaves double: imported rows that say the same are folded, rows of users never are."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote
from rally_etl.planning.sql import read

_SAME = {
    "club_leagues": ("league_id", "club_id"),
    "series_leagues": ("league_id", "series_id"),
    "schedule": ("match_date", "home_team_id", "away_team_id", "league_id"),
    "player_history": ("player_id", "date", "series", "end_pti"),
}
"""Columns that make two rows of an imported table one."""

_COMPARED = {"schedule": "home_team_id is not null and away_team_id is not null"}  # not the practice rows of users

_UNIQUE = sa.text(
    """
    select i.relname as name, x.indnullsnotdistinct as nulls_are_equal,
           pg_get_expr(x.indpred, x.indrelid) as predicate,
           array(select a.attname from unnest(x.indkey) with ordinality as k(attnum, position)
                 join pg_attribute as a on a.attrelid = x.indrelid and a.attnum = k.attnum
                 order by k.position)::text[] as columns
    from pg_index as x
    join pg_class as i on i.oid = x.indexrelid
    where x.indisunique and x.indisvalid and x.indexprs is null and x.indrelid = cast(:table as regclass)
    order by i.relname
    """
)
SHOWN_ROWS = 20


def unique_keys(connection: sa.Connection, table: str) -> list[sa.Row]:
    """The unique keys of a live table: ``columns``, ``predicate`` of a partial one, ``nulls_are_equal``."""
    return list(connection.execute(_UNIQUE, {"table": quote("public", table)}))


def fold(connection: sa.Connection, catalog: Mapping[str, Table]) -> None:
    """Plan the deletion of imported rows that would say what another row says: pairs, meetings, points, standings.

    The plan's schema comes first in ``search_path``; every row keeps its image there.
    """
    for name, columns in _SAME.items():
        if name in catalog:
            sql = read("rows_said_twice").format(
                table=quote(name),
                live=quote("public", name),
                columns=", ".join(quote(column) for column in columns),
                first=quote(columns[0]),
                rows=_COMPARED.get(name, "true"),
            )
            delete(connection, catalog[name], list(connection.scalars(sa.text(sql))))
    delete(connection, catalog["series_stats"], list(connection.scalars(sa.text(read("standings_said_twice")))))


def delete(connection: sa.Connection, table: Table, ids: list[int]) -> None:
    """Plan the deletion of live rows, instead of what was planned for them."""
    if not ids:
        return
    leagues = connection.scalar(sa.text(f"select _leagues from {quote(table.name)} limit 1"))
    columns = ", ".join(quote(name) for name in table.column_names)
    connection.execute(sa.text(f"delete from {quote(table.name)} where id = any(:ids)"), {"ids": ids})
    connection.execute(
        sa.text(
            f"insert into {quote(table.name)} ({columns}, _op, _leagues)"
            f" select {columns}, 'delete', cast(:leagues as text[]) from {quote('public', table.name)}"
            " where id = any(:ids)"
        ),
        {"ids": ids, "leagues": leagues},
    )


def collisions(connection: sa.Connection, catalog: Mapping[str, Table], dropped: Collection[str] = ()) -> list[str]:
    """Rows that a unique key could not hold beside one another, in sentences; users' rows first.

    Args:
        dropped: names of keys that the run takes away.
    """
    found = []
    for name, table in sorted(catalog.items(), key=lambda each: each[0] in IMPORTED):
        if connection.scalar(sa.text(f"select exists (select from {quote(name)})")):
            for key in connection.execute(_UNIQUE, {"table": quote("public", name)}):
                found += [] if key.name in dropped else _colliding(connection, table, key)
    return found


def _colliding(connection: sa.Connection, table: Table, key: sa.Row) -> list[str]:
    columns = ", ".join(quote(column) for column in key.columns)
    conditions = [f"({key.predicate})"] if key.predicate else []
    if not key.nulls_are_equal:
        conditions += [f"{quote(column)} is not null" for column in key.columns]
    where = " and ".join(conditions) or "true"
    row = f"concat_ws(', ', {', '.join(quote(column) for column in table.key)})"
    rows = connection.execute(
        sa.text(
            f"select array_agg(row_key order by row_key) as rows, {columns} from ("
            f" select {row} as row_key, {columns}, true as is_planned from {quote(table.name)}"
            f" where _op <> 'delete' and {where}"
            f" union all select {row}, {columns}, false from {quote('public', table.name)} as l where {where}"
            f" and ({columns}) in (select {columns} from {quote(table.name)} where _op <> 'delete')"
            f" and not exists (select from {quote(table.name)} as p where {table.same('p', 'l')} and p._op <> 'insert')"
            f") as candidate group by {columns} having count(*) > 1 and bool_or(is_planned) limit {SHOWN_ROWS}"
        )
    )
    return [
        f"{table.name} {' and '.join(row.rows)}: both would be "
        + ", ".join(f"{column} {value}" for column, value in zip(key.columns, row[1:], strict=True))
        for row in rows
    ]
