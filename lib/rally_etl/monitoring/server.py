"""What the server says of itself: size, connections, memory, dead rows, its slowest statement."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.database.engine import clean_message
from rally_etl.monitoring.metrics import EVERYWHERE, Metric

STATEMENTS = 5
"""So many of the slowest statements are kept."""
LEAST_CALLS = 3
"""A statement that ran less often says nothing of what users wait for."""
STATEMENT_LENGTH = 200

_DATABASE = {
    "database_size": "select pg_database_size(current_database())",
    "connections": "select count(*) from pg_stat_activity where datname = current_database()",
    "cache_hits": "select cast(blks_hit as double precision) / nullif(blks_hit + blks_read, 0)"
    " from pg_stat_database where datname = current_database()",
}
_DEAD_ROWS = sa.text(
    # of a server whose statistics begin anew only the catalogue knows how many rows there are
    "select s.relname, greatest(s.n_live_tup, c.reltuples) as live, s.n_dead_tup as dead"
    " from pg_stat_user_tables as s join pg_class as c on c.oid = s.relid"
    " where s.schemaname = 'public' and s.relname = any(:names) and greatest(s.n_live_tup, c.reltuples) > 0"
    " order by s.relname"
)
_EXTENSION = sa.text(
    "select n.nspname from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace"
    " where e.extname = 'pg_stat_statements'"
)
_SLOWEST = (
    "select query, calls, mean_exec_time from {} where calls >= :calls and query is not null"
    " and dbid = (select oid from pg_database where datname = current_database())"
    " and query ~* '^\\s*(select|with|insert|update|delete|merge)\\y' order by mean_exec_time desc limit :most"
)
_LITERAL = re.compile(r"(?i)(e?)'(?:[^'\\]|\\.|'')*(?:'|$)|\$(\w*)\$.*?(?:\$\2\$|$)", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w$.])\d[\d.]*")


def server_metrics(connection: sa.Connection) -> tuple[list[Metric], list[str]]:
    """Metrics of the database as a whole, and a sentence on each that this login may not read or that is not there.

    No failure here is one of the caller: the transaction of *connection* stays usable.
    """
    found: list[Metric] = []
    missing: list[str] = []
    for name, sql in _DATABASE.items():
        value = _asked(connection, name, missing, lambda sql=sql: connection.scalar(sa.text(sql)))
        if value is not None:
            found.append(Metric(league=EVERYWHERE, metric=name, value=float(value)))
    found += _asked(connection, "dead_rows", missing, lambda: _dead_rows(connection)) or []
    found += _asked(connection, "slowest_statement", missing, lambda: _slowest(connection, missing)) or []
    return found, missing


def normalised(statement: str) -> str:
    """A statement on one line without what stands for a value, cut; the server leaves values in some kinds of text."""
    text = " ".join(_NUMBER.sub("?", _LITERAL.sub("?", statement)).split())
    return text if len(text) <= STATEMENT_LENGTH else f"{text[: STATEMENT_LENGTH - 1]}…"


def _asked(connection: sa.Connection, name: str, missing: list[str], ask: Callable[[], Any]) -> Any:
    """What *ask* answers, None with a sentence in *missing* if it may not be known; in a savepoint of its own."""
    try:
        with connection.begin_nested():
            return ask()
    except sa.exc.DBAPIError as error:
        missing.append(f"{name} cannot be read: {clean_message(error)}")
        return None


def _dead_rows(connection: sa.Connection) -> list[Metric]:
    rows = connection.execute(_DEAD_ROWS, {"names": list(IMPORTED)}).all()
    found = [(row.relname, row.live, row.dead) for row in rows]
    found.append(("", sum(live for _, live, _ in found), sum(dead for _, _, dead in found)))
    return [
        Metric(league=EVERYWHERE, metric="dead_rows", subject=table, value=dead / (live + dead))
        for table, live, dead in found
        if live + dead
    ]


def _slowest(connection: sa.Connection, missing: list[str]) -> list[Metric]:
    schema = connection.scalar(_EXTENSION)
    if schema is None:
        return []  # most databases have no such extension: nobody wants to hear of it at each look
    sql = sa.text(_SLOWEST.format(quote(schema, "pg_stat_statements")))
    rows = connection.execute(sql, {"calls": LEAST_CALLS, "most": STATEMENTS}).all()
    if not rows:
        missing.append(f"slowest_statement is not known: this login may read no statement that ran {LEAST_CALLS} times")
        return []
    told = [f"{row.mean_exec_time:,.1f} ms in {row.calls:,} calls: {normalised(row.query)}" for row in rows]
    return [Metric(league=EVERYWHERE, metric="slowest_statement", value=rows[0].mean_exec_time, detail=told)]
