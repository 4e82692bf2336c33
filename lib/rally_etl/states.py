"""What becomes of each league of a run, step by step: `etl.state_steps` has the legal ones, each has its cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

LIVE = ("published", "verified")
"""The league's rows are in the live tables."""

UNFINISHED = ("planned", "audited", "approved")
"""A run that goes on has more to do."""

_MOVE = sa.text(
    "update etl.run_leagues set state = :state, cause = :cause"
    " where run_id = :run and league = any(:leagues) and state <> :state"
)
_ENDS = {"GO": "audited", "HOLD": "held", "NO-GO": "refused"}


def move(connection: sa.Connection, run_id: str, leagues: Iterable[str], state: str, cause: str) -> None:
    """Take leagues of a run a step on; those that stand there already stay.

    Raises:
        sqlalchemy.exc.IntegrityError: there is no such step from where a league stands.
    """
    binds = {"run": run_id, "leagues": sorted(leagues), "state": state, "cause": cause}
    connection.execute(_MOVE, binds)


def settle(
    connection: sa.Connection,
    run_id: str,
    league: str,
    decision: str,
    reasons: Iterable[Mapping[str, Any]],
    *,
    dry_run: bool = False,
    has_failed: bool = False,
) -> None:
    """Take a league that is not published to the state that its decision means.

    GO and HOLD are audited, HOLD is then held but in a dry run; NO-GO is refused, or failed where the run could not do
    what was decided. A league that is live, or has been, stays as it is.
    """
    now = connection.scalar(
        sa.text("select state from etl.run_leagues where run_id = :run and league = :league for update"),
        {"run": run_id, "league": league},
    )
    if now in (*LIVE, "undone", "failed"):
        return
    told = next((reason["message"] for reason in reasons if reason["severity"] != "warn"), "")
    because = f": {told}" if told else ""
    end = "failed" if has_failed else _ENDS[decision]
    if end == "held" and dry_run:
        end = "audited"
    if now == "planned" and end in ("audited", "held"):
        move(
            connection, run_id, [league], "audited", f"the gate decided {decision}{because if decision != 'GO' else ''}"
        )
    if end == "held":
        move(connection, run_id, [league], "held", f"it waits for an approval{because}")
    elif end in ("refused", "failed"):
        move(connection, run_id, [league], end, told or f"the decision is {decision}")


def fail_unfinished(connection: sa.Connection, run_id: str, cause: str) -> list[str]:
    """Close what a run that has ended left unfinished as failed; answer the leagues.

    Leagues that are held go on waiting; those that were published stay what they are.
    """
    leagues = in_states(connection, run_id, UNFINISHED)
    move(connection, run_id, leagues, "failed", cause)
    return leagues


def hold_approved(connection: sa.Connection, cause: str) -> list[tuple[str, str]]:
    """Let leagues wait again whose approval began and did not end, where no run is alive; answer run and league."""
    found = connection.execute(sa.text("select run_id, league from etl.run_leagues where state = 'approved'")).all()
    for row in found:
        move(connection, row.run_id, [row.league], "held", cause)
    return [(row.run_id, row.league) for row in found]


def in_states(connection: sa.Connection, run_id: str, states: Iterable[str]) -> list[str]:
    """Leagues of a run that are in one of these states."""
    sql = "select league from etl.run_leagues where run_id = :run and state = any(:states) order by league"
    return list(connection.scalars(sa.text(sql), {"run": run_id, "states": list(states)}))


def histories(connection: sa.Connection, run_id: str) -> dict[str, list[dict[str, str]]]:
    """League -> its steps in their order: state, at (UTC), cause."""
    rows = connection.execute(
        sa.text("select league, state, at, cause from etl.state_changes where run_id = :run order by number"),
        {"run": run_id},
    )
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        step = {"state": row.state, "at": row.at.isoformat(timespec="seconds"), "cause": row.cause}
        found.setdefault(row.league, []).append(step)
    return found
