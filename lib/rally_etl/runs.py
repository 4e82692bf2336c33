"""One run from its start to its report: notebooks, decision, publish per league, verification."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rally_etl import ledger, naming, pipeline, planning
from rally_etl.checks import audit
from rally_etl.database.engine import clean_message, connect
from rally_etl.database.locks import run_lock
from rally_etl.database.schema import init
from rally_etl.errors import EvidenceMissing, RallyEtlError, UsageError
from rally_etl.planning import operations
from rally_etl.settings import Settings
from rally_etl.sources import read_scrape

KEPT_PLANS = 20
ENDING_S = 10  # seconds a session of a dead run may take to end
EXIT_CODES = {"GO": 0, "HOLD": 4, "NO-GO": 3}
Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an operator asked for; *as_of* is the day on which the data is judged."""

    source: Path
    leagues: tuple[str, ...] = ()
    as_of: date
    dry_run: bool = False
    wait_s: float = 0


@dataclass(slots=True)
class Outcome:
    """What happened to one league after the gate."""

    decision: str
    reasons: list[dict[str, Any]] = field(default_factory=list)
    is_published: bool = False
    failed: bool = False


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
    scrape = read_scrape(order.source, naming.load_leagues(settings.params_dir), order.leagues)
    engine = connect(settings)
    init(engine)
    with run_lock(engine, order.wait_s):
        _tidy(engine)
        source = os.path.relpath(order.source.resolve(), settings.root)
        run_id = _start(engine, source, order.as_of, order.dry_run, scrape.leagues)
        tell("run", f"{run_id}  {order.source}  {', '.join(scrape.leagues)}")
        if scrape.ignored:
            tell("run", f"not read: {', '.join(scrape.ignored)}")
        return _go_through(engine, settings, run_id, order.dry_run, tell)


def operate(
    settings: Settings,
    operation: Mapping[str, Any],
    leagues: Iterable[str] = (),
    dry_run: bool = False,
    tell: Tell = lambda label, text: None,
    as_of: date | None = None,
) -> dict[str, Any]:
    """Run the whole sequence on an operation (merge, undo, normalise) in the place of a scrape.

    Its leagues are published in one transaction: all of them, or none.

    Args:
        operation: ``kind`` and what that needs; ``by`` and ``reason`` go to the ledger.
        leagues: keys of those it concerns; without any they are looked up.
        as_of: the day on which the data is judged; today if not given.

    Returns:
        the document of ``run --json``.

    Raises:
        UsageError: it cannot be done; no run was begun.
        RunLocked: another run works on this database.
    """
    engine = connect(settings)
    init(engine)
    with run_lock(engine):
        _tidy(engine)
        keys = list(leagues) or operations.leagues_of(engine, settings, operation)
        operations.rehearse(engine, settings, operation, keys)
        source, day = operations.told(operation), as_of or datetime.now(UTC).date()
        run_id = _start(engine, source, day, dry_run, keys, operation)
        tell("run", f"{run_id}  {source}  {', '.join(keys)}")
        return _go_through(engine, settings, run_id, dry_run, tell)


def _go_through(engine: sa.Engine, settings: Settings, run_id: str, dry_run: bool, tell: Tell) -> dict[str, Any]:
    """Notebooks, decision, publish and report of a run that has begun."""
    with _closed_whatever_happens(engine, run_id):
        results = pipeline.run_stages(
            engine, settings, run_id, on_event=lambda event: _tell_stage(engine, run_id, event, tell)
        )
        outcomes = _decided(engine, settings, run_id, results)
        for together in _transactions(engine, run_id, outcomes):
            if not dry_run and all(outcome.decision == "GO" for outcome in together.values()):
                _publish(engine, settings, run_id, together)
            for league, outcome in together.items():
                tell(league, _sentence(outcome, dry_run))
        return _finish(engine, settings, run_id, outcomes, dry_run)


def _transactions(engine: sa.Engine, run_id: str, outcomes: dict[str, Outcome]) -> list[dict[str, Outcome]]:
    """Leagues that are published together: each by itself, those of an operation all at once or not at all."""
    if not ledger.require_run(engine, run_id).operation:
        return [{league: outcome} for league, outcome in outcomes.items()]
    worst = max((outcome.decision for outcome in outcomes.values()), key=ledger.DECISIONS.index)
    for league, outcome in outcomes.items():
        if outcome.decision != worst:
            others = ", ".join(key for key, other in outcomes.items() if other.decision == worst)
            message = f"{league} is published with {others} or not at all, which is {worst}"
            outcome.reasons.insert(0, _reason("leagues_go_together", "gate", message))
            outcome.decision = worst
    return [outcomes]


def approve(
    settings: Settings,
    run_id: str,
    by: str,
    reason: str,
    leagues: tuple[str, ...] = (),
    tell: Tell = lambda label, text: None,
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
    with run_lock(engine):
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
        for together in _transactions(engine, run_id, outcomes):
            for league in together:
                ledger.write_approval(engine, run_id, league, by, reason)
            _publish(engine, settings, run_id, together)
            for league, outcome in together.items():
                tell(league, f"published, approved by {by}" if outcome.is_published else _sentence(outcome, False))
        return _finish(engine, settings, run_id, outcomes, dry_run=False)


def _tidy(engine: sa.Engine) -> None:
    """Close runs that died, drop what they left, and forget the oldest plans; the lock proves that no run is alive."""
    with engine.begin() as connection:
        connection.execute(_END_SESSIONS, {"names": [f"rally-etl {stage}" for stage in pipeline.STAGES]})
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "update etl.runs set status = 'failed', finished_at = clock_timestamp(), exit_code = 1,"
                " decision = 'NO-GO', error = 'ended without a result: the process or the machine was stopped'"
                " where status = 'running'"
            )
        )
        keep = set(
            connection.execute(
                sa.text(
                    "(select run_id from etl.runs order by started_at desc limit :n) union"
                    " (select run_id from etl.runs where operation is not null and exists ("
                    "   select from etl.run_leagues as l where l.run_id = runs.run_id and l.published_at is not null)"
                    "  order by started_at desc limit :n)"
                ),
                {"n": KEPT_PLANS},
            ).scalars()
        )
        kept_plans = {planning.schemas(run_id)[0] for run_id in keep}
        found = connection.execute(
            sa.text(r"select nspname from pg_namespace where nspname like 'plan\_2%' or nspname like 'candidate\_2%'")
        ).scalars()
        for name in found:
            if name not in kept_plans:  # a candidate never outlives the run after it: its views would bind live columns
                connection.execute(sa.text(f'drop schema "{name}" cascade'))


_END_SESSIONS = sa.text(
    f"""
    select pg_terminate_backend(a.pid, {1000 * ENDING_S})
    from pg_stat_activity as a
    where
        a.datname = current_database() and a.pid <> pg_backend_pid() and a.application_name = any(:names)
        and (
            a.backend_xid is not null
            or exists (
                select from pg_locks as l
                where l.pid = a.pid and l.locktype = 'relation' and l.mode <> 'AccessShareLock'))
    """
)
"""Ends sessions that a killed stage has left and waits for it: a transaction that writes would hold its locks into the
next run. A notebook that somebody has open only reads."""


def _start(
    engine: sa.Engine,
    source: str,
    as_of: date,
    dry_run: bool,
    leagues: Iterable[str],
    operation: Mapping[str, Any] | None = None,
) -> str:
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into etl.runs (run_id, source, as_of, dry_run, versions, backend_pid, operation)"
                " values (:run, :source, :as_of, :dry_run, cast(:versions as jsonb), pg_backend_pid(),"
                " cast(:operation as jsonb))"
            ),
            {
                "run": run_id,
                "source": source,
                "as_of": as_of,
                "dry_run": dry_run,
                "versions": ledger.versions(),
                "operation": json.dumps(operation) if operation else None,
            },
        )
        connection.execute(
            sa.text("insert into etl.run_leagues (run_id, league) values (:run, :league)"),
            [{"run": run_id, "league": league} for league in leagues],
        )
    return run_id


@contextmanager
def _closed_whatever_happens(engine: sa.Engine, run_id: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "update etl.runs set status = 'failed', finished_at = clock_timestamp(), exit_code = 1,"
                    " error = :error where run_id = :run and status = 'running'"
                ),
                {"run": run_id, "error": f"{type(error).__name__}: {clean_message(error)}"},
            )
        raise


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
        reason = _reason(
            "run_is_complete",
            stage,
            f"{missing}; nothing was published. See the notebook of the stage, then run the scrape again",
        )
        return {league: Outcome("NO-GO", [reason, *reasons]) for league, (_, reasons) in leagues.items()}


def _publish(engine: sa.Engine, settings: Settings, run_id: str, outcomes: dict[str, Outcome]) -> None:
    """Publish leagues in one transaction and verify them over another connection; record what went wrong."""

    def check(connection: sa.Connection) -> list[str]:
        return [name for league in outcomes for name in audit(connection, settings, run_id, league)]

    found, failed = None, False
    try:
        planning.publish(engine, run_id, outcomes, check)
    except RallyEtlError as error:
        found = _reason("plan_still_holds", "publish", " ".join(str(error).splitlines()))
    except sa.exc.DBAPIError as error:
        message = f"the database stopped the publish: {clean_message(error)}; nothing was written. Run the scrape again"
        found, failed = _reason("database_answers", "publish", message), True
    for outcome in outcomes.values() if found else ():
        outcome.decision, outcome.failed = "NO-GO", failed
        outcome.reasons.insert(0, found)
    if not found:
        _verify(engine, run_id, outcomes)


def _verify(engine: sa.Engine, run_id: str, outcomes: dict[str, Outcome]) -> None:
    for outcome in outcomes.values():
        outcome.is_published = True
    try:
        problems = planning.verify(engine, run_id, outcomes)
    except sa.exc.DBAPIError as error:
        problems = [f"what was published could not be read again: {clean_message(error)}"]
    for league, outcome in outcomes.items():
        if problems:
            message = f"{'; '.join(problems)}. Another program wrote at the same time: check these tables now"
            outcome.failed = True
            outcome.reasons.insert(0, _reason("live_equals_candidate", "verify", message))
        else:
            ledger.set_state(engine, run_id, league, "verified")


def _finish(
    engine: sa.Engine, settings: Settings, run_id: str, outcomes: dict[str, Outcome], dry_run: bool
) -> dict[str, Any]:
    """Write the outcome to the ledger and the report; answer the run's document."""
    from rally_etl.reporting import write_report

    for league, outcome in outcomes.items():
        ledger.write_outcome(engine, run_id, league, outcome.decision, outcome.reasons, outcome.is_published, dry_run)
    failed = any(outcome.failed for outcome in outcomes.values())
    ledger.close_run(engine, run_id, 1 if failed else None, EXIT_CODES)
    if not ledger.leagues_in_state(engine, run_id, "held"):
        with engine.begin() as connection:
            connection.execute(sa.text(f'drop schema if exists "{planning.schemas(run_id)[1]}" cascade'))
    document = ledger.run_document(engine, settings, run_id)
    write_report(engine, settings, run_id, document)
    return document


def _reason(rule: str, stage: str, message: str) -> dict[str, Any]:
    return {"rule": rule, "stage": stage, "severity": "error", "observed": None, "threshold": None, "message": message}


def _sentence(outcome: Outcome, dry_run: bool) -> str:
    done = "published" if outcome.is_published else "dry run, not published" if dry_run else "not published"
    return f"{outcome.decision}, {done}"


def _tell_stage(engine: sa.Engine, run_id: str, event: pipeline.StageEvent, tell: Tell) -> None:
    if event.status == "running":
        tell(event.stage, "…")
        return
    facts = (
        ledger.stage_facts(engine, run_id, event.stage)
        if event.status == "completed"
        else f"{event.status}: {event.error}"
    )
    tell(event.stage, f"{facts}  {event.seconds:.1f} s")
