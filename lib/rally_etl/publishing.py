"""The end of a run on live: leagues published together in one transaction, then seen over other connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from rally_etl import ledger, planning
from rally_etl.checks import audit
from rally_etl.database.engine import clean_message
from rally_etl.database.references import read_reference_params
from rally_etl.errors import RallyEtlError
from rally_etl.protection import note_users, verify_users
from rally_etl.protection.constraints import ddl
from rally_etl.settings import Settings


@dataclass(slots=True)
class Outcome:
    """What happened to one league after the gate."""

    decision: str
    reasons: list[dict[str, Any]] = field(default_factory=list)
    is_published: bool = False
    failed: bool = False


def transactions(engine: sa.Engine, run_id: str, outcomes: dict[str, Outcome]) -> list[dict[str, Outcome]]:
    """Leagues that are published together: each by itself, those of an operation all at once or not at all."""
    if not ledger.require_run(engine, run_id).operation:
        return [{league: outcome} for league, outcome in outcomes.items()]
    worst = max((outcome.decision for outcome in outcomes.values()), key=ledger.DECISIONS.index)
    for league, outcome in outcomes.items():
        if outcome.decision != worst:
            others = ", ".join(key for key, other in outcomes.items() if other.decision == worst)
            message = f"{league} is published with {others} or not at all, which is {worst}"
            outcome.reasons.insert(0, no_go("leagues_go_together", "gate", message))
            outcome.decision = worst
    return [outcomes]


def publish(engine: sa.Engine, settings: Settings, run_id: str, outcomes: dict[str, Outcome]) -> None:
    """Publish leagues in one transaction and verify them over another connection; record what went wrong."""

    def check(connection: sa.Connection) -> list[str]:
        return [name for league in outcomes for name in audit(connection, settings, run_id, league)]

    found, failed = None, False
    try:
        params = read_reference_params(settings.params_dir / "references.yaml")
        planning.publish(
            engine,
            run_id,
            outcomes,
            check,
            first=lambda connection: ddl.drop_planned(connection, run_id),
            last=lambda connection: note_users(connection, params, run_id),
        )
    except RallyEtlError as error:
        found = no_go("plan_still_holds", "publish", " ".join(str(error).splitlines()))
    except sa.exc.DBAPIError as error:
        message = f"the database stopped the publish: {clean_message(error)}; nothing was written. Run the scrape again"
        found, failed = no_go("database_answers", "publish", message), True
    for outcome in outcomes.values() if found else ():
        outcome.decision, outcome.failed = "NO-GO", failed
        outcome.reasons.insert(0, found)
    if not found:
        _verify(engine, settings, run_id, outcomes)
        if problems := ddl.add_planned(engine, run_id):
            message = (
                f"{'; '.join(problems)}. Its rows are published; `rally-etl constraints` says what is still missing"
            )
            for outcome in outcomes.values():
                outcome.failed = True
                outcome.reasons.insert(0, no_go("constraints_stand", "publish", message))


def _verify(engine: sa.Engine, settings: Settings, run_id: str, outcomes: dict[str, Outcome]) -> None:
    """See over other connections that live is as planned and that what users wrote still means the same."""
    for outcome in outcomes.values():
        outcome.is_published = True
    try:
        problems = {
            "live_equals_candidate": planning.verify(engine, run_id, outcomes),
            "users_keep_their_rows": verify_users(engine, settings, run_id),
        }
    except sa.exc.DBAPIError as error:
        problems = {"live_equals_candidate": [f"what was published could not be read again: {clean_message(error)}"]}
    for league, outcome in outcomes.items():
        for rule, found in problems.items():
            if found:
                message = f"{'; '.join(found)}. Another program wrote at the same time: check these tables now"
                outcome.failed = True
                outcome.reasons.insert(0, no_go(rule, "verify", message))
        if not outcome.failed:
            ledger.set_state(engine, run_id, league, "verified")


def no_go(rule: str, stage: str, message: str) -> dict[str, Any]:
    """A reason for NO-GO that no rule of the gate has measured."""
    return {"rule": rule, "stage": stage, "severity": "error", "observed": None, "threshold": None, "message": message}
