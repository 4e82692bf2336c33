"""The operation `sequences`: sequences that lag behind go on from where ids mean nothing yet; no row changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.database.references import read_reference_params
from rally_etl.planning.operations import REHEARSAL, Kind, Planned
from rally_etl.protection.sequences import Behind, find_behind

if TYPE_CHECKING:
    from rally_etl.database.catalog import Table
    from rally_etl.settings import Settings

WORTH = "sequence"
"""``etl.repairs.kind`` of a sequence: `row_key` is its name, `was` its next id, `becomes` the largest that is taken."""

LARGEST_STEP = 1_000_000
"""Ids that one repair may leave out. A row that points at id 2147483647 is no reason to give no id any more."""

_WRITE = sa.text(
    "insert into etl.repairs (run_id, number, kind, action, table_name, row_key, was, becomes, strategy, confidence,"
    " evidence, state) select :run, r.number, :kind, 'update', r.table_name, r.row_key, r.was, r.becomes,"
    " 'ids are given once', 1.0, r.evidence, 'planned' from jsonb_to_recordset(cast(:rows as jsonb))"
    " as r(number integer, table_name text, row_key text, was text, becomes text, evidence text)"
)
_RAISE = sa.text(
    "select setval(cast(row_key as regclass), cast(becomes as bigint)) from etl.repairs where run_id = :run"
    " and kind = :kind and coalesce(pg_sequence_last_value(cast(row_key as regclass)), 0) < cast(becomes as bigint)"
)


def is_certain(behind: Behind) -> bool:
    """Whether a program may raise it: what is taken is not far beyond what was given."""
    return behind.most - behind.upcoming < LARGEST_STEP


def plan_raising(
    connection: sa.Connection,
    catalog: dict[str, Table],
    settings: Settings,
    run_id: str,
    operation: Mapping[str, Any],
    keys: list[str],
) -> Planned:
    """Write down which sequences are raised; the plan has no rows.

    What was given stays given: an undo of the run leaves the sequences where they are.
    """
    params = read_reference_params(settings.params_dir / "references.yaml")
    found = [each for each in find_behind(connection, params) if is_certain(each)]
    if run_id != REHEARSAL and found:
        rows = [
            {"number": number, "table_name": each.table, "row_key": each.sequence, "was": str(each.upcoming)}
            | {"becomes": str(each.most), "evidence": each.told}
            for number, each in enumerate(found, start=1)
        ]
        connection.execute(_WRITE, {"run": run_id, "kind": WORTH, "rows": json.dumps(rows)})
    return Planned()


def raise_planned(connection: sa.Connection, run_id: str) -> None:
    """Raise what the run has planned, within its publish; a sequence that is beyond it by now stays.

    A sequence does not go back with its transaction, which is no harm: the ids it leaves out are never given.
    """
    connection.execute(_RAISE, {"run": run_id, "kind": WORTH})


def _told(_operation: Mapping[str, Any]) -> str:
    return "raise sequences"


KIND = Kind(_told, lambda _connection, _leagues, _operation: [], plan_raising, makes_rows=False)
"""It concerns every league of the database."""
