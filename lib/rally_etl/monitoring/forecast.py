"""Where a metric goes: its robust trend with a band, and the days until it crosses its threshold."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rally_etl.monitoring.calendar import Calendar
from rally_etl.monitoring.metrics import Kind, Point
from rally_etl.monitoring.usual import LEAST, bounds, comparable, grain

NEWEST = 20
"""A trend is that of so many good runs: older ones tell of another time."""
HORIZON_DAYS = 60
"""Further than this nobody should believe a straight line."""
NORMAL = 1.645
MAD = 1.4826
SURE = 2.0
"""A slope that is smaller than so many half-widths of its own 90 % band is noise: nothing is predicted from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A straight line through the newest good points, from `day` on.

    Attributes:
        level: on `day`, the day of the newest point.
        slope: per day; doubt: half-width of its 90 % band.
        noise: half-width of the 90 % band of one value around the line, on `day`.
        reach: days that the line was seen, half of them: the farther off its middle, the less it is sure.
        least, most: what the metric can be.
    """

    day: dt.date
    level: float
    slope: float
    doubt: float
    noise: float
    reach: float
    runs: int
    least: float
    most: float

    @property
    def has_trend(self) -> bool:
        """Is there more than noise?"""
        return abs(self.slope) > SURE * self.doubt

    def value(self, days: float) -> float:
        """What is expected after so many days; the level where there is no trend."""
        return self._fit(self.level + (self.slope * days if self.has_trend else 0.0))

    def band(self, days: float) -> tuple[float, float]:
        """Between which values it lies nine times in ten after so many days."""
        width = math.hypot(self.noise, self.doubt * (days + self.reach))
        return self._fit(self.value(days) - width), self._fit(self.value(days) + width)

    def days_until(self, threshold: float) -> int | None:
        """Whole days until the line crosses a threshold; None when it does not go there, or not within the horizon."""
        gap = threshold - self.level
        if not self.has_trend or gap * self.slope < 0 or abs(gap) > abs(self.slope) * HORIZON_DAYS:
            return None
        return math.ceil(gap / self.slope)

    def _fit(self, value: float) -> float:
        return min(max(value, self.least), self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How many of the values that were foretold lay `inside` their band, of those that were `asked`."""

    inside: int
    asked: int


def forecast(history: Sequence[Point], kind: Kind, calendar: Calendar | None) -> Forecast | None:
    """The trend of the newest good points of the season: the median slope of all pairs of them.

    None when there are too few of them, or all are of one day.

    Args:
        history: the oldest first; its newest point says which day it is.

    Raises:
        UsageError: a value that would be used is no finite number.
    """
    if not history:
        return None
    today = history[-1].as_of
    points = comparable(history, today, kind, calendar)[-NEWEST:]
    if len(points) < LEAST or points[0].as_of == points[-1].as_of:
        return None
    values = np.array([point.value for point in points])
    days = np.array([(point.as_of - today).days for point in points], dtype=float)
    slope, doubt = _slope(values, days)
    rest = values - slope * days
    level = float(np.median(rest))
    noise = max(grain(level, kind), NORMAL * MAD * float(np.median(np.abs(rest - level)))) * (1 + 2 / len(points))
    least, most = bounds(kind)
    return Forecast(
        day=today, level=level, slope=slope, doubt=doubt, noise=noise, reach=-float(days[0]) / 2, runs=len(points),
        least=least, most=most,
    )  # fmt: skip


def backtest(history: Sequence[Point], kind: Kind, calendar: Calendar | None, days: int) -> Coverage:
    """How often the band held so many days ahead: at each run the forecast was made again from what was known then.

    It is asked of the first good run that came so many days later, up to half as many again, in the same season.
    """
    inside = asked = 0
    for n, point in enumerate(history):
        after = (p for p in history[n + 1 :] if p.is_good and (p.as_of - point.as_of).days >= days)
        later = next(after, None)
        if not later or 2 * (later.as_of - point.as_of).days > 3 * days:
            continue
        if calendar and calendar.period(later.as_of) != calendar.period(point.as_of):
            continue
        if told := forecast(history[: n + 1], kind, calendar):
            low, high = told.band((later.as_of - point.as_of).days)
            inside += low <= later.value <= high
            asked += 1
    return Coverage(inside=inside, asked=asked)


def _slope(values: np.ndarray, days: np.ndarray) -> tuple[float, float]:
    """Theil and Sen's slope, and the half-width of its 90 % band after Kendall.

    Runs that follow each other are alike, so they count for less than they are: by how alike their distances from the
    line are.
    """
    one, other = np.triu_indices(len(values), 1)
    apart = days[other] > days[one]
    slopes = np.sort((values[other] - values[one])[apart] / (days[other] - days[one])[apart])
    slope = float(np.median(slopes))
    rest = values - slope * days
    rest = rest - np.median(rest)
    size = float(rest @ rest)
    alike = min(max(float(rest[1:] @ rest[:-1]) / size, 0.0), 0.9) if size else 0.0
    n = len(values)
    spread = NORMAL * math.sqrt(n * (n - 1) * (2 * n + 5) / 18 * (1 + alike) / (1 - alike))
    low = max(0, int((len(slopes) - spread) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + spread) / 2))
    return slope, max(slope - float(slopes[low]), float(slopes[high]) - slope)
