"""What users have lost already: rows that lost what they are about, and whether a person has been asked about them."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import quote, readable_ledger
from rally_etl.database.references import find_references, read_reference_params
from rally_etl.protection.finding import find_orphans_of_users
from rally_etl.protection.orphans import Orphan
from rally_etl.settings import Settings

_LISTED = sa.text(
    """
    select distinct on (p.kind, p.table_name, p.row_key, p.column_name)
           p.kind, p.table_name, p.row_key, p.column_name, p.was, p.state
    from etl.repairs as p join etl.runs as r using (run_id)
    where p.state in ('asked', 'left') and not r.dry_run or p.state = 'planned' and p.run_id = :run
    order by p.kind, p.table_name, p.row_key, p.column_name, r.started_at desc
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrphans:
    """Orphans of users' rows in live; those that a person said to leave are none any more.

    Attributes:
        new: no run of `rally-etl orphans` has asked about them; one that looks otherwise than when it was asked is new.
        asked: a question waits for an answer.
    """

    new: list[Orphan]
    asked: list[Orphan]


def read_open_orphans(connection: sa.Connection, settings: Settings, run_id: str = "") -> OpenOrphans:
    """Look for them; those that the plan of *run_id* mends are left out.

    Raises:
        UsageError: params that cannot be read.
    """
    listed = {}
    if {"repairs", "runs"} <= readable_ledger(connection):
        listed = {
            (row.kind, row.table_name, row.row_key, row.column_name, row.was): row.state
            for row in connection.execute(_LISTED, {"run": run_id})
        }
    found: dict[str, list[Orphan]] = {"new": [], "asked": [], "left": [], "planned": []}
    for each in find_orphans_of_users(connection, settings):
        found[listed.get((each.kind, each.table, each.row, each.column, each.was), "new")].append(each)
    return OpenOrphans(new=found["new"], asked=found["asked"])


def count_user_rows(connection: sa.Connection, settings: Settings) -> int:
    """Rows of users that point at something imported; a row counts once, however many references it has.

    Raises:
        UsageError: params that cannot be read.
    """
    params = read_reference_params(settings.params_dir / "references.yaml")
    rows = {each.table: each.rows for each in find_references(connection, params) if each.is_users and not each.is_past}
    counts = [
        f"select count(*) as row_count from {quote('public', table)}{f' where {condition}' if condition else ''}"
        for table, condition in sorted(rows.items())
    ]
    if not counts:
        return 0
    return int(connection.scalar(sa.text(f"select sum(row_count) from ({' union all '.join(counts)}) as c")))
