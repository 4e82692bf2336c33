"""What a run has to say: its reasons as findings, without names; told after it has ended, never in its way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from rally_etl import gate
from rally_etl.alerts.findings import Finding
from rally_etl.alerts.handing import Found, hand_over, tell_stderr
from rally_etl.alerts.ofrepairs import mended_finding, source_of
from rally_etl.errors import UsageError
from rally_etl.incidents import Severity
from rally_etl.settings import Settings

ENDED_EARLY = "run/did_not_end"
"""Cause of whatever comes from a stage, or a run, that did not end: evidence of later stages is missing with it."""
_CONSEQUENCES = {"run_is_complete", "stage_completed", "evidence_is_whole", "run_has_leagues"}
_SEVERITY_OF: dict[str, Severity] = {"error": "error", "hold": "warn", "warn": "info"}
_LIVE = ("published", "verified")
_VERIFYING = "verify"  # what this finds wrong is an incident of its run already
_UNUSUAL = {"figures_are_usual": "anomaly", "no_threshold_is_near": "forecast"}
"""Rules whose details are figures and never persons, so that people can be told them -> their kind in the ledger."""
_NAMED = {
    **{f"checks_{outcome}": ("check_results", "check_name", outcome) for outcome in ("failed", "errored", "warned")},
    **{
        f"agreements_{outcome}": ("agreements", "title", outcome) for outcome in ("failed", "errored", "held", "warned")
    },
}
"""Measure that counts checks or comparisons of sources -> table of the ledger, what it calls them, which it counts."""
SHOWN = 3
"""Checks or comparisons that an alert names."""
_WITHOUT_RULE = {
    "live_is_free": ("others held the rows of the plan for too long", "approve the run when the database is quiet"),
    "plan_still_holds": ("live rows moved between plan and publish; nothing was written", "run the scrape again"),
    "database_answers": ("the database stopped the publish; nothing was written", "run the scrape again"),
    "constraints_stand": ("constraints are missing after the publish", "`rally-etl constraints` says which"),
    "command_ended_well": ("a guarded command did not end well", "look at its output, then guard it again"),
    "leagues_go_together": ("it is published with other leagues or not at all, and they are not", ""),
    "rules_are_readable": ("params/gate.yaml cannot be read: nothing can be decided", "mend the file"),
}
"""Rule of a reason that stands in no file -> what is wrong, what to do."""


def after_run(
    engine: sa.Engine,
    settings: Settings,
    run_id: str,
    *,
    send: bool = True,
    tell: Callable[[str], None] = tell_stderr,
) -> None:
    """Note what a run found, queue what people have to hear of it, and send for as long as the budget allows.

    A dry run says nothing. Whatever goes wrong here is told in a line: the run has ended, and its result stands.

    Args:
        send: False only queues; the next command sends.
    """

    def find(connection: sa.Connection) -> Found | None:
        run = _read_run(connection, run_id)
        if run.dry_run:
            return None
        found = list(_findings(connection, settings, run))
        return found, _mended(run, found)

    hand_over(engine, settings, find, run_id=run_id, send=send, tell=tell)


def _read_run(connection: sa.Connection, run_id: str) -> Any:
    """The run, with those of its leagues that no later one of its kind has judged: an approval may come late."""
    sql = (
        "select run_id, dry_run, status, operation, to_jsonb(array("
        " select to_jsonb(l) from etl.run_leagues as l where l.run_id = r.run_id and not exists ("
        "  select from etl.run_leagues as l2 join etl.runs as r2 on r2.run_id = l2.run_id"
        "  where l2.league = l.league and r2.started_at > r.started_at and r2.status <> 'running' and not r2.dry_run"
        "  and (r2.operation is null) = (r.operation is null)"
        "  and r2.operation ->> 'problem' is not distinct from r.operation ->> 'problem') order by league)) as leagues,"
        " (select stage from etl.stages as s where s.run_id = r.run_id and s.status in ('failed', 'timed_out', 'died')"
        "  order by ordinal limit 1) as stage"
        " from etl.runs as r where run_id = :run"
    )
    return connection.execute(sa.text(sql), {"run": run_id}).one()


def _findings(connection: sa.Connection, settings: Settings, run: Any) -> Iterator[Finding]:
    try:
        rules = {rule.name: rule for rule in gate.read_rules(settings.params_dir / "gate.yaml")}
    except UsageError:  # the run says so in its reasons
        rules = {}
    source = source_of(run.operation)
    for row in run.leagues:
        league, is_live = row["league"], row["state"] in _LIVE
        if is_live and (mended := mended_finding(run.run_id, run.operation, league)):
            yield mended
        reasons = [each for each in row["reasons"] if each["stage"] != _VERIFYING]
        reasons = [each for each in reasons if not (is_live and each["severity"] == "hold")]  # approved
        early = [each for each in reasons if each["rule"] in _CONSEQUENCES]
        if early or (run.status == "failed" and not is_live):
            yield _ended_early(run, league, early)
            reasons = [each for each in reasons if each not in early and each["observed"] is not None]
        for reason in _grouped(reasons, rules):
            severity = _SEVERITY_OF[reason["severity"]]
            what, todo = worded(rules.get(reason["rule"]), reason, league)
            if kind := _UNUSUAL.get(reason["rule"]):
                what += _in_detail(connection, run.run_id, league, kind)
            elif (rule := rules.get(reason["rule"])) and rule.measure in _NAMED:
                what += _by_name(connection, run.run_id, league, rule.measure)
            dimensions, owners = _of_checks(connection, run.run_id, league, reason["stage"])
            yield Finding(
                cause=f"{source}/{reason['rule']}", league=league, severity=severity, what=what,
                whom=_whom(severity, is_live, row["decision"]),
                todo=todo or f"`rally-etl show {run.run_id}` tells the reasons",
                stage=reason["stage"], dimensions=dimensions, owners=owners,
            )  # fmt: skip


def _grouped(reasons: list[dict[str, Any]], rules: Mapping[str, gate.Rule]) -> Iterator[dict[str, Any]]:
    """The reasons, with one per stage in the place of all rules there that had nothing to compare."""
    silent = [each for each in reasons if each["rule"] in rules and each["observed"] is None]
    yield from (each for each in reasons if each not in silent)
    for stage in dict.fromkeys(each["stage"] for each in silent):
        yield {"rule": f"measured_in_{stage}", "stage": stage, "severity": "error", "observed": None}


def _ended_early(run: Any, league: str, early: list[dict[str, Any]]) -> Finding:
    stage = run.stage or next((each["stage"] for each in early), "")
    return Finding(
        cause=ENDED_EARLY, league=league, severity="error", stage=stage, whom=_whom("error", False, "NO-GO"),
        what="a run ended before it could decide" + (f", in stage {stage}" if stage else ""),
        todo=f"`rally-etl show {run.run_id}` tells why; `rally-etl run --resume {run.run_id}` goes on",
    )  # fmt: skip


def _mended(run: Any, found: list[Finding]) -> dict[str, list[str]]:
    """League -> causes that this run would have found: all of its kind where everything was asked."""
    source = f"{source_of(run.operation)}/"
    early = {each.league for each in found if each.cause == ENDED_EARLY}
    return {
        row["league"]: [ENDED_EARLY, source] if row["decision"] in ("GO", "HOLD") else [ENDED_EARLY]
        for row in run.leagues
        if row["league"] not in early and run.status == "completed"
    }


def worded(rule: gate.Rule | None, reason: Mapping[str, Any], league: str) -> tuple[str, str]:
    """What a reason says, and what to do, from the rule's own text and numbers: its detail may name persons."""
    if rule is None or reason["observed"] is None:
        if reason["rule"].startswith("measured_in_"):
            return f"measures that the gate needs are missing, of stage {reason['stage']}", ""
        if known := _WITHOUT_RULE.get(reason["rule"]):
            return known
        name = reason["rule"].replace("_", " ")
        return f"not so: {name}" + (f" (stage {reason['stage']})" if reason["stage"] else ""), ""
    template = re.sub(r" *\(\{detail[^}]*\}\)|:? *\{detail[^}]*\}", "", rule.message).removeprefix("{league}: ")
    values = {name: gate.plain(reason[name]) for name in ("observed", "threshold")}
    what, _, todo = template.format(**values, league=league, detail="").partition(". ")
    return what.rstrip("."), todo.rstrip(".")


def _in_detail(connection: sa.Connection, run_id: str, league: str, kind: str) -> str:
    """The first of what a run found unusual or predicted, to go behind its number."""
    sql = (
        "select told from etl.anomalies where run_id = :run and league = :league and kind = :kind"
        " order by days_left, abs(value - expected) / nullif(high - low, 0) desc nulls first"
    )
    told = connection.scalars(sa.text(sql), {"run": run_id, "league": league, "kind": kind}).all()
    return f" ({told[0]}{'; and others' if told[1:] else ''})" if told else ""


def _by_name(connection: sa.Connection, run_id: str, league: str, measure: str) -> str:
    """The first of the checks or comparisons that a measure counts, as params/ call them: which rows, reports tell."""
    table, column, outcome = _NAMED[measure]
    sql = f"select {column} from etl.{table} where (run_id, league, outcome) = (:run, :league, :outcome) order by 1"
    names = connection.scalars(sa.text(sql), {"run": run_id, "league": league, "outcome": outcome}).all()
    more = f"; and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return f" ({'; '.join(names[:SHOWN])}{more})" if names else ""


def _whom(severity: Severity, is_live: bool, decision: str | None) -> str:
    if is_live:
        return "its new rows are live"
    if severity == "error" or decision == "NO-GO":
        return "nothing of it was published: its users go on seeing the rows of before"
    if severity == "warn":
        return "its new rows wait for a person: its users go on seeing the rows of before"
    return "nobody yet"


def _of_checks(
    connection: sa.Connection, run_id: str, league: str, stage: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Dimensions and owners of the checks that found something, for what the validation says."""
    if stage != "validation":
        return (), ()
    row = connection.execute(_CHECKS, {"run": run_id, "league": league}).one()
    return tuple(row.dimensions), tuple(row.owners)


_CHECKS = sa.text(
    "select coalesce(array_agg(distinct dimension) filter (where dimension <> ''), '{}') as dimensions,"
    " coalesce(array_agg(distinct owner) filter (where owner <> ''), '{}') as owners from etl.check_results"
    " where run_id = :run and league = :league and outcome in ('failed', 'errored', 'warned')"
)
