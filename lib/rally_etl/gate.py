"""The gate: evidence and rules in, one decision per league out; whatever is missing or odd is NO-GO."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rally_etl.errors import UsageError
from rally_etl.params import read_mapping
from rally_etl.settings import Settings

STAGES = ("baseline", "import", "validation", "integration", "monitoring")
"""Stages whose evidence a decision needs."""

GO, HOLD, NO_GO = "GO", "HOLD", "NO-GO"
WORST_FIRST = (NO_GO, HOLD, GO)
RUN = "*"
COMPARISONS = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}
DECISION_OF = {"error": NO_GO, "hold": HOLD, "warn": GO}
SHOWN_TEXTS = 8

_TEXT_KEYS = ("name", "stage", "measure", "comparison", "severity", "why", "message")
_KEYS = {*_TEXT_KEYS, "scope", "threshold", "threshold_measure", "leagues", "imports_only", "repairs_only"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One comparison of `params/gate.yaml`; exactly one of `threshold` and `threshold_measure` is set."""

    name: str
    stage: str
    measure: str
    comparison: str
    severity: str
    why: str
    message: str
    scope: str = "league"
    threshold: float | None = None
    threshold_measure: str | None = None
    leagues: dict[str, float] = field(default_factory=dict)
    imports_only: bool = False  # a repair is what mends it, and is not stopped by it
    repairs_only: bool = False  # an import answers for the same by another rule


class _Unusable(Exception):
    """A measure that nothing can be compared with; the text says what is wrong with it."""


def decide(
    engine: sa.Engine, settings: Settings, run_id: str, evidence: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Decide a run league by league, and write decisions and reasons to the ledger.

    Args:
        evidence: stage -> its sealed document; or the error, or its text, where there is none.

    Returns:
        league -> ``{"decision", "reasons": [{"rule", "stage", "severity", "observed", "threshold", "message"}]}``,
        worst reasons first. A run without leagues answers NO-GO for ``*``.
    """
    with engine.connect() as connection:
        binds = {"run_id": run_id}
        leagues = connection.scalars(
            sa.text("select league from etl.run_leagues where run_id = :run_id order by league"), binds
        ).all()
        rows = connection.execute(sa.text("select stage, status from etl.stages where run_id = :run_id"), binds).all()
        is_import = _is_import(connection, run_id)
    statuses = {row.stage: row.status for row in rows}
    try:
        rules = read_rules(settings.params_dir / "gate.yaml")
    except UsageError as error:
        reason = _reason("rules_are_readable", "gate", " ".join(str(error).splitlines()))
        decided = {league: _decided([reason]) for league in leagues or [RUN]}
    else:
        decided = judge(due(rules, is_import), evidence, leagues, run_id=run_id, statuses=statuses)
    _write(engine, run_id, decided)
    return decided


def refuse(
    engine: sa.Engine, settings: Settings, run_id: str, stage: str, document: Mapping[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    """Judge one stage as soon as it is sealed, so that nothing is read into a database that is not safe.

    Returns:
        league -> the reasons that make it NO-GO, for every league if any has one; empty when the run may go on. What
        is wrong with the rules or the evidence itself is left to `decide`.
    """
    with engine.connect() as connection:
        sql = "select league from etl.run_leagues where run_id = :run_id order by league"
        leagues = connection.scalars(sa.text(sql), {"run_id": run_id}).all()
        is_import = _is_import(connection, run_id)
    try:
        rules = [rule for rule in due(read_rules(settings.params_dir / "gate.yaml"), is_import) if rule.stage == stage]
    except UsageError:
        return {}
    if document_fault(document, stage, run_id, leagues):
        return {}
    documents = {stage: document["leagues"]}
    found = {league: _rule_reasons(rules, documents, league) for league in leagues}
    errors = {league: [each for each in reasons if each["severity"] == "error"] for league, reasons in found.items()}
    if not all(errors.values()):  # one league's own fault does not stop the others
        return {}
    _write(engine, run_id, {league: _decided(found[league]) for league in leagues})
    return {league: _decided(found[league])["reasons"] for league in leagues}


def _is_import(connection: sa.Connection, run_id: str) -> bool:
    sql = "select operation is null from etl.runs where run_id = :run_id"
    return connection.scalar(sa.text(sql), {"run_id": run_id}) is not False


def due(rules: Sequence[Rule], is_import: bool) -> list[Rule]:
    """The rules that count for a run: those about imports alone do not count for a repair, and the other way round."""
    return [rule for rule in rules if not (rule.repairs_only if is_import else rule.imports_only)]


def judge(
    rules: Sequence[Rule],
    evidence: Mapping[str, Any],
    leagues: Sequence[str],
    *,
    run_id: str,
    statuses: Mapping[str, str],
) -> dict[str, dict[str, Any]]:
    """Decide from what is given alone: no database, no file.

    Args:
        leagues: the leagues the run has to account for, from the ledger and never from the evidence.
        statuses: stage -> status as the runner wrote it.
    """
    shared = (
        [] if rules else [_reason("rules_are_readable", "gate", "params/gate.yaml holds no rule; put the file back")]
    )
    shared += _stage_reasons(statuses)
    documents: dict[str, Mapping[str, Any]] = {}
    for stage in dict.fromkeys((*STAGES, *(rule.stage for rule in rules))):
        fault = document_fault(evidence.get(stage), stage, run_id, leagues)
        if fault:
            shared.append(_reason("evidence_is_whole", stage, fault))
        else:
            documents[stage] = evidence[stage]["leagues"]
    if not leagues:
        return {
            RUN: _decided([*shared, _reason("run_has_leagues", "gate", "the run names no league; nothing was decided")])
        }
    judged = [rule for rule in rules if rule.stage in documents]
    return {
        league: _decided([*shared, *_unusable_reasons(documents, league), *_rule_reasons(judged, documents, league)])
        for league in leagues
    }


def overall(decisions: Sequence[str]) -> str:
    """The worst decision; of none, NO-GO."""
    return next((word for word in WORST_FIRST if word in decisions), NO_GO)


def document_fault(document: Any, stage: str, run_id: str, leagues: Sequence[str]) -> str | None:
    """What makes the evidence of a stage unusable as a whole; None when nothing does."""
    start = f"the evidence of stage {stage}"
    if document is None:
        return f"{start} is missing; open the stage's notebook in the report, then run the scrape again"
    if isinstance(document, BaseException | str):
        return f"{start} cannot be used: {' '.join(str(document).split()) or type(document).__name__}"
    if not isinstance(document, Mapping) or not isinstance(document.get("leagues"), Mapping):
        return f"{start} is no document with leagues"
    for key, expected in (("stage", stage), ("run_id", run_id)):
        if document.get(key) != expected:
            return f"{start} is of {key} {document.get(key)!r}, not {expected!r}"
    if unknown := sorted(str(league) for league in document["leagues"] if league not in leagues and league != RUN):
        return f"{start} is about leagues that this run does not have: {', '.join(unknown)}"
    if odd := [str(name) for name, measures in document["leagues"].items() if not isinstance(measures, Mapping)]:
        return f"{start} has no measures for {', '.join(odd)}"
    return None


def read_rules(path: Path) -> list[Rule]:
    """Read the rules.

    Raises:
        UsageError: the file is missing or no YAML, holds no rule, or a rule is not as its comment says; names all.
    """
    content = read_mapping(path)
    entries = content.get("rules")
    if not isinstance(entries, list) or not entries:
        raise UsageError(f"{path} holds no rule; nothing was decided\nhint: put the file back as it was")
    rules, faults = [], []
    for number, entry in enumerate(entries, start=1):
        try:
            rules.append(_rule(entry))
        except ValueError as error:
            name = entry.get("name") if isinstance(entry, dict) else None
            faults.append(f"rule {name or number}: {error}")
    names = [rule.name for rule in rules]
    faults += [
        f"rule {name}: the name stands {names.count(name)} times"
        for name in sorted({n for n in names if names.count(n) > 1})
    ]
    if faults:
        raise UsageError(
            f"{path}: {'; '.join(faults)}; nothing was decided\nhint: the comment at its top says how a rule is written"
        )
    return rules


def _rule(entry: Any) -> Rule:
    if not isinstance(entry, dict):
        raise ValueError("it is no list of keys")
    if unknown := sorted(str(key) for key in entry.keys() - _KEYS):
        raise ValueError(f"the key `{unknown[0]}` is unknown")
    if lacking := [key for key in _TEXT_KEYS if not isinstance(entry.get(key), str) or not entry[key].strip()]:
        raise ValueError(f"the key `{lacking[0]}` is missing or no text")
    allowed = {"stage": STAGES, "comparison": COMPARISONS, "severity": DECISION_OF, "scope": ("league", "run")}
    for key, words in allowed.items():
        if entry.get(key, "league") not in words:
            raise ValueError(f"{key} is `{entry[key]}`, not one of {', '.join(words)}")
    if ("threshold" in entry) == ("threshold_measure" in entry):
        raise ValueError("it needs either `threshold` or `threshold_measure`")
    if "threshold_measure" in entry and not isinstance(entry["threshold_measure"], str):
        raise ValueError("`threshold_measure` is no name of a measure")
    leagues = entry.get("leagues", {})
    numbers = [entry["threshold"]] if "threshold" in entry else []
    if not isinstance(leagues, dict) or not all(isinstance(key, str) for key in leagues):
        raise ValueError("`leagues` is no list of league keys with thresholds")
    if not all(_is_number(number) for number in [*numbers, *leagues.values()]):
        raise ValueError("a threshold is no finite number")
    for key in ("imports_only", "repairs_only"):
        if not isinstance(entry.get(key, False), bool):
            raise ValueError(f"`{key}` is neither true nor false")
    if entry.get("imports_only") and entry.get("repairs_only"):
        raise ValueError("with `imports_only` and `repairs_only` it counts for no run")
    rule = Rule(**entry)
    try:
        _message(rule, "LEAGUE", 1, 1, ["detail"])
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"the message cannot be written ({error})") from None
    return rule


def _stage_reasons(statuses: Mapping[str, str]) -> list[dict[str, Any]]:
    hint = "open its notebook in the report, then run the scrape again"
    return [
        _reason("stage_completed", stage, f"the stage {stage} {_in_words(statuses.get(stage))}; {hint}")
        for stage in STAGES
        if statuses.get(stage) != "completed"
    ]


def _in_words(status: str | None) -> str:
    words = {
        None: "has not run",
        "pending": "has not run",
        "running": "has not ended",
        "timed_out": "ran out of time",
        "died": "lost its kernel",
        "skipped": "was skipped",
        "failed": "failed",
    }
    return words.get(status, f"has the status {status!r}")


def _unusable_reasons(documents: Mapping[str, Mapping[str, Any]], league: str) -> list[dict[str, Any]]:
    """One reason per measure of the league, or of the run as a whole, that is there and cannot be compared."""
    reasons = []
    for stage, by_league in documents.items():
        if league not in by_league:
            text = f"{league}: the evidence of stage {stage} says nothing about this league; run its scrape again"
            reasons.append(_reason("evidence_is_whole", stage, text))
        for key in (league, RUN):
            for name, found in (by_league.get(key) or {}).items():
                try:
                    _value(found)
                except _Unusable as fault:
                    reasons.append(_reason("evidence_is_whole", stage, f"{key}: the measure {stage}.{name} {fault}"))
    return reasons


def _rule_reasons(
    rules: Sequence[Rule], documents: Mapping[str, Mapping[str, Any]], league: str
) -> list[dict[str, Any]]:
    reasons = []
    for rule in rules:
        measures = documents[rule.stage].get(RUN if rule.scope == "run" else league) or {}
        try:
            observed = _value(measures.get(rule.measure))
            threshold = rule.leagues.get(league, rule.threshold)
            if threshold is None:
                threshold = _value(measures.get(rule.threshold_measure))
        except _Unusable as fault:
            text = f"{league}: the measure {rule.stage}.{rule.measure}, or what it is compared with, {fault}"
            reasons.append(_reason(rule.name, rule.stage, text))
            continue
        if not COMPARISONS[rule.comparison](observed, threshold):
            detail = measures[rule.measure].get("detail", [])
            text = _message(rule, league, observed, threshold, detail)
            reason = _reason(rule.name, rule.stage, text, rule.severity, observed, threshold)
            # the message names a few; whoever decides can read all of them
            reasons.append(reason | {"names": list(detail)} if len(detail) > SHOWN_TEXTS else reason)
    return reasons


def _value(found: Any) -> float:
    if found is None:
        raise _Unusable("is missing")
    if not isinstance(found, Mapping) or "value" not in found:
        raise _Unusable(f"has no value: {str(found)[:80]!r}")
    if not _is_number(found["value"]):
        raise _Unusable(f"is {str(found['value'])[:80]!r}, which is no finite number")
    detail = found.get("detail", [])
    if not isinstance(detail, list) or not all(isinstance(text, str) for text in detail):
        raise _Unusable("has a detail that is no list of texts")
    return found["value"]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _message(rule: Rule, league: str, observed: float, threshold: float, detail: Sequence[str]) -> str:
    shown = "; ".join(detail[:SHOWN_TEXTS])
    if left := len(detail) - SHOWN_TEXTS:
        shown += f"; and {left:,} more" if left > 0 else ""
    values = {
        "league": league,
        "observed": plain(observed),
        "threshold": plain(threshold),
        "detail": shown or "no names",
    }
    return rule.message.format(**values)


def plain(number: float) -> float:
    """Whole numbers without a decimal point."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _reason(
    rule: str,
    stage: str,
    message: str,
    severity: str = "error",
    observed: float | None = None,
    threshold: float | None = None,
) -> dict[str, Any]:
    return {
        "rule": rule,
        "stage": stage,
        "severity": severity,
        "observed": observed,
        "threshold": threshold,
        "message": message,
    }


def _decided(reasons: list[dict[str, Any]]) -> dict[str, Any]:
    order = list(DECISION_OF)
    worst_first = sorted(reasons, key=lambda reason: order.index(reason["severity"]))
    return {"decision": overall([GO, *(DECISION_OF[reason["severity"]] for reason in reasons)]), "reasons": worst_first}


def _write(engine: sa.Engine, run_id: str, decided: Mapping[str, Mapping[str, Any]]) -> None:
    rows = [{"league": league, **found} for league, found in decided.items()]
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "update etl.run_leagues as l set decision = d.decision, reasons = d.reasons"
                " from jsonb_to_recordset(cast(:rows as jsonb)) as d(league text, decision text, reasons jsonb)"
                " where l.run_id = :run_id and l.league = d.league"
            ),
            {"run_id": run_id, "rows": json.dumps(rows)},
        )
