"""What a run writes into its ledger besides its rows: begin, decisions, states, approvals, and the run's document."""

from __future__ import annotations

import json
import platform
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

import sqlalchemy as sa

from rally_etl import __version__, logs, states
from rally_etl.database.catalog import IMPORTED
from rally_etl.database.engine import clean_message
from rally_etl.database.retry import patiently
from rally_etl.errors import UsageError
from rally_etl.incidents import raise_unverified, read_incidents
from rally_etl.planning.headlines import headlines
from rally_etl.planning.schema import OPERATIONS
from rally_etl.settings import Settings

DECISIONS = ("GO", "HOLD", "NO-GO")  # from best to worst
SEVERITIES = ("error", "hold", "warn")  # of reasons, the worst first
NAMED_LIBRARIES = (
    "jupyterlab",
    "papermill",
    "scrapbook",
    "pandas",
    "SQLAlchemy",
    "psycopg2-binary",
    "plotly",
    "msgspec",
)

Reasons = list[dict[str, Any]]


def versions() -> str:
    """Versions of the product, of Python and of the libraries that decide what a report says, as JSON."""
    found = {"rally-etl": __version__, "python": platform.python_version()}
    return json.dumps(found | {name: version(name) for name in NAMED_LIBRARIES})


def decisions(engine: sa.Engine, run_id: str) -> dict[str, tuple[str | None, Reasons]]:
    """League -> decision and reasons as the gate wrote them; None where it wrote none."""
    sql = "select league, decision, reasons from etl.run_leagues where run_id = :run order by league"
    return {row.league: (row.decision, list(row.reasons)) for row in _rows(engine, sql, run=run_id)}


def reasons(engine: sa.Engine, run_id: str, league: str) -> Reasons:
    """The recorded reasons of one league."""
    return decisions(engine, run_id)[league][1]


def leagues_in_state(engine: sa.Engine, run_id: str, state: str) -> list[str]:
    """Leagues of a run in a state, for example ``held``.

    Raises:
        UsageError: there is no such run.
    """
    require_run(engine, run_id)
    sql = "select league from etl.run_leagues where run_id = :run and state = :state order by league"
    return [row.league for row in _rows(engine, sql, run=run_id, state=state)]


def require_run(engine: sa.Engine, run_id: str) -> sa.Row:
    """The run's row.

    Raises:
        UsageError: there is no such run; the message names the latest.
    """
    found = _rows(engine, "select * from etl.runs where run_id = :run", run=run_id)
    if not found:
        latest = _rows(engine, "select run_id from etl.runs order by started_at desc limit 1")
        hint = f"the latest is {latest[0].run_id}" if latest else "no run has been made on this database"
        raise UsageError(f"there is no run {run_id!r}\nhint: {hint}; `rally-etl runs` lists them")
    return found[0]


def write_approval(engine: sa.Engine, run_id: str, leagues: Iterable[str], by: str, why: str) -> None:
    """Record who lets held plans be published, why, and which plans they are."""
    keys = sorted(leagues)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into etl.approvals (run_id, league, approved_by, reason, plan_hash)"
                " select run_id, league, :by, :why, plan_hash from etl.run_leagues"
                " where run_id = :run and league = any(:leagues)"
                " on conflict (run_id, league) do update set approved_by = excluded.approved_by,"
                " reason = excluded.reason, plan_hash = excluded.plan_hash, approved_at = clock_timestamp()"
            ),
            {"run": run_id, "leagues": keys, "by": by, "why": why},
        )
        states.move(connection, run_id, keys, "approved", f"approved by {by}: {why}")


def write_outcome(
    engine: sa.Engine,
    run_id: str,
    league: str,
    decision: str,
    found: Reasons,
    *,
    dry_run: bool = False,
    has_failed: bool = False,
) -> None:
    """Write a league's decision and reasons; its state follows unless publishing has set it."""
    for attempt in patiently("the ledger"):
        with attempt, engine.begin() as connection:
            connection.execute(
                sa.text(
                    "update etl.run_leagues set decision = :decision, reasons = cast(:reasons as jsonb)"
                    " where run_id = :run and league = :league"
                ),
                {"run": run_id, "league": league, "decision": decision, "reasons": json.dumps(found)},
            )
            states.settle(connection, run_id, league, decision, found, dry_run=dry_run, has_failed=has_failed)


def close_run(engine: sa.Engine, run_id: str, exit_code: int | None, codes: dict[str, int]) -> None:
    """Complete the run: its decision is the worst of its leagues', its exit code that decision's unless given."""
    worst = max(
        (decision or "NO-GO" for decision, _ in decisions(engine, run_id).values()),
        key=DECISIONS.index,
        default="NO-GO",
    )
    health = _rows(
        engine,
        _METRIC.format("value", "monitoring", "metric = 'health_score' and league = '*'"),
        run=run_id,
    )
    _write(
        engine,
        "update etl.runs set status = 'completed', finished_at = clock_timestamp(), decision = :decision,"
        " exit_code = :code, health_score = :health, report = :report where run_id = :run",
        run=run_id,
        decision=worst,
        code=codes[worst] if exit_code is None else exit_code,
        health=health[0].value if health else None,
        report=f"reports/{run_id}/index.html",
    )


def run_document(engine: sa.Engine, settings: Settings, run_id: str) -> dict[str, Any]:
    """The run as ``run --json`` prints it and ``run.json`` keeps it."""
    run = require_run(engine, run_id)
    quarantined = {
        row.league: int(row.quarantined)
        for row in _rows(
            engine,
            "select league, coalesce(sum(quarantined), 0) as quarantined"
            " from etl.source_files where run_id = :run group by 1",
            run=run_id,
        )
    }
    asked = open_reviews(engine, run_id)
    with engine.connect() as connection:
        steps = states.histories(connection, run_id)
        incidents = read_incidents(connection, run_id)
    leagues = {
        row.league: {
            "decision": row.decision,
            "published": row.published_at is not None and row.state != "undone",
            "state": row.state,
            "quarantined": quarantined.get(row.league, 0),
            "plan": _in_order(row.plan_counts),
            "reasons": sorted(row.reasons, key=lambda reason: SEVERITIES.index(reason["severity"])),
            "changes": headlines(engine, run_id, row.league),
            "reviews": asked.get(row.league, {"open": 0, "held_rows": 0}),
            "states": steps.get(row.league, []),
        }
        for row in _rows(engine, "select * from etl.run_leagues where run_id = :run order by league", run=run_id)
    }
    stages = [
        {
            "stage": row.stage,
            "status": row.status,
            "seconds": round(row.seconds, 2) if row.seconds is not None else None,
        }
        for row in _rows(
            engine,
            "select stage, status, cast(extract(epoch from finished_at - started_at) as double precision) as seconds"
            " from etl.stages where run_id = :run order by ordinal",
            run=run_id,
        )
    ]
    return {
        "run_id": run_id,
        "decision": run.decision,
        "exit_code": run.exit_code,
        "health_score": float(run.health_score) if run.health_score is not None else None,
        "quarantined": sum(quarantined.values()),
        "report": run.report,
        "source": run.source,
        "as_of": run.as_of.isoformat(),
        "dry_run": run.dry_run,
        "started_at": run.started_at.isoformat(timespec="seconds"),
        "leagues": leagues,
        "stages": stages,
        "asked_by": asked_by(run.operation),
        "resumed": resumptions(engine, run_id),
        "incidents": [incident.told() for incident in incidents],
    }


def asked_by(operation: Mapping[str, Any] | None) -> str | None:
    """Who has asked for a run without a scrape and why, or which file allows it; None of an import."""
    if not operation or "by" not in operation:
        return None
    if "problem" in operation and not operation.get("again"):
        return f"automatic repair, allowed by {operation['reason']}"
    reason = "" if operation["reason"] == "not said" else f": {operation['reason']}"
    return f"asked by {operation['by']}{reason}"


def resumptions(engine: sa.Engine, run_id: str) -> list[dict[str, str | None]]:
    """When a run that had died went on, from which stage (None: with the publish), and how it had ended before."""
    sql = "select resumed_at, first_stage, had_died from etl.resumptions where run_id = :run order by number"
    return [
        {"at": row.resumed_at.isoformat(timespec="seconds"), "from": row.first_stage, "had_died": row.had_died}
        for row in _rows(engine, sql, run=run_id)
    ]


def open_reviews(engine: sa.Engine, run_id: str) -> dict[str, dict[str, int]]:
    """League -> questions about identity that a run or one before it asked and nobody has answered, and their rows.

    Rows that wait for one name wait once, however many questions are about it.
    """
    found = _rows(
        engine,
        """
        select league, cast(sum(questions) as integer) as open, cast(sum(held_rows) as integer) as held_rows
        from (select league, name, count(*) as questions, max(held_rows) as held_rows
              from etl.reviews where state = 'open' and first_run <= :run group by league, name) as names
        group by league
        """,
        run=run_id,
    )
    return {row.league: {"open": row.open, "held_rows": row.held_rows} for row in found}


def _counted(number: str, noun: str) -> str:
    """SQL for a number and its noun; to_char keeps the separators that people read."""
    return f"to_char({number}, 'FM999,999,990') || case {number} when 1 then ' {noun}' else ' {noun}s' end"


_METRIC = "select {} from etl.metrics where run_id = :run and stage = '{}' and {}"
_STAGE_FACTS = {
    "baseline": _METRIC.format(
        _counted("sum(value)", "user row") + " || ' guarded'", "baseline", "metric = 'user_rows'"
    ),
    "import": f"""
        select {_counted("count(*)", "file")}
            || case when count(fault) > 0 then format(', %s faulty', count(fault)) else '' end
            || ', ' || {_counted("coalesce(sum(records), 0)", "record")}
            || ', ' || to_char(coalesce(sum(quarantined), 0), 'FM999,999,990') || ' quarantined, '
            || (select {_counted("coalesce(sum(value), 0)", "change")} || ' planned' from etl.metrics
                where run_id = :run and stage = 'import' and metric = 'planned_changes')
        from etl.source_files where run_id = :run
        """,
    "validation": """
        select 'checks: ' || coalesce(string_agg(format('%s %s', n, outcome), ', ' order by outcome), 'none ran')
        from (select outcome, count(*) as n from etl.check_results where run_id = :run group by outcome) as counted
        """,
    "integration": _METRIC.format(
        "to_char(coalesce(sum(value) filter (where metric in ('pages_broken', 'pages_taken_back')), 0),"
        " 'FM999,999,990') || ' of ' || "
        + _counted("coalesce(sum(value) filter (where metric = 'pages_asked'), 0)", "page")
        + " || ' and ' || "
        + _counted("coalesce(sum(value) filter (where metric like 'references%'), 0)", "reference")
        + " || ' of user rows would break'",
        "integration",
        "metric in ('pages_asked', 'pages_broken', 'pages_taken_back', 'references_lost', 'references_moved')",
    ),
    "monitoring": _METRIC.format(
        "'health score ' || to_char(sum(value), 'FM990.0')", "monitoring", "metric = 'health_score' and league = '*'"
    ),
    "gate": """
        select string_agg(league || ' ' || coalesce(decision, 'undecided'), ', ' order by league)
        from etl.run_leagues where run_id = :run
        """,
}
"""One line of what a completed stage found."""


def stage_facts(engine: sa.Engine, run_id: str, stage: str) -> str:
    """One line of what a completed stage found, for the operator's terminal."""
    return _rows(engine, _STAGE_FACTS[stage], run=run_id)[0][0] or "done"


def _in_order(counts: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Tables in the order of publishing, then users'; operations as the README lists them; jsonb keeps neither."""
    operations = (*OPERATIONS, "delete", "unchanged")
    tables = [*(table for table in IMPORTED if table in counts), *sorted(counts.keys() - set(IMPORTED))]
    return {table: {name: counts[table][name] for name in operations if name in counts[table]} for table in tables}


def _rows(engine: sa.Engine, sql: str, **binds: Any) -> list[sa.Row]:
    for attempt in patiently("the ledger"):
        with attempt, engine.connect() as connection:
            return list(connection.execute(sa.text(sql), binds))
    raise AssertionError("an attempt returns or raises")


def _write(engine: sa.Engine, sql: str, **binds: Any) -> None:
    """Execute a statement that says the same when it is executed twice."""
    for attempt in patiently("the ledger"):
        with attempt, engine.begin() as connection:
            connection.execute(sa.text(sql), binds)


def start_run(
    engine: sa.Engine,
    source: str,
    as_of: date,
    dry_run: bool,
    leagues: Iterable[str],
    operation: Mapping[str, Any] | None = None,
) -> str:
    """Enter a run that begins, with the leagues it has to account for; answer its id.

    Args:
        source: the scrape folder, or in a few words what is done without one.
    """
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
                "versions": versions(),
                "operation": json.dumps(operation) if operation else None,
            },
        )
        connection.execute(
            sa.text("insert into etl.run_leagues (run_id, league, cause) values (:run, :league, 'the run began')"),
            [{"run": run_id, "league": league} for league in leagues],
        )
    facts = {"leagues": list(leagues), "as_of": as_of.isoformat(), "dry_run": dry_run}
    logs.event("run.started", run=run_id, operation=operation["kind"] if operation else None, **facts)
    return run_id


@contextmanager
def held_whatever_happens(engine: sa.Engine, run_id: str) -> Iterator[None]:
    """Let leagues wait again whose approval stops with an exception before they are published; it goes on."""
    try:
        yield
    except BaseException as error:
        told = f"the approval stopped: {type(error).__name__}: {clean_message(error)}"
        with suppress(sa.exc.DBAPIError), engine.begin() as connection:
            states.move(connection, run_id, states.in_states(connection, run_id, ["approved"]), "held", told)
            raise_unverified(connection, run_id)
        raise
