"""What a method found of what is known: precision, recall, false alarms, coverage of its band, lead time."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from rally_etl.bench.anomalies.seasons import Fault, History

ECHO = 20
"""Runs after which an alarm about a level that has shifted is a false one: the level is that now."""
TOGETHER = 2
"""Alarms that lie no more runs apart are one: nobody is told twice while it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a method says of a history, one value per point; NaN where it is silent.

    Attributes:
        score: how unusual; low, high: its 90 % band, all NaN for a method that has none.
    """

    score: np.ndarray
    low: np.ndarray
    high: np.ndarray


Method = Callable[[History], Answer]


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts over many histories; `found` and `there` by kind of fault, `lead` in runs and days per creep."""

    found: Counter[str] = field(default_factory=Counter)
    there: Counter[str] = field(default_factory=Counter)
    true: int = 0
    false: int = 0
    false_by: Counter[str] = field(default_factory=Counter)
    clean: int = 0
    inside: int = 0
    banded: int = 0
    inside_by: Counter[str] = field(default_factory=Counter)
    banded_by: Counter[str] = field(default_factory=Counter)
    lead: list[tuple[int, int]] = field(default_factory=list)
    crossing: int = 0

    @property
    def recall(self) -> float:
        """Share of the faults that were found in time."""
        return sum(self.found.values()) / sum(self.there.values())

    @property
    def precision(self) -> float:
        """Share of what was told that was a fault."""
        return self.true / max(self.true + self.false, 1)

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)

    @property
    def false_alarms(self) -> float:
        """False ones per 100 runs without a fault."""
        return 100 * self.false / self.clean

    @property
    def coverage(self) -> float:
        """Share of the good values of runs without a fault that lie in the band."""
        return self.inside / self.banded if self.banded else float("nan")


def judge(answers: Iterable[tuple[History, Answer]], threshold: float) -> Tally:
    """Count what is found when a score above *threshold* is an alarm."""
    tally = Tally()
    for history, answer in answers:
        with np.errstate(invalid="ignore"):
            alarms = answer.score > threshold
        fault = history.fault
        for first, last in _episodes(np.flatnonzero(alarms)):
            if fault and first <= _echo(fault) and last >= fault.first:
                tally.true += 1
                tally.false += max(0, last - _echo(fault)) > 0
            else:
                tally.false += 1
                tally.false_by[f"{history.profile}/{history.rhythm}"] += 1
        if fault:
            _find(tally, history, fault, alarms)
        clean = np.ones(len(history.points), dtype=bool)
        if fault:
            clean[fault.first : _echo(fault) + 1] = False
        tally.clean += int(clean.sum())
        _cover(tally, history, answer, clean)
    return tally


def threshold_for(answers: Sequence[tuple[History, Answer]], budget: float) -> float:
    """The least threshold with which no more than *budget* false alarms come per 100 clean runs."""
    scores = np.concatenate([answer.score[np.isfinite(answer.score)] for _, answer in answers])
    low, high = 0.0, float(np.quantile(scores, 0.9999)) * 4 + 1
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if judge(answers, middle).false_alarms <= budget else (middle, high)
    return high


def _find(tally: Tally, history: History, fault: Fault, alarms: np.ndarray) -> None:
    tally.there[fault.name] += 1
    hits = fault.first + np.flatnonzero(alarms[fault.first : fault.until + 1])
    tally.found[fault.name] += bool(len(hits))
    if history.crossed is not None and fault.name == "slow creep":
        tally.crossing += 1
        if len(hits):
            days = history.points[history.crossed].as_of - history.points[hits[0]].as_of
            tally.lead.append((history.crossed - int(hits[0]), days // dt.timedelta(days=1)))


def _cover(tally: Tally, history: History, answer: Answer, clean: np.ndarray) -> None:
    values = np.array([point.value for point in history.points])
    asked = clean & np.isfinite(answer.low) & np.array([point.is_good for point in history.points])
    inside = asked & (values >= answer.low) & (values <= answer.high)
    tally.banded += int(asked.sum())
    tally.inside += int(inside.sum())
    tally.banded_by[history.profile] += int(asked.sum())
    tally.inside_by[history.profile] += int(inside.sum())


def _echo(fault: Fault) -> int:
    return (
        min(fault.last, fault.first + ECHO) if fault.name == "level shift" else fault.last + (fault.name == "silence")
    )


def _episodes(alarms: np.ndarray) -> list[tuple[int, int]]:
    """First and last run of each row of alarms that are told as one."""
    if not len(alarms):
        return []
    cuts = np.flatnonzero(np.diff(alarms) > TOGETHER)
    return list(zip(alarms[np.r_[0, cuts + 1]], alarms[np.r_[cuts, len(alarms) - 1]], strict=True))
