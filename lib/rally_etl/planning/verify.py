"""After a publish, see over another connection that live holds what the candidate promised."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote
from rally_etl.planning.schema import planned_names, read_planned, schemas

SHOWN_ROWS = 3
SHOWN_COLUMNS = 3


def verify(
    engine: sa.Engine, run_id: str, leagues: Iterable[str], apart_from: Collection[tuple[str, str]] = ()
) -> list[str]:
    """Compare every published row with its planned image, from a connection that did not write it.

    Args:
        apart_from: (table, column) of what people may write at any moment, and the plan does not.

    Returns:
        one sentence per table that differs, with the first rows and their values; none means that what was committed
        is what was audited.
    """
    problems = []
    with engine.connect() as connection:
        keys = sorted(leagues)
        catalog = read_planned(connection, run_id)
        for name in sorted(planned_names(connection, run_id) - catalog.keys()):
            problems.append(f"{name}: the table is gone")
        for name, table in catalog.items():
            columns = [column for column in table.column_names if (name, column) not in apart_from]
            rows = connection.execute(sa.text(_differing(run_id, table, columns)), {"leagues": keys}).all()
            if rows:
                told = "; ".join(_told(row, columns) for row in rows)
                more = ", …" if rows[0].total > len(rows) else ""
                problems.append(f"{name}: {rows[0].total:,} published rows are not what the plan says ({told}{more})")
    return problems


def _differing(run_id: str, table: Table, columns: list[str]) -> str:
    """SQL of the rows that differ, the first of them with both images, and how many they are."""
    key = ", ".join(f"p.{quote(name)}" for name in table.key)
    live, planned = (", ".join(f"{alias}.{quote(column)}" for column in columns) for alias in "lp")
    is_live = f"l.{quote(table.key[0])} is not null"
    return f"""
        select concat_ws(', ', {key}) as row_key, p._op = 'delete' as is_deleted, to_jsonb(p) as planned,
               case when {is_live} then to_jsonb(l) end as live, count(*) over () as total
        from {quote(schemas(run_id)[0], table.name)} as p
        left join {quote("public", table.name)} as l on {table.same("l", "p")}
        where
            p._leagues && cast(:leagues as text[])
            and case
                when p._op = 'delete' then {is_live} else not ({is_live}) or row({live}) is distinct from row({planned})
            end
        order by {key} limit {SHOWN_ROWS}
        """


def _told(row: sa.Row, columns: list[str]) -> str:
    """`12: team_name is 'A', planned 'B'`."""
    if row.is_deleted:
        return f"{row.row_key} is there and was deleted"
    if row.live is None:
        return f"{row.row_key} is gone"
    differing = [name for name in columns if row.live.get(name) != row.planned.get(name)]
    told = [f"{name} is {row.live.get(name)!r}, planned {row.planned.get(name)!r}" for name in differing]
    return f"{row.row_key}: {', '.join(told[:SHOWN_COLUMNS])}" + (", …" if len(told) > SHOWN_COLUMNS else "")
