"""Methods that find what is unusual, each over the same good points of the season and with the same least move.

Ours is `rally_etl.monitoring.usual`. Those of statsmodels, scikit-learn and river are in `others`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from rally_etl.bench.anomalies.judging import Answer, Method
from rally_etl.bench.anomalies.seasons import PROFILES, Array, History
from rally_etl.monitoring.metrics import Kind
from rally_etl.monitoring.usual import LEAST, NEWEST, bands, grain

NORMAL = 1.645
MAD = 1.4826
Forecaster = Callable[[Array, Array, Kind], tuple[float, float]]
"""(values, days and the day asked about, kind) -> what is expected, half-width of the 90 % band."""


def ours(history: History) -> Answer:
    """`usual`, as the product uses it."""
    given = bands(history.points, history.kind, history.calendar)
    scores = [
        np.nan if band is None else band.stray(point.value, history.kind)
        for band, point in zip(given, history.points, strict=True)
    ]
    low, high = ([np.nan if band is None else getattr(band, side) for band in given] for side in ("low", "high"))
    return Answer(score=np.array(scores), low=np.array(low), high=np.array(high))


def fixed(history: History) -> Answer:
    """The fixed thresholds of the gate: a volume against the last good run, anything else against its limit."""
    limit, kind = PROFILES[history.profile].fixed, history.kind
    values = np.array([point.value for point in history.points])
    score = np.full(len(values), np.nan)
    for run, past, _ in windows(history, 1):
        if not PROFILES[history.profile].is_factor:
            over = limit / max(values[run], 1e-9) if kind.worse == "down" else values[run] / limit
        elif kind.worse == "down":
            over = (1 - values[run] / max(values[past[-1]], 1)) / limit
        else:
            over = (values[run] / max(values[past[-1]], 1e-9) - 1) / limit
        score[run] = over
    return Answer(score=score, low=np.full(len(values), np.nan), high=np.full(len(values), np.nan))


def windows(history: History, least: int = LEAST) -> Iterator[tuple[int, Array, bool]]:
    """Each run with enough before it, the newest good runs of its season, and whether the season is another one."""
    season, past, is_new = None, [], True
    for run, point in enumerate(history.points):
        is_break = history.kind.unit == "days" and history.calendar.is_break(point.as_of)
        if (its := (history.calendar.season(point.as_of), is_break)) != season:
            season, past, is_new = its, [], True
        if len(past) >= least:
            yield run, np.array(past[-NEWEST:]), is_new
            is_new = False
        if point.is_good:
            past.append(run)


def walking(forecaster: Forecaster) -> Method:
    """The method that asks *forecaster* before each run."""

    def method(history: History) -> Answer:
        values = np.array([point.value for point in history.points])
        days = np.array([float(point.as_of.toordinal()) for point in history.points])
        score, low, high = (np.full(len(values), np.nan) for _ in range(3))
        for run, past, _ in windows(history):
            expected, width = forecaster(values[past], np.append(days[past], days[run]), history.kind)
            width = max(width, grain(expected, history.kind))
            score[run] = max(0.0, off(values[run], expected, history.kind) / width)
            low[run], high[run] = expected - width, expected + width
        return Answer(score=score, low=low, high=high)

    return method


def off(value: float, expected: float, kind: Kind) -> float:
    """How far a value lies to the worse side."""
    return {"up": value - expected, "down": expected - value, "both": abs(value - expected)}[kind.worse]


def rolling_mad(values: Array, days: Array, kind: Kind, newest: int = 20) -> tuple[float, float]:
    """Median of the newest runs, and their median distance from it."""
    newest_values = values[-newest:]
    level = float(np.median(newest_values))
    return level, NORMAL * MAD * float(np.median(np.abs(newest_values - level)))


def theil_sen(values: Array, days: Array, kind: Kind, newest: int = 20) -> tuple[float, float]:
    """The median slope of all pairs of the newest runs, and the median distance from that line."""
    values, at = values[-newest:], days[-newest - 1 : -1]
    one, other = np.triu_indices(len(values), 1)
    apart = at[other] > at[one]
    slope = float(np.median((values[other] - values[one])[apart] / (at[other] - at[one])[apart])) if apart.any() else 0
    rest = values - slope * at
    level = float(np.median(rest))
    return level + slope * days[-1], NORMAL * MAD * float(np.median(np.abs(rest - level)))


def ewma(values: Array, days: Array, kind: Kind, weight: float = 0.3) -> tuple[float, float]:
    """Online: a weighted mean that forgets, and the same of its squared errors; outliers are clipped."""
    level, variance = float(values[0]), float(np.median(np.abs(np.diff(values)))) ** 2
    for value in values[1:]:
        most = 4 * variance**0.5 + grain(level, kind)
        error = float(np.clip(value - level, -most, most))
        level, variance = level + weight * error, 0.9 * variance + 0.1 * error**2
    return level, NORMAL * variance**0.5


def cusum(history: History) -> Answer:
    """Online: errors of `ewma` to the worse side add up, less half a half-width a run."""
    single = walking(ewma)(history)
    score, total = np.full(len(single.score), np.nan), 0.0
    for run, _, is_new in windows(history):
        total = max(0.0, (0.0 if is_new else total) + min(single.score[run], 6.0) - 0.5)
        score[run] = total
        if not history.points[run].is_good:
            total = 0.0
    return Answer(score=score, low=single.low, high=single.high)


METHODS: dict[str, Method] = {
    "running median and its past errors (ours)": ours,
    "rolling median and MAD": walking(rolling_mad),
    "Theil-Sen and MAD": walking(theil_sen),
    "EWMA (online)": walking(ewma),
    "CUSUM over EWMA (online)": cusum,
}
