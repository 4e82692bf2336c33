"""What to do about a score, in order of what it would win."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rally_etl.monitoring.health import Finding, Score, lost_of, score
from rally_etl.monitoring.health_params import HealthParams


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing to mend.

    Attributes:
        points: what the score wins when this alone is mended; 0 where something else holds it down as far.
        after: the score when this and all before it in the list are mended.
    """

    finding: Finding
    points: float
    after: float

    def as_json(self) -> dict[str, Any]:
        """An entry of `recommendations` of ``health --json``."""
        found = self.finding
        return {
            "check": found.check, "points": self.points, "score_after": self.after, "failing_rows": found.failing_rows,
            "rows": found.rows, "what": found.in_words(), "should": found.title, "todo": found.todo,
            "command": found.command,
        }  # fmt: skip


def advise(params: HealthParams, scored: Score, *, in_season: bool = True) -> list[Advice]:
    """What lowers a score, what wins most first; of those that win nothing yet, what costs most by itself."""
    findings = _told_apart(params, scored)
    wrong = [each for each in findings if _is_wrong(params, scored, each)]

    def after(mended: Iterable[Finding]) -> Score:
        return score(params, _mended(findings, mended), in_season=in_season)

    ranked = []
    for each in wrong:
        without = after([each])
        alone = after(other for other in wrong if other is not each)
        ranked.append((scored.score - without.score, alone.score, scored.mean - without.mean, each.check, each))
    found: list[Advice] = []
    done: list[Finding] = []
    for negative, *_, each in sorted(ranked, key=lambda rank: rank[:4]):
        done.append(each)
        found.append(Advice(finding=each, points=abs(round(negative, 1)), after=after(done).score))
    return found


def _is_wrong(params: HealthParams, scored: Score, finding: Finding) -> bool:
    return bool(lost_of(params, finding)) or any(held.finding is finding for held in scored.caps)


def _told_apart(params: HealthParams, scored: Score) -> list[Finding]:
    """What is wrong, and of what is not one of each dimension and table: more of these change no score."""
    found: list[Finding] = []
    places: set[tuple[str, str]] = set()
    for each in scored.findings:
        if _is_wrong(params, scored, each):
            found.append(each)
        elif (each.dimension, each.table) not in places:
            places.add((each.dimension, each.table))
            found.append(each)
    return found


def advise_all(found: Mapping[str, list[Advice]]) -> list[dict[str, Any]]:
    """The advice for several leagues as one list: what is to be mended in more than one of them stands there once."""
    together: dict[str, dict[str, Any]] = {}
    for league, advice in found.items():
        for each in advice:
            one = together.get(each.finding.check)
            if one is None:
                together[each.finding.check] = each.as_json() | {"leagues": [league]}
                continue
            one["leagues"].append(league)
            if (each.points, -each.after) > (one["points"], -one["score_after"]):
                together[each.finding.check] = each.as_json() | {"leagues": one["leagues"]}
    return sorted(together.values(), key=lambda one: (-one["points"], one["score_after"], one["check"]))


def _mended(findings: Iterable[Finding], mended: Iterable[Finding]) -> list[Finding]:
    gone = {id(each) for each in mended}
    return [
        replace(each, outcome="passed", failing_rows=0, lost=None, extent=None) if id(each) in gone else each
        for each in findings
    ]
