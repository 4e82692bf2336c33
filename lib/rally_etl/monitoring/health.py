"""The health score: what was found of a league, weighted by dimension, normalised per table, capped by the worst."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rally_etl.measures import counted
from rally_etl.monitoring.health_params import Cap, HealthParams, level_of

BEST, WORST = 100.0, 0.0
_ALMOST = 99.9
SETTLED = ("passed", "skipped")
"""Outcomes that no cap is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was asked of a league, or should have been.

    Attributes:
        check: its name: of a check, or `users/orphans`, `schedule/freshness`, ...
        table: where it counts within its dimension; findings of one table share that table's part.
        outcome: of a check; None when it should have been asked and has no answer; `gone` when the last run asked it
            and nothing does now.
        failing_rows: rows that are wrong, of an unanswered one as far as the last answer knows; None is unknown.
        rows: of how many.
        kind: as the caps of `params/health.yaml` name it.
        lost, extent: what it takes from its table (0 to 1), and what caps compare with their steps, where the share of
            the rows does not say it.
        title: what should be true; ``owner``: whom to ask; ``told``: what was found, where counts do not say it.
        todo, command: what to do about it.
    """

    check: str
    table: str
    dimension: str
    severity: str
    outcome: str | None
    failing_rows: int | None
    rows: int = 0
    kind: str = "check"
    lost: float | None = None
    extent: float | None = None
    title: str = ""
    owner: str = ""
    told: str = ""
    todo: str = ""
    command: str = ""

    @property
    def state(self) -> str:
        """`passed`, `skipped`, `wrong`, `unknown` (no answer) or `gone` (nobody asks it any more)."""
        if self.outcome in ("failed", "warned"):
            return "wrong" if self.failing_rows is not None or self.lost is not None else "unknown"
        return self.outcome if self.outcome in (*SETTLED, "gone") else "unknown"

    @property
    def weighs(self) -> str:
        """Its severity as it counts here: what an `error` check tolerates and tells is a warning."""
        return "warn" if self.outcome == "warned" else self.severity

    @property
    def share(self) -> float:
        """Share of the rows that is wrong, 0 to 1, or its `extent`."""
        if self.extent is not None:
            return self.extent
        return min(1.0, (self.failing_rows or 0) / max(1, self.rows))

    def in_words(self) -> str:
        """The finding in a line, without names of persons."""
        if self.told:
            return f"{self.check}: {self.told}"
        if self.state == "gone":
            return f"{self.check} was asked by the last run and is not there any more"
        if self.state == "unknown":
            return f"{self.check} " + ("has no result" if self.outcome is None else "could not run")
        if self.state == "skipped":
            return f"{self.check} was not asked"
        failing = self.failing_rows or 0
        return f"{self.check}: " + (
            f"{failing:,} of {counted(self.rows, 'row')}" if self.rows >= failing else counted(failing, "row")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """What one finding takes from its dimension, in points of the total."""

    finding: Finding
    points: float

    def as_json(self) -> dict[str, Any]:
        """An entry of `lowered` of ``health --json``."""
        return {
            "check": self.finding.check, "table": self.finding.table, "points": round(self.points, 2),
            "failing_rows": self.finding.failing_rows, "rows": self.finding.rows, "told": self.finding.in_words(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One dimension of a score: 0 to 100, its weight, and what took points away, the most first."""

    name: str
    score: float
    weight: float
    lowered: list[Lowered]

    @property
    def detail(self) -> list[str]:
        """What lowered it, in words, each with its points of the total."""
        if not self.lowered and self.score < BEST:
            return ["no check of this dimension is there"]
        return [f"{each.finding.in_words()} (-{shown(each.points)})" for each in self.lowered]

    @property
    def points(self) -> float:
        """Points of the total that it lacks, of all weights together 100."""
        return sum(each.points for each in self.lowered)

    def as_json(self) -> dict[str, Any]:
        """The entry of ``health --json``."""
        return {
            "part": self.name, "score": _floored(self.score), "weight": self.weight, "detail": self.detail,
            "lowered": [each.as_json() for each in self.lowered],
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A cap that stands: the class, the score that it allows with its word, and the finding that set it."""

    name: str
    score: float
    level: str
    why: str
    finding: Finding

    @property
    def is_late(self) -> bool:
        """Does it stand because matches were due that did not come?"""
        return self.finding.kind == "freshness" and self.finding.state == "wrong"

    @property
    def told(self) -> str:
        """The cap in a sentence."""
        return f"held at {shown(self.score)}: {self.finding.in_words()}"

    def as_json(self) -> dict[str, Any]:
        """An entry of `caps` of ``health --json``."""
        found = self.finding
        return {
            "cap": self.name, "score": self.score, "level": self.level, "check": found.check,
            "failing_rows": found.failing_rows, "rows": found.rows, "told": found.in_words(), "why": self.why,
            "dimensions": [found.dimension], "owners": [found.owner] if found.owner else [],
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The score of a league with what made it.

    Attributes:
        score: 0 to 100, rounded down to a tenth: only where nothing at all is lost it is 100.
        mean: what it would be without caps.
        caps: those that stand, the lowest first, one per class.
        missing: evidence that should be there and is not, in words.
    """

    score: float
    mean: float
    level: str
    parts: list[Part]
    caps: list[Held]
    missing: list[str]
    findings: Sequence[Finding] = field(repr=False)

    @property
    def of_rows(self) -> float:
        """The score without the cap of matches that are late: to hold back those that came would make it no better."""
        return min([self.mean, *(cap.score for cap in self.caps if not cap.is_late)])

    @property
    def is_held(self) -> bool:
        """Whether a cap, and not the mean, decides."""
        return bool(self.caps) and self.caps[0].score < self.mean


def score(params: HealthParams, findings: Sequence[Finding], *, in_season: bool = True) -> Score:
    """Score a league.

    Within a table of a dimension what fails multiplies, so that thirty checks that pass do not hide one that fails; a
    dimension is the mean of its tables, the score the weighted mean of the dimensions, held by the lowest cap.

    Args:
        findings: all that was asked, and all that should have been.
    """
    total = sum(params.weights.values())
    parts = [
        _part(params, name, BEST * weight / total, weight, [each for each in findings if each.dimension == name])
        for name, weight in params.weights.items()
    ]
    mean = sum(part.score * part.weight for part in parts) / total
    mean = min(mean, _ALMOST) if any(part.score < BEST for part in parts) else BEST
    caps = _caps(params, findings, in_season)
    reached = _floored(min([mean, *(cap.score for cap in caps)]))
    return Score(
        score=reached,
        mean=_floored(mean),
        level=level_of(params, reached),
        parts=parts,
        caps=caps,
        missing=[
            each.in_words()
            for each in findings
            if each.state in ("unknown", "gone", "skipped") or (each.kind == "rows" and each.state == "wrong")
        ],
        findings=findings,
    )


def lost_of(params: HealthParams, finding: Finding) -> float:
    """What a finding takes from its table, 0 to 1."""
    if finding.state == "passed":
        return 0.0
    if finding.lost is not None:
        return min(1.0, max(0.0, finding.lost))
    if finding.state == "skipped":
        return params.skipped
    if finding.state != "wrong":
        return 1.0
    return min(1.0, finding.share / getattr(params.zero_at, finding.weighs))


def _part(params: HealthParams, name: str, points: float, weight: float, findings: Sequence[Finding]) -> Part:
    tables: dict[str, list[tuple[Finding, float]]] = defaultdict(list)
    for each in findings:
        tables[each.table].append((each, lost_of(params, each)))
    lowered = []
    left = 0.0
    for found in tables.values():
        kept = math.prod(1 - lost for _, lost in found)
        left += kept
        total = sum(lost for _, lost in found)
        lowered += [
            Lowered(finding=each, points=points * (1 - kept) * lost / total / len(tables))
            for each, lost in found
            if lost
        ]
    lowered.sort(key=lambda each: (-each.points, each.finding.check))
    reached = BEST if tables and not lowered else BEST * left / len(tables) if tables else WORST
    return Part(name=name, score=reached, weight=weight, lowered=lowered)


def _caps(params: HealthParams, findings: Iterable[Finding], in_season: bool) -> list[Held]:
    """The lowest cap of each class, the lowest first."""
    lowest: dict[str, Held] = {}
    for each in findings:
        if each.state in SETTLED:
            continue
        for name, cap in params.caps.items():
            if cap.in_season and not in_season:
                continue
            for reached in _reached(cap, each):
                if name not in lowest or reached < lowest[name].score:
                    lowest[name] = Held(
                        name=name, score=reached, level=level_of(params, reached), why=cap.why, finding=each
                    )  # fmt: skip
    return sorted(lowest.values(), key=lambda held: (held.score, held.name))


def _reached(cap: Cap, finding: Finding) -> list[float]:
    """The highest scores that a class allows with a finding: none where it is not of the class.

    One without an answer counts as what its last answer says, too: a check that is gone does not raise the score.
    """
    fits = (
        finding.kind in cap.kinds
        and (not cap.severities or finding.weighs in cap.severities)
        and (not cap.dimensions or finding.dimension in cap.dimensions)
        and (not cap.checks or finding.check in cap.checks)
    )
    if not fits:
        return []
    found = []
    if finding.state in cap.states and finding.state != "wrong":
        found.append(cap.score(1.0))
    if "wrong" in cap.states and (finding.failing_rows or finding.extent or finding.lost):
        found.append(cap.score(finding.share))
    return [each for each in found if each is not None]


def worst_parts(params: HealthParams, scores: Mapping[str, Score]) -> list[dict[str, Any]]:
    """Per dimension the part of the league that has least points."""
    parts = []
    for name in params.weights:
        found = [
            (part.score, league, part) for league, each in scores.items() for part in each.parts if part.name == name
        ]
        if found:
            _, league, part = min(found, key=lambda entry: entry[:2])
            parts.append(part.as_json() | {"league": league})
    return parts


def shown(points: float) -> str:
    """Points as people write them: one decimal, two below a tenth, none where there are none."""
    text = f"{points:.1f}" if points >= 0.1 or not points else f"{max(points, 0.01):.2f}"
    return text.removesuffix(".0")


def _floored(points: float) -> float:
    return math.floor(round(points, 6) * 10) / 10
