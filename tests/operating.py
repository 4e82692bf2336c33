"""Runs without a scrape as tests make them: planned, accounted for, published, without notebooks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rally_etl import planning
from rally_etl.errors import UsageError
from rally_etl.planning import operations
from rally_etl.protection import integration_measures
from rally_etl.protection.evidence import NAMES
from scrapes import Import, fingerprint

NOTHING = dict.fromkeys(NAMES, 0)


def merge(table: str, loser: int, winner: int) -> dict[str, Any]:
    """What `rally-etl merge` asks for."""
    return {
        "kind": "merge", "table": table, "from": loser, "into": winner, "by": "Ann Example", "reason": "one team",
    }  # fmt: skip


def plan(importing: Import, operation: dict[str, Any]) -> str:
    """Begin a run without a scrape and plan it."""
    run_id = f"20251002T{next(importing.numbers):06}-test"
    importing.write(
        "insert into etl.runs (run_id, source, as_of, operation)"
        " values (:run, :source, '2025-10-01', cast(:operation as jsonb))",
        run=run_id,
        source=operations.KINDS[operation["kind"]].told(operation),
        operation=json.dumps(operation),
    )
    for league in operations.leagues_of(importing.engine, importing.settings, operation, operations.KINDS):
        importing.write(
            "insert into etl.run_leagues (run_id, league) values (:run, :league)", run=run_id, league=league
        )
    planning.make_plan(importing.engine, importing.settings, run_id)
    return run_id


def do(importing: Import, operation: dict[str, Any]) -> str:
    """Plan and publish; live must equal the plan, and rows of users must be accounted for."""
    run_id = plan(importing, operation)
    assert NOTHING == measured(importing, run_id)
    importing.publish(run_id)
    return run_id


def measured(importing: Import, run_id: str) -> dict[str, int]:
    """Measures of the stage integration, without those texts that no test asks for."""
    measures = integration_measures(importing.engine, importing.settings, run_id)
    assert all(each["value"] == 0 or each["detail"] for found in measures.values() for each in found.values())
    return {name: max(found[name]["value"] for found in measures.values()) for name in NAMES}


def undo(run_id: str) -> dict[str, Any]:
    """What `rally-etl undo` asks for."""
    return {"kind": "undo", "run": run_id, "by": "Ann Example", "reason": "a mistake"}


def refused(importing: Import, operation: dict[str, Any], telling: str) -> None:
    """Planning is refused with these words and a hint."""
    before = fingerprint(importing.engine)
    with pytest.raises(UsageError, match=telling) as error:
        plan(importing, operation)
    assert "\nhint: " in str(error.value)
    assert before == fingerprint(importing.engine)
