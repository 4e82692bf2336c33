"""What is usual of a metric: the band in which its next value lies nine times in ten, from good points alone."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rally_etl.errors import UsageError
from rally_etl.monitoring.calendar import Calendar
from rally_etl.monitoring.metrics import Kind, Point

LEAST = 8
"""So many good points of the same season it takes to say anything."""
NEWEST = 20
HALF_WIDTH = 1.645
"""Of the middle 90 % of a normal distribution, in standard deviations."""
UNUSUAL = 3.0
"""A value is unusual when it strays so many half-widths from what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Where a value is expected, and where it lies nine times in ten, learnt from so many `runs`."""

    expected: float
    low: float
    high: float
    runs: int

    def stray(self, value: float, kind: Kind) -> float:
        """How far a value lies off to the side that is worse, in half-widths of the band; 0 on the other side."""
        below, above = self.expected - value, value - self.expected
        strays = [0.0]
        if kind.worse != "up" and below > 0:
            strays.append(below / max(self.expected - self.low, 1e-12))
        if kind.worse != "down" and above > 0:
            strays.append(above / max(self.high - self.expected, 1e-12))
        return max(strays)

    def is_unusual(self, value: float, kind: Kind) -> bool:
        """Should a person hear of this value?"""
        return self.stray(value, kind) > UNUSUAL


def usual(history: Sequence[Point], as_of: dt.date, kind: Kind, calendar: Calendar | None) -> Band | None:
    """The band for the next point of a series, on *as_of*; None when there is too little to go by (`why_silent`).

    Args:
        history: the points before, the oldest first. Those that are not good, or of another season, say nothing.
        calendar: of the league; None where no season matters.

    Raises:
        UsageError: a value is not finite.
    """
    values = _comparable(history, as_of, calendar)[-NEWEST:]
    if len(values) < LEAST:
        return None
    level = float(np.median(values))
    width = HALF_WIDTH * max(1.4826 * float(np.median(np.abs(values - level))), _grain(level, kind))
    low, high = _bounds(kind)
    return Band(expected=level, low=max(low, level - width), high=min(high, level + width), runs=len(values))


def bands(points: Sequence[Point], kind: Kind, calendar: Calendar | None) -> list[Band | None]:
    """What was usual at each of the points, walking forward: only those before it say so."""
    return [usual(points[:n], point.as_of, kind, calendar) for n, point in enumerate(points)]


def why_silent(history: Sequence[Point], as_of: dt.date, calendar: Calendar | None) -> str:
    """Why `usual` answers None; empty when it does not."""
    found = len(_comparable(history, as_of, calendar))
    if found >= LEAST:
        return ""
    since = f" since the season began on {calendar.season(as_of)}" if calendar else ""
    return f"{found} good runs{since}, {LEAST} are needed to say what is usual"


def _comparable(history: Sequence[Point], as_of: dt.date, calendar: Calendar | None) -> np.ndarray:
    for point in history:
        if not math.isfinite(point.value):
            raise UsageError(
                f"a metric of {point.as_of} is {point.value}; nothing was concluded\nhint: store no metric that is no number"
            )
    since = calendar.season(as_of) if calendar else dt.date.min
    return np.array([point.value for point in history if point.is_good and point.as_of >= since], dtype=float)


def _grain(level: float, kind: Kind) -> float:
    """The least width that noise has: counting makes steps, and nothing is measured better than to one in a hundred."""
    if kind.unit == "share":
        return 0.002
    return (
        max(1.0, 0.005 * abs(level))
        if kind.unit in ("rows", "records", "days", "points", "connections")
        else 0.02 * abs(level)
    )


def _bounds(kind: Kind) -> tuple[float, float]:
    if kind.unit == "share":
        return 0.0, 1.0
    return 0.0, 100.0 if kind.unit == "points" else math.inf
