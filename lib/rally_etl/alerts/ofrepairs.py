"""What automatic repairs have to say: what they mended, without names; over when the problem is not found any more."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from rally_etl.alerts.findings import Finding, note
from rally_etl.protection.automatic.problems import PROBLEMS

SOURCE = "repairs"
"""First part of the causes of automatic repairs; the problem is the second. Those by hand are `repair`."""


def source_of(operation: Mapping[str, Any] | None) -> str:
    """What the causes of a run's findings begin with: those of one source are judged together."""
    if operation is None:
        return "import"
    return f"{SOURCE}/{operation['problem']}" if "problem" in operation else "repair"


def mended_finding(run_id: str, operation: Mapping[str, Any] | None, league: str) -> Finding | None:
    """That an automatic repair is live; None of any other run."""
    name = (operation or {}).get("problem")
    if operation is None or name is None:
        return None
    allowed = "after an approval" if operation["needs_approval"] else "without asking, as params/repairs.yaml allows"
    whom = "rows of users are written, which an undo brings back" if PROBLEMS[name].is_users else "no row of a user"
    return Finding(
        cause=f"{SOURCE}/{name}/mended",
        league=league,
        severity="info",
        what=f"mended {allowed}: {PROBLEMS[name].told}",
        whom=whom,
        todo=f"`rally-etl show {run_id}` tells which; what `rally-etl undo {run_id}` takes back is not done again",
        stage="publish",
    )


def note_over(connection: sa.Connection, problems: Collection[str]) -> None:
    """Resolve what stands open of problems that are not found any more, or that nobody mends."""
    rows = connection.execute(
        sa.text(
            "select distinct l.league from etl.incident_leagues as l join etl.incidents as i on i.number = l.incident"
            " where i.state <> 'resolved' and starts_with(i.cause, :source)"
        ),
        {"source": f"{SOURCE}/"},
    )
    note(connection, [], {row.league: [f"{SOURCE}/{name}/" for name in problems] for row in rows})
