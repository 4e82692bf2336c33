"""What a transaction has written: the server's own counters, which see what triggers and foreign keys write, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.errors import PlanIsStale
from rally_etl.measures import counted

# Counters of the session, which may still hold what its transactions before this one wrote: two readings tell one.
# A table that is emptied by TRUNCATE, or rewritten, gets another file.
_COUNTERS = sa.text(
    """
    select cast(coalesce(pg_partition_root(c.oid), c.oid) as regclass)::oid as id,
           min((select r.relname from pg_class as r where r.oid = coalesce(pg_partition_root(c.oid), c.oid))) as name,
           cast(sum(s.n_tup_ins) as bigint) as inserted, cast(sum(s.n_tup_upd) as bigint) as updated,
           cast(sum(s.n_tup_del) as bigint) as deleted,
           string_agg(cast(pg_relation_filenode(c.oid) as text), ' ' order by c.oid) as files
    from pg_class as c join pg_stat_xact_user_tables as s on s.relid = c.oid
    where c.relnamespace = to_regnamespace('public')
    group by 1
    """
)
_OPERATIONS = ("inserted", "updated", "deleted")
_VERBS = {"inserted": "insert", "updated": "change", "deleted": "delete"}


@dataclass(frozen=True, slots=True)
class Counters:
    """Rows written per table of schema public, by operation, and the table's files."""

    rows: dict[str, dict[str, int]]
    files: dict[str, str]


def read_counters(connection: sa.Connection) -> Counters:
    """The counters as they stand now.

    Raises:
        PlanIsStale: the server does not count.
    """
    if connection.scalar(sa.text("show track_counts")) != "on":
        raise PlanIsStale(
            "the server does not count what a transaction writes (track_counts is off), so nobody could say that only"
            " planned rows change; nothing was written\nhint: set track_counts = on, then run the scrape again"
        )
    found = connection.execute(_COUNTERS).all()
    return Counters(
        {row.name: {name: getattr(row, name) for name in _OPERATIONS} for row in found},
        {row.name: row.files for row in found},
    )


def check_nothing_else(connection: sa.Connection, before: Counters, planned: Mapping[str, Mapping[str, int]]) -> None:
    """See that since *before* the transaction has written the planned rows and no other row of schema public.

    What is deferred to the commit is done now, so that it is seen.

    Args:
        planned: `inserted`, `updated`, `deleted` -> table -> rows.

    Raises:
        PlanIsStale: a trigger or a foreign key writes rows; it names the tables.
    """
    connection.execute(sa.text("set constraints all immediate"))
    after = read_counters(connection)
    others = [
        text
        for name in sorted(after.rows)
        if (text := _others(name, before.rows.get(name, {}), after.rows[name], planned))
    ]
    others += [
        f"empty or rewrite {name}" for name, files in sorted(before.files.items()) if after.files.get(name) != files
    ]
    if others:
        raise PlanIsStale(
            f"a trigger or a foreign key would {', '.join(others)}; nothing was written\n"
            "hint: psql's \\d shows the triggers and foreign keys of the tables that the plan changes; switch off what"
            " writes rows of its own, then run the scrape again"
        )


def _others(
    name: str, before: Mapping[str, int], after: Mapping[str, int], planned: Mapping[str, Mapping[str, int]]
) -> str:
    """What was written to one table beyond the plan, in words; "" where nothing was."""
    beyond = {each: after[each] - before.get(each, 0) - planned[each].get(name, 0) for each in _OPERATIONS}
    parts = [
        f"{_VERBS[each]} {counted(count, 'row')}" if count > 0 else f"{_VERBS[each]} {-count:,} rows fewer than planned"
        for each, count in beyond.items()
        if count
    ]
    return f"{' and '.join(parts)} of {name}" if parts else ""
