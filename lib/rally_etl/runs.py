"""One run from its start to its report: notebooks, decision, publish per league, verification."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rally_etl import gate, ledger, logs, naming, pipeline, recovery, scraps
from rally_etl.database.engine import connect
from rally_etl.database.locks import run_lock
from rally_etl.database.schema import init
from rally_etl.errors import EvidenceMissing, UsageError
from rally_etl.inputs import note_inputs
from rally_etl.leftovers import tidy
from rally_etl.operations import KINDS
from rally_etl.outcomes import Outcome, decide, finish, no_go
from rally_etl.planning import operations
from rally_etl.protection import check_params
from rally_etl.publishing import publish, transactions
from rally_etl.settings import Settings
from rally_etl.sources import read_scrape

Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an operator asked for; *as_of* is the day on which the data is judged."""

    source: Path
    leagues: tuple[str, ...] = ()
    as_of: date
    dry_run: bool = False
    wait_s: float = 0


def run(settings: Settings, order: Order, tell: Tell = lambda label, text: None) -> dict[str, Any]:
    """Run the whole sequence on a scrape folder and publish the leagues whose decision is GO.

    Args:
        tell: called with a label and a sentence as the run goes on.

    Returns:
        the document of ``run --json`` (README, *One run as JSON*); its ``exit_code`` is the command's.

    Raises:
        UsageError: the folder cannot be read as a scrape.
        RunLocked: another run works on this database.
    """
    check_params(settings.params_dir)
    scrape = read_scrape(order.source, naming.load_leagues(settings.params_dir), order.leagues)
    engine = connect(settings)
    init(engine)
    with run_lock(engine, order.wait_s) as lock:
        tidy(engine, settings, tell)
        source = os.path.relpath(order.source.resolve(), settings.root)
        run_id = ledger.start_run(engine, source, order.as_of, order.dry_run, scrape.leagues)
        lock.name(f"run {run_id}")
        note_inputs(engine, settings, run_id)
        tell("run", f"{run_id}  {order.source}  {', '.join(scrape.leagues)}")
        if scrape.ignored:
            tell("run", f"not read: {', '.join(scrape.ignored)}")
        return go_through(engine, settings, run_id, order.dry_run, tell)


def operate(
    settings: Settings,
    operation: Mapping[str, Any],
    leagues: Iterable[str] = (),
    dry_run: bool = False,
    tell: Tell = lambda label, text: None,
    as_of: date | None = None,
    wait_s: float = 0,
) -> dict[str, Any]:
    """Run the whole sequence on an operation (merge, undo, normalise) in the place of a scrape.

    Its leagues are published in one transaction: all of them, or none.

    Args:
        operation: ``kind`` and what that needs; ``by`` and ``reason`` go to the ledger.
        leagues: keys of those it concerns; without any they are looked up.
        as_of: the day on which the data is judged; today if not given.
        wait_s: seconds to wait for a run that is going on.

    Returns:
        the document of ``run --json``.

    Raises:
        UsageError: it cannot be done; no run was begun.
        RunLocked: another run works on this database.
    """
    check_params(settings.params_dir)
    engine = connect(settings)
    init(engine)
    with run_lock(engine, wait_s, operation["kind"]) as lock:
        tidy(engine, settings, tell)
        keys = list(leagues) or operations.leagues_of(engine, settings, operation, KINDS)
        operations.rehearse(engine, settings, operation, keys, KINDS)
        source, day = operations.told(operation, KINDS), as_of or datetime.now(UTC).date()
        run_id = ledger.start_run(engine, source, day, dry_run, keys, operation)
        lock.name(f"{operation['kind']} {run_id}")
        note_inputs(engine, settings, run_id)
        tell("run", f"{run_id}  {source}  {', '.join(keys)}")
        return go_through(engine, settings, run_id, dry_run, tell)


def go_through(
    engine: sa.Engine,
    settings: Settings,
    run_id: str,
    dry_run: bool,
    tell: Tell,
    concluding: Callable[[dict[str, Outcome]], None] = lambda outcomes: None,
    *,
    sealed: Sequence[pipeline.StageResult] = (),
    publishing: Callable[..., None] = publish,
) -> dict[str, Any]:
    """Notebooks, decision, publish and report of a run that has begun.

    Args:
        concluding: called after the publish and before the report with what has happened; it may add to that.
        sealed: stages that an earlier attempt at the run has completed; they are not run.
        publishing: what publishes leagues together, called as `publishing.publish` is.
    """
    with logs.bound(run=run_id), recovery.closed_whatever_happens(engine, settings, run_id):
        refused: dict[str, list[dict[str, Any]]] = {}
        results = pipeline.run_stages(
            engine,
            settings,
            run_id,
            on_event=lambda event: _tell_stage(engine, run_id, event, tell),
            refuse=lambda stage: _refuse(engine, settings, run_id, stage, refused),
            sealed=sealed,
        )
        outcomes = (
            {league: Outcome("NO-GO", reasons) for league, reasons in refused.items()}
            if refused
            else _decided(engine, settings, run_id, results)
        )
        recovery.still_ours(engine, run_id)
        if broken := next((result for result in results if result.status not in ("completed", "skipped")), None):
            recovery.note_broken(engine, run_id, broken.stage, broken.status)
        groups = transactions(engine, run_id, outcomes)
        decide(engine, run_id, outcomes, dry_run)
        for together in groups:
            if not dry_run and all(outcome.decision == "GO" for outcome in together.values()):
                publishing(engine, settings, run_id, together, tell)
            for league, outcome in together.items():
                tell(league, outcome.told(dry_run))
        concluding(outcomes)
        return finish(engine, settings, run_id, outcomes, dry_run)


def _refuse(
    engine: sa.Engine, settings: Settings, run_id: str, stage: str, refused: dict[str, list[dict[str, Any]]]
) -> str | None:
    """Why the run ends after its baseline, with the reasons per league in *refused*; None when it goes on."""
    if stage != "baseline":
        return None
    path = settings.reports_dir / run_id / f"{pipeline.notebook_name(stage)}.ipynb"
    refused |= gate.refuse(engine, settings, run_id, stage, scraps.read(path, stage=stage, run_id=run_id))
    return "the database is not safe to import into; nothing was read" if refused else None


def approve(
    settings: Settings,
    run_id: str,
    by: str,
    reason: str,
    leagues: tuple[str, ...] = (),
    tell: Tell = lambda label, text: None,
    wait_s: float = 0,
) -> dict[str, Any]:
    """Publish the held plans of a run, if live still is what they were made from.

    Raises:
        UsageError: no such run, a dry run, or none of the leagues is held.
    """
    engine = connect(settings)
    init(engine)
    found = ledger.require_run(engine, run_id)
    if found.dry_run:
        raise UsageError(
            f"run {run_id} was a dry run, which holds nothing for approval; nothing was published\n"
            "hint: run the scrape again without --dry-run, then approve that run"
        )
    with run_lock(engine, wait_s, f"approve {run_id}"):
        tidy(engine, settings, tell, keep=run_id)
        held = ledger.leagues_in_state(engine, run_id, "held")
        wanted = [league for league in held if not leagues or league in leagues]
        if not wanted or set(leagues) - set(held):
            raise UsageError(
                f"run {run_id} holds {', '.join(held) or 'no league'} for approval; nothing was published\n"
                f"hint: `rally-etl show {run_id}` tells its state"
            )
        outcomes = {league: Outcome("HOLD", ledger.reasons(engine, run_id, league)) for league in wanted}
        if found.operation and set(wanted) != set(held):
            raise UsageError(
                f"run {run_id} is published in all its leagues or in none; nothing was published\n"
                "hint: approve it without --league"
            )
        with logs.bound(run=run_id), ledger.held_whatever_happens(engine, run_id):
            for together in transactions(engine, run_id, outcomes):
                ledger.write_approval(engine, run_id, together, by, reason)
                publish(engine, settings, run_id, together, tell)
                for league, outcome in together.items():
                    tell(league, f"published, approved by {by}" if outcome.is_published else outcome.told())
            return finish(engine, settings, run_id, outcomes, dry_run=False)


def _decided(
    engine: sa.Engine, settings: Settings, run_id: str, results: list[pipeline.StageResult]
) -> dict[str, Outcome]:
    """The gate's decision per league as its sealed notebook and the ledger both state it; anything else is NO-GO."""
    leagues = ledger.decisions(engine, run_id)
    broken = next((result for result in results if result.status != "completed"), None)
    try:
        if broken:
            raise EvidenceMissing(f"stage {broken.stage} {broken.status.replace('_', ' ')}: {broken.error}")
        glued = pipeline.gate_decisions(settings, run_id)
        for league, (decision, _) in leagues.items():
            if decision is None or glued.get(league) != decision:
                raise EvidenceMissing(f"the gate's notebook and the ledger disagree about {league}")
        return {league: Outcome(decision, reasons) for league, (decision, reasons) in leagues.items()}
    except EvidenceMissing as missing:
        stage = broken.stage if broken else "gate"
        reason = no_go(
            "run_is_complete",
            stage,
            f"{missing}; nothing was published. See the notebook of the stage, then run the scrape again",
        )
        return {league: Outcome("NO-GO", [reason, *reasons]) for league, (_, reasons) in leagues.items()}


def _tell_stage(engine: sa.Engine, run_id: str, event: pipeline.StageEvent, tell: Tell) -> None:
    if event.status == "running":
        tell(event.stage, "…")
        return
    if event.status == "again":
        tell("again", event.error or event.stage)
        return
    facts = (
        ledger.stage_facts(engine, run_id, event.stage)
        if event.status == "completed"
        else f"{event.status}: {event.error}"
    )
    tell(event.stage, f"{facts}  {event.seconds:.1f} s")
