"""How good the forecast is: its band so many days ahead, and the crossings of thresholds that it predicts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rally_etl.bench.anomalies.seasons import PROFILES, History
from rally_etl.monitoring.forecast import Coverage, backtest, forecast

AHEAD = 30
"""Days ahead that a crossing is told, as in `params/anomalies.yaml`."""


@dataclass(slots=True, kw_only=True)
class Crossings:
    """Creeps that crossed their threshold, and what was predicted of them.

    Attributes:
        ahead: days between the first prediction and the crossing, of each that was predicted.
        off: days by which that prediction was wrong (too early is negative).
        vain: runs of clean histories at which a crossing was predicted that did not come, of `clean`.
    """

    creeps: int = 0
    ahead: list[int] = field(default_factory=list)
    off: list[int] = field(default_factory=list)
    vain: int = 0
    clean: int = 0


def cover(histories: Iterable[History], days: int, every: int = 1) -> dict[str, Coverage]:
    """Profile -> how often the band held so many days ahead, over clean histories."""
    found: dict[str, Coverage] = {}
    for history in list(histories)[::every]:
        if history.fault is None:
            one = backtest(history.points, history.kind, history.calendar, days)
            before = found.get(history.profile, Coverage(inside=0, asked=0))
            found[history.profile] = Coverage(inside=before.inside + one.inside, asked=before.asked + one.asked)
    return found


def crossings(histories: Iterable[History]) -> Crossings:
    """Of the series with a threshold of their own: creeps that cross it, and runs without a fault."""
    found = Crossings()
    for history in histories:
        if PROFILES[history.profile].is_factor or history.kind.unit == "days":
            continue
        if history.fault is None:
            found.clean += len(history.points)
            found.vain += sum(_predicted(history, run) is not None for run in range(len(history.points)))
        elif history.crossed is not None:
            _follow(found, history, history.fault.first, history.crossed)
    return found


def _follow(found: Crossings, history: History, first: int, crossed: int) -> None:
    found.creeps += 1
    for run in range(first, crossed):
        if days := _predicted(history, run):
            left = (history.points[crossed].as_of - history.points[run].as_of).days
            found.ahead.append(left)
            found.off.append(days - left)
            return


def _predicted(history: History, run: int) -> int | None:
    trend = forecast(history.points[: run + 1], history.kind, history.calendar)
    if trend is None or (trend.slope > 0) != (history.kind.worse == "up"):
        return None
    days = trend.days_until(PROFILES[history.profile].fixed)
    return days if days and days <= AHEAD else None
