"""Where a metric goes: its robust trend with a band, and the days until it crosses its threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rally_etl.monitoring.calendar import Calendar
from rally_etl.monitoring.metrics import Kind, Point
from rally_etl.monitoring.usual import HALF_WIDTH

LEAST = 8
HORIZON_DAYS = 60
"""Nobody believes a line that was drawn further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A straight line through the newest good points, from the newest day on.

    Attributes:
        level: on the newest day; slope: per day, with its 90 % bounds; noise: half-width of the band of one value.
    """

    level: float
    slope: float
    slope_low: float
    slope_high: float
    noise: float
    runs: int

    def value(self, days: float) -> float:
        """What is expected after so many days."""
        return self.level + self.slope * days

    def band(self, days: float) -> tuple[float, float]:
        """Between which values it lies nine times in ten after so many days."""
        return (
            self.level + self.slope_low * days - self.noise,
            self.level + self.slope_high * days + self.noise,
        )

    def days_until(self, threshold: float) -> int | None:
        """Whole days until the line crosses a threshold; None when it does not go there, or not within the horizon."""
        gap = threshold - self.level
        if self.slope_low <= 0 <= self.slope_high or gap * self.slope < 0:
            return None
        days = math.ceil(gap / self.slope) if gap else 0
        return days if days <= HORIZON_DAYS else None


def forecast(history: Sequence[Point], kind: Kind, calendar: Calendar | None) -> Forecast | None:
    """The trend of the good points of the newest season; None when there are too few of them."""
    if not history:
        return None
    since = calendar.season(history[-1].as_of) if calendar else None
    good = [point for point in history if point.is_good and (since is None or point.as_of >= since)][-40:]
    if len(good) < LEAST:
        return None
    last = history[-1].as_of
    days = np.array([(point.as_of - last).days for point in good], dtype=float)
    values = np.array([point.value for point in good])
    one, other = np.triu_indices(len(good), 1)
    apart = days[other] != days[one]
    if not apart.any():
        return None
    slopes = (values[other] - values[one])[apart] / (days[other] - days[one])[apart]
    slope = float(np.median(slopes))
    level = float(np.median(values - slope * days))
    noise = HALF_WIDTH * 1.4826 * float(np.median(np.abs(values - level - slope * days)))
    spread = noise / max(float(days[-1] - days[0]), 1.0)
    return Forecast(
        level=level, slope=slope, slope_low=slope - spread, slope_high=slope + spread, noise=noise, runs=len(good)
    )
