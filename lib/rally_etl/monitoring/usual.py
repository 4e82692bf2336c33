"""What is usual of a metric: the band in which its next value lies nine times in ten, learnt from good points alone.

The level is a running median, the width comes from how far past values lay from the level before them;
docs/anomalies.md says how it was chosen. Runs are counted, not days: a month without one makes no series older.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from rally_etl.errors import UsageError
from rally_etl.monitoring.calendar import Calendar
from rally_etl.monitoring.metrics import Kind, Point

LEAST = 8
"""So many good points of the same season it takes to say anything."""
NEWEST = 60
"""Older points say nothing."""
LEVEL = 20
"""The level is the median of so many: long enough that a slow creep leaves it behind."""
LAST = 3
HALF_WIDTH = 1.645 * 1.4826 * 1.2
"""Of the middle 90 %, in median distances: of a normal distribution, and a fifth for tails that are not (measured)."""
CALMER = 1.3
"""So much wider than before may a band become by what happened lately."""
UNUSUAL = 2.2
"""A value is unusual when it strays further than so many half-widths of its band: measured, see docs/anomalies.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Where a value is expected, and where it lies nine times in ten, learnt from so many good `runs`."""

    expected: float
    low: float
    high: float
    runs: int

    def stray(self, value: float, kind: Kind) -> float:
        """How far a value lies off to the side that is worse, in half-widths of the band; 0 on the other side."""
        is_below = value < self.expected
        if value == self.expected or kind.worse == ("up" if is_below else "down"):
            return 0.0
        width = self.expected - self.low if is_below else self.high - self.expected
        return abs(value - self.expected) / width if width else math.inf

    def is_unusual(self, value: float, kind: Kind) -> bool:
        """Should a person hear of this value?"""
        return self.stray(value, kind) > UNUSUAL


def usual(history: Sequence[Point], as_of: dt.date, kind: Kind, calendar: Calendar | None) -> Band | None:
    """The band for the next point of a series, on *as_of*; None when there is too little to go by (`why_silent`).

    Args:
        history: the points before, the oldest first. Those that are not good, or of another season, say nothing.
        calendar: of the league; None where seasons do not matter.

    Raises:
        UsageError: a value that would be used is no finite number.
    """
    points = comparable(history, as_of, kind, calendar)
    if len(points) < LEAST:
        return None
    values = np.array([point.value for point in points])
    days = np.array([point.as_of.toordinal() for point in points] + [as_of.toordinal()], dtype=float)
    return _band(values, days, kind)


def bands(points: Sequence[Point], kind: Kind, calendar: Calendar | None) -> list[Band | None]:
    """What was usual at each of the points, walking forward: only those before it say so."""
    window = 2 * NEWEST  # of which half may be bad before less is seen than `usual` would see
    return [usual(points[max(0, n - window) : n], point.as_of, kind, calendar) for n, point in enumerate(points)]


def why_silent(history: Sequence[Point], as_of: dt.date, kind: Kind, calendar: Calendar | None) -> str:
    """Why `usual` answers None, in words; empty when it does not."""
    found = len(comparable(history, as_of, kind, calendar))
    if found >= LEAST:
        return ""
    since = f" since the season began on {calendar.season(as_of)}" if calendar else ""
    return f"{found} good run{'s'[: found != 1]}{since}: {LEAST} are needed to say what is usual"


def comparable(history: Sequence[Point], as_of: dt.date, kind: Kind, calendar: Calendar | None) -> list[Point]:
    """The newest good points that tell of *as_of*: of its season, and for ages of its time of play or of rest.

    Raises:
        UsageError: one of them is no finite number.
    """
    since = calendar.season(as_of) if calendar else dt.date.min
    is_break = calendar.is_break(as_of) if calendar and kind.unit == "days" else None
    found: list[Point] = []
    for point in reversed(history):
        if point.as_of < since or len(found) == NEWEST:
            break
        if not point.is_good or (calendar and is_break is not None and calendar.is_break(point.as_of) != is_break):
            continue
        if not math.isfinite(point.value):
            raise UsageError(
                f"a metric of {point.as_of} is {point.value}; nothing was concluded from its history\n"
                "hint: a metric that is no number is not stored"
            )
        found.append(point)
    return found[::-1]


def grain(level: float, kind: Kind) -> float:
    """The least half-width, in the unit of the metric: a move of less than twice this is life, however calm it was.

    Real scrapes move by one or two in a hundred from one to the next; rows come and go one by one; results come in
    days late; and nobody wants to hear that a stage took twice as long once.
    """
    match kind.unit:
        case "share":
            return 0.002
        case "rows" | "records":
            return max(2.0, 0.01 * abs(level))
        case "days":
            return 3.5
        case "points":
            return 1.0
        case "bytes":
            return max(1_000_000.0, 0.03 * abs(level))
        case "connections":
            return max(3.0, 0.2 * abs(level))
        case "seconds":
            return max(1.0, 0.6 * abs(level))
        case "milliseconds":
            return max(10.0, 0.6 * abs(level))


def bounds(kind: Kind) -> tuple[float, float]:
    """The least and the most that a metric can be."""
    return 0.0, {"share": 1.0, "points": 100.0}.get(kind.unit, math.inf)


def _band(values: np.ndarray, days: np.ndarray, kind: Kind) -> Band:
    """The band after *values*; *days* has one more, the day that is asked about."""
    size = min(LEVEL, len(values) // 2)
    told = _told(values, days, size, kind)
    errors = values[size:] - told[:-1]
    middle, width = _spread(errors)
    few = 1 + 2 / len(errors)
    expected = float(told[-1])
    least = grain(expected, kind)
    # that values lie off their level is usual to the better side, as where rows grow; to the worse it is a creep
    below = width - (max(middle, 0.0) if kind.worse == "down" else middle)
    above = width + (min(middle, 0.0) if kind.worse == "up" else middle)
    if kind.unit in ("rows", "records") and kind.worse == "down":  # nobody is told of growth, the band has it
        above = max(above, float(np.quantile(errors, 0.95)))
    bottom, top = bounds(kind)
    low, high = (expected - max(least, few * below), expected + max(least, few * above))
    return Band(expected=expected, low=max(bottom, low), high=min(top, high), runs=len(values))


def _spread(errors: np.ndarray) -> tuple[float, float]:
    """Their middle, and the half-width of the 90 % band around it.

    A creep of which all points went live would soon be usual: where the older two thirds were calmer, they say it.
    """
    spreads = []
    for some in (errors, errors[: max(LEAST, 2 * len(errors) // 3)]):
        middle = float(_median(some))
        spreads.append((middle, HALF_WIDTH * float(_median(np.abs(some - middle)))))
    (middle, width), (older, calm) = spreads
    return (middle, width) if width <= CALMER * calm else (older, CALMER * calm)


def _told(values: np.ndarray, days: np.ndarray, size: int, kind: Kind) -> np.ndarray:
    """What was expected of each value from `size` on, and of the next one: the level of those before it."""
    level = _median(sliding_window_view(values, size))
    if kind.unit in ("rows", "records") and kind.worse == "down":
        # what is there stays: where rows grow, the last ones are the level; where they dwindle, what there was
        return np.maximum(level, _median(sliding_window_view(values, LAST))[size - LAST :])
    if kind.unit not in ("days", "bytes"):
        return level
    grown = _grown(values, days, size)
    if _typical(values[size:] - grown[:-1]) < 0.4 * _typical(values[size:] - level[:-1]):
        return grown
    return level


def _grown(values: np.ndarray, days: np.ndarray, size: int) -> np.ndarray:
    """The last values, moved on at the rate of the two weeks before (or of the last three runs)."""
    at = np.arange(size, len(days))
    back = np.clip(np.searchsorted(days, days[at - 1] - 14), 0, at - LAST)
    rate = (values[at - 1] - values[back]) / np.maximum(days[at - 1] - days[back], 1)
    return np.median([values[at - n] + rate * (days[at] - days[at - n]) for n in range(1, LAST + 1)], axis=0)


def _typical(errors: np.ndarray) -> float:
    """Mean size of all but the largest tenth."""
    return float(np.sort(np.abs(errors))[: max(1, int(0.9 * len(errors)))].mean())


def _median(values: np.ndarray) -> np.ndarray:
    """Median over the last axis; `np.median` takes three times as long for so few."""
    size = values.shape[-1]
    sides = np.partition(values, (half := size // 2, (size - 1) // 2), axis=-1)
    return (sides[..., half] + sides[..., (size - 1) // 2]) / 2
