"""What has happened to each league after the gate, and how a run is closed with it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from rally_etl import alerts, ledger, logs, planning
from rally_etl.errors import RallyEtlError
from rally_etl.settings import Settings

EXIT_CODES = {"GO": 0, "HOLD": 4, "NO-GO": 3}


@dataclass(slots=True)
class Outcome:
    """What happened to one league after the gate.

    Attributes:
        is_published: its rows are live; not any more, if they were taken back.
        failed: the run could not do what was decided, or live is not what it should be: exit code 1.
        taken_back_by: what has taken its rows back after they were published; "" where nothing has.
    """

    decision: str
    reasons: list[dict[str, Any]] = field(default_factory=list)
    is_published: bool = False
    failed: bool = False
    taken_back_by: str = ""

    def told(self, dry_run: bool = False) -> str:
        """`GO, published`."""
        done = "published" if self.is_published else "dry run, not published" if dry_run else "not published"
        return f"{self.decision}, {f'published and taken back by {self.taken_back_by}' if self.taken_back_by else done}"


def no_go(rule: str, stage: str, message: str, severity: str = "error") -> dict[str, Any]:
    """A reason that no rule of the gate has measured, for NO-GO unless another severity says otherwise."""
    return {"rule": rule, "stage": stage, "severity": severity, "observed": None, "threshold": None, "message": message}


def decide(engine: sa.Engine, run_id: str, outcomes: Mapping[str, Outcome], dry_run: bool) -> None:
    """Write what is decided, before anything is published: each league is audited, held or refused from then on."""
    for league, outcome in outcomes.items():
        ledger.write_outcome(engine, run_id, league, outcome.decision, outcome.reasons, dry_run=dry_run)
        rules = [reason["rule"] for reason in outcome.reasons]
        logs.event("league.decided", league=league, decision=outcome.decision, rules=rules)


def finish(
    engine: sa.Engine, settings: Settings, run_id: str, outcomes: Mapping[str, Outcome], dry_run: bool
) -> dict[str, Any]:
    """Write the outcome to the ledger and the report; answer the run's document.

    Raises:
        RallyEtlError: the report cannot be written; what has happened stands in the ledger, and the next start writes
            the report.
    """
    from rally_etl.monitoring import store_end
    from rally_etl.reporting import write_list, write_report

    for league, outcome in outcomes.items():
        ledger.write_outcome(
            engine,
            run_id,
            league,
            outcome.decision,
            outcome.reasons,
            dry_run=dry_run,
            has_failed=outcome.failed and not outcome.is_published,
        )
    failed = any(outcome.failed for outcome in outcomes.values())
    ledger.close_run(engine, run_id, 1 if failed else None, EXIT_CODES)
    store_end(engine, run_id)
    if not ledger.leagues_in_state(engine, run_id, "held"):
        with engine.begin() as connection:
            connection.execute(sa.text(f'drop schema if exists "{planning.schemas(run_id)[1]}" cascade'))
    document = ledger.run_document(engine, settings, run_id)
    _log_end(document)
    try:
        write_report(engine, settings, run_id, document)
    except OSError as error:
        with engine.begin() as connection:
            connection.execute(sa.text("update etl.runs set report = null where run_id = :run"), {"run": run_id})
        told = "; ".join(f"{league} {outcome.told(dry_run)}" for league, outcome in outcomes.items())
        raise RallyEtlError(
            f"the report of run {run_id} cannot be written ({error.strerror or error}); what it decided stands: {told}"
            f"\nhint: free space or check permissions; `rally-etl show {run_id}` tells the same, and the next start"
            " writes the report"
        ) from error
    finally:
        alerts.after_run(engine, settings, run_id)
    with suppress(OSError):  # it was written a moment ago; now it says what is open since
        write_list(engine, settings)
    return document


def _log_end(document: Mapping[str, Any]) -> None:
    began = datetime.fromisoformat(document["started_at"])
    logs.event(
        "run.ended", run=document["run_id"], decision=document["decision"], exit_code=document["exit_code"],
        seconds=(datetime.now(UTC) - began).total_seconds(), quarantined=document["quarantined"],
        leagues={league: found["state"] for league, found in document["leagues"].items()},
        outcome="failure" if document["exit_code"] == 1 else "success",
    )  # fmt: skip
