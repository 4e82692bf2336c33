"""The health score: findings of checks, weighted by dimension, 0 to 100."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rally_etl.checks.files import DIMENSIONS
from rally_etl.errors import UsageError
from rally_etl.measures import counted
from rally_etl.monitoring.freshness import Freshness
from rally_etl.params import read_mapping

BEST, WORST = 100.0, 0.0
SHOWN_NAMES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthParams:
    """What `params/health.yaml` says."""

    weights: dict[str, float]
    zero_at: dict[str, float]
    cap_when_failed: float
    fresh_days: float
    stale_days: float
    levels: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check on one league; `outcome` is None when it should have run and has no result."""

    check: str
    table: str
    dimension: str
    severity: str
    outcome: str | None
    failing_rows: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One dimension of a score; `detail` names what took points away."""

    name: str
    score: float
    weight: float
    detail: list[str]

    def as_json(self) -> dict[str, Any]:
        """The entry of ``health --json``."""
        return {"part": self.name, "score": round(self.score, 1), "weight": self.weight, "detail": self.detail}


def read_health_params(path: Path) -> HealthParams:
    """Read the file.

    Raises:
        UsageError: it is missing, no YAML, or lacks a number.
    """
    try:
        content = read_mapping(path)
        params = HealthParams(
            weights={name: float(content["weights"][name]) for name in content["weights"]},
            zero_at={severity: float(content["zero_at"][severity]) for severity in ("error", "warn")},
            cap_when_failed=float(content["cap_when_failed"]),
            fresh_days=float(content["lag_days"]["fresh"]),
            stale_days=float(content["lag_days"]["stale"]),
            levels={name: float(score) for name, score in content["levels"].items()},
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _refused(path, f"{type(error).__name__}: {error}") from None
    numbers = [*params.weights.values(), *params.zero_at.values(), params.cap_when_failed, *params.levels.values()]
    if not all(math.isfinite(number) and number >= 0 for number in numbers) or not sum(params.weights.values()):
        raise _refused(path, "a number is negative or not finite, or all weights are 0")
    if unknown := params.weights.keys() - set(DIMENSIONS):
        raise _refused(path, f"`{sorted(unknown)[0]}` is no dimension")
    if not all(params.zero_at.values()) or not params.fresh_days < params.stale_days:
        raise _refused(path, "`zero_at` must be above 0 and `fresh` below `stale`")
    return params


def score_parts(
    params: HealthParams, findings: Sequence[Finding], rows: Mapping[str, int], freshness: Freshness | None
) -> list[Part]:
    """Score every dimension that has a weight; one without any evidence scores 0 and says so.

    Args:
        findings: all checks that should have run for the league.
        rows: table -> its rows of the league.
        freshness: None when it could not be measured.
    """
    parts = []
    for name, weight in params.weights.items():
        scored = [(_points(params, each, rows), each) for each in findings if each.dimension == name]
        derived = [points for points, each in scored if each.check.startswith("constraint/")]
        points = [points for points, each in scored if not each.check.startswith("constraint/")]
        points += [min(derived)] if derived else []
        lost = sorted((points, _told(each)) for points, each in scored if points < BEST)
        detail = [text for _, text in lost[:SHOWN_NAMES]]
        if name == "timeliness":
            points.append(_timely_points(params, freshness))
            if points[-1] < BEST:
                detail.insert(0, freshness.told() if freshness else "freshness was not measured")
        if not points:
            detail.append("no check of this dimension ran")
        parts.append(
            Part(name=name, score=sum(points) / len(points) if points else WORST, weight=weight, detail=detail)
        )
    return parts


def total_score(params: HealthParams, parts: Iterable[Part], findings: Iterable[Finding]) -> float:
    """Weighted mean of the parts, capped when a check that must hold failed, could not run or has no result."""
    parts = list(parts)
    weight = sum(part.weight for part in parts)
    score = sum(part.score * part.weight for part in parts) / weight if weight else WORST
    if any(each.severity == "error" and each.outcome in ("failed", "errored", None) for each in findings):
        score = min(score, params.cap_when_failed)
    return round(score, 2)


def level_of(params: HealthParams, score: float) -> str:
    """Word for a score."""
    reached = [name for name, least in sorted(params.levels.items(), key=lambda level: -level[1]) if score >= least]
    return reached[0] if reached else "critical"


def _points(params: HealthParams, finding: Finding, rows: Mapping[str, int]) -> float:
    if finding.outcome == "passed":
        return BEST
    if finding.outcome not in ("failed", "warned") or finding.failing_rows is None:
        return WORST
    share = finding.failing_rows / max(1, rows.get(finding.table, 0))
    return BEST * (1 - min(1.0, share / params.zero_at.get(finding.severity, params.zero_at["error"])))


def _timely_points(params: HealthParams, freshness: Freshness | None) -> float:
    if freshness is None:
        return WORST
    if freshness.lag_days is None:
        return BEST
    late = (freshness.lag_days - params.fresh_days) / (params.stale_days - params.fresh_days)
    return BEST * (1 - min(1.0, max(0.0, late)))


def _told(finding: Finding) -> str:
    if finding.outcome is None:
        return f"{finding.check} has no result"
    if finding.failing_rows is None:
        return f"{finding.check} could not run"
    return f"{finding.check}: {counted(finding.failing_rows, 'row')}"


def _refused(path: Path, what: str) -> UsageError:
    return UsageError(
        f"{path} cannot be used ({what}); no score was made\nhint: compare it with the project's own file"
    )
