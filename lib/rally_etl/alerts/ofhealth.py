"""What the health of live has to say: one incident per cause over leagues, without names, over when all is good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from rally_etl.alerts.findings import Finding
from rally_etl.alerts.handing import hand_over, tell_stderr
from rally_etl.incidents import Severity
from rally_etl.settings import Settings

CAUSES = "health/"
SMALL_THINGS = f"{CAUSES}score"
"""Cause of a score that is low without a cap: many small things."""
EVERYWHERE = "*"
_SEVERITY_OF: dict[str, Severity] = {"critical": "error", "warning": "warn"}


def after_look(
    engine: sa.Engine,
    settings: Settings,
    document: Mapping[str, Any],
    *,
    send: bool = True,
    tell: Callable[[str], None] = tell_stderr,
) -> None:
    """Note what a look at live found, queue what people have to hear of it, and send for as long as the budget allows.

    Critical is an error, warning a warning. What was found before in a league that was looked at, and is not found
    now, is over. Whatever goes wrong here is told in a line: the look and its exit code stand.

    Args:
        document: of `health_live`.
        send: False only queues; the next command sends.
    """
    looked_at = [*document["leagues"]] or [EVERYWHERE]
    mended = {league: [CAUSES] for league in dict.fromkeys([*looked_at, EVERYWHERE])}
    hand_over(engine, settings, lambda _: (list(findings(document)), mended), send=send, tell=tell)


def findings(document: Mapping[str, Any]) -> Iterator[Finding]:
    """One finding per league and cap that holds it below 90; one of a score that is low without any.

    The words are those of `params/health.yaml` and of checks, with counts: reports tell which rows.
    """
    if not document["leagues"]:
        yield _finding(EVERYWHERE, SMALL_THINGS, "error", "health is 0: the database has no league", document)
    for league, found in document["leagues"].items():
        if found["level"] == "good":
            continue
        severity = _SEVERITY_OF[found["level"]]
        holding = [cap for cap in found["caps"] if cap["level"] != "good"]
        for cap in holding:
            what = f"health is held at {cap['score']:g} by {cap['check']}{_count(cap)}: {cap['why'].rstrip('.')}"
            yield _finding(league, CAUSES + cap["cap"], _SEVERITY_OF[cap["level"]], what, found, cap)
        if found["without_caps"] < min((cap["score"] for cap in holding), default=100) or not holding:
            first = found["recommendations"][0] if found["recommendations"] else None
            worst = f"; most of it by {first['check']}{_count(first)}" if first else ""
            yield _finding(league, SMALL_THINGS, severity, f"health is {found['health_score']:g}{worst}", found)


def _finding(
    league: str,
    cause: str,
    severity: Severity,
    what: str,
    found: Mapping[str, Any],
    cap: Mapping[str, Any] | None = None,
) -> Finding:
    advice = [each for each in found["recommendations"] if cap is None or each["check"] == cap["check"]]
    todo = f"{advice[0]['todo'].rstrip('.')}; `{advice[0]['command']}`" if advice else "`rally-etl health --detailed`"
    return Finding(
        cause=cause, league=league, severity=severity, what=what, todo=todo, stage="live",
        whom="whoever reads the league's pages: this is live", dimensions=tuple(cap["dimensions"]) if cap else (),
        owners=tuple(cap["owners"]) if cap else (),
    )  # fmt: skip


def _count(found: Mapping[str, Any]) -> str:
    """How many rows, where they are known."""
    if not found["failing_rows"]:
        return ""
    return f" ({found['failing_rows']:,} of {found['rows']:,} rows)" if found["rows"] else ""
