"""Rows of users in any number, on whatever live teams and players a database has, as the application writes them.

Which rows each table gets is told in `attached.py`; here they are written, a statement per table.
"""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.sample.attached import BASE, TABLES, Rows

_COLUMNS = sa.text(
    """
    select c.relname as table_name, a.attname as name,
           coalesce(pg_get_expr(d.adbin, d.adrelid),
                    format('nextval(%L)', pg_get_serial_sequence(format('public.%I', c.relname), a.attname))) as next
    from pg_attribute as a
    join pg_class as c on c.oid = a.attrelid and c.relkind in ('r', 'p')
    left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where c.relnamespace = to_regnamespace('public') and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    """
)


def attach(engine: sa.Engine, *, users_per_team: int = 3, seed: int = 1, scale: int = 1) -> dict[str, int]:
    """Give people of every active team accounts and rows of every kind, in one transaction.

    The same seed on the same live rows makes the same rows (but for the time at which they are written). Who has an
    account keeps it and gets nothing more. Tables and columns that this database does not have are left out.

    Args:
        users_per_team: players of each team who get an account; who plays in two teams has one account.
        scale: of what a person writes again and again (polls, messages, practices, availability) this many times.

    Returns:
        table -> rows written; without active teams nothing.
    """
    binds = {"users_per_team": users_per_team, "seed": seed, "scale": scale}
    with engine.begin() as connection:
        known: dict[str, dict[str, str | None]] = {}
        for row in connection.execute(_COLUMNS):
            known.setdefault(row.table_name, {})[row.name] = row.next
        for statement in BASE:
            connection.execute(sa.text(statement), binds)
        counts = {}
        for rows in TABLES:
            if rows.table in known:
                counts[rows.table] = _write(connection, rows, known[rows.table], binds)
    return {table: count for table, count in counts.items() if count}


def _write(connection: sa.Connection, rows: Rows, columns: dict[str, str | None], binds: dict[str, int]) -> int:
    """Make the rows under `made_<table>` first, with their ids, so that rows of other tables can point at them."""
    made = f"made_{rows.table}"
    named = {name: sql for name, sql in rows.columns.items() if name in columns}
    if columns.get("id") and "id" not in named:
        named = {"id": columns["id"], **named}
    values = ", ".join(f"{sql} as {quote(name)}" for name, sql in named.items())
    extra = "".join(f", {sql} as {name}" for name, sql in rows.kept.items())
    connection.execute(
        sa.text(f"create temp table {made} on commit drop as select {values}{extra} from ({rows.source}) as r"), binds
    )
    names = ", ".join(map(quote, named))
    written = connection.execute(
        sa.text(
            f"insert into {quote('public', rows.table)} ({names}) select {names} from {made} on conflict do nothing"
        )
    )
    return written.rowcount
