"""Anomalies and predicted problems: what a league's metrics say beside those of its past good runs."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rally_etl.monitoring.anomaly_params import Thresholds, Watching
from rally_etl.monitoring.calendar import Calendar
from rally_etl.monitoring.forecast import forecast
from rally_etl.monitoring.metrics import KINDS, Point
from rally_etl.monitoring.usual import UNUSUAL, Band, comparable, usual

Named = tuple[str, str]
"""Metric and subject."""

SINCE = 12
"""So many points back an anomaly is followed."""

FILE_OF = {"schedules": "schedule"}
"""Table that a kind of file fills, where it is not named like it."""

COUNTED = ("records", "rows", "rows_active", "records_of_series", "rows_of_series")
"""Metrics that count what is in a file or in the table that it fills; the first speaks for the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One metric that strays, or heads for a threshold.

    Attributes:
        kind: `anomaly`: the value is unusual; `forecast`: it is expected to cross `threshold` in `days_left` days.
        day: that the point under test stands for.
        stray: how far off, in half-widths of the band.
        since: day of the first of the points in a row that were unusual.
        always: good scrapes in a row that had the file which is gone.
    """

    league: str
    kind: Literal["anomaly", "forecast"]
    metric: str
    subject: str
    day: dt.date
    value: float
    band: Band
    stray: float = 0.0
    since: dt.date | None = None
    slope: float | None = None
    threshold: float | None = None
    days_left: int | None = None
    is_gone: bool = False
    always: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The points of a league before the one under test, the oldest first, and its calendar.

    Attributes:
        series: metric and subject -> points, without those of files that were read again.
        calendar: None where no season matters.
        scrapes: kinds of files in each good scrape, the oldest first.
        repeated: what says nothing new at the point under test, for its files are those of the scrape before.
    """

    series: Mapping[Named, Sequence[Point]]
    calendar: Calendar | None
    scrapes: Sequence[Collection[str]] = ()
    repeated: Collection[Named] = ()


def find_anomalies(league: str, now: Mapping[Named, Point], past: Past, watching: Watching) -> list[list[Found]]:
    """What is unusual now, grouped by cause: the first of each group speaks for it, the furthest off first.

    Args:
        now: metric and subject -> the point under test.
    """
    day = next((point.as_of for point in now.values()), None)
    if day is None:
        return []
    found = []
    for (metric, subject), point in now.items():
        if not _is_judged(league, metric, subject, now, watching) or (metric, subject) in past.repeated:
            continue
        points, kind = past.series.get((metric, subject), ()), KINDS[metric]
        band = usual(points, day, kind, past.calendar)
        if band is None or not watching.watched[metric].is_worth(point.value, band.expected):
            continue
        stray = band.stray(point.value, kind)
        if stray > UNUSUAL * watching.tolerance:
            found.append(
                Found(
                    league=league, kind="anomaly", metric=metric, subject=subject, day=day, value=point.value,
                    band=band, stray=stray, since=_since(points, day, metric, past.calendar),
                    is_gone=point.value == 0 and metric in COUNTED,
                )
            )  # fmt: skip
    if "records" in watching.of(league):
        found += _gone(league, now, past, watching, day)
    return _grouped(found)


def find_forecasts(
    league: str, now: Mapping[Named, Point], past: Past, watching: Watching, thresholds: Thresholds
) -> list[Found]:
    """What is expected to cross its threshold within the days of `params/anomalies.yaml`, the soonest first."""
    found = []
    for (metric, subject), point in now.items():
        if metric in watching.unwatched.get(league, ()) or _is_sum(metric, subject):
            continue
        kind = KINDS[metric]
        points = [*past.series.get((metric, subject), ()), _as_good(point)]
        most = max(each.value for each in comparable(points, point.as_of, kind, past.calendar))
        limits = thresholds.of(league, metric, subject, most)
        trend = limits and forecast(points, kind, past.calendar)
        if not trend or (trend.slope > 0) != (kind.worse == "up"):
            continue
        ahead = [(days, limit) for limit in limits if (days := trend.days_until(limit))]
        if ahead and min(ahead)[0] <= watching.forecasts.days:
            days, limit = min(ahead)
            low, high = trend.band(days)
            band = Band(expected=trend.value(days), low=low, high=high, runs=trend.runs)
            found.append(
                Found(
                    league=league, kind="forecast", metric=metric, subject=subject, day=point.as_of,
                    value=point.value, band=band,
                    slope=trend.slope, threshold=limit, days_left=days,
                )
            )  # fmt: skip
    return sorted(found, key=lambda each: (each.days_left, each.metric, each.subject))


def _gone(league: str, now: Mapping[Named, Point], past: Past, watching: Watching, day: dt.date) -> Iterator[Found]:
    """Files that were in each of the last good scrapes and are not in this one."""
    read = {subject for metric, subject in now if metric == "records"}
    last = past.scrapes[-watching.always :]
    always = set.intersection(*map(set, last)) if read and len(last) == watching.always else set()
    for kind in sorted(always - read):
        points = past.series.get(("records", kind), ())
        if points:
            known = points[-1].value
            band = usual(points, day, KINDS["records"], past.calendar)
            yield Found(
                league=league, kind="anomaly", metric="records", subject=kind, day=day, value=0.0, stray=math.inf,
                band=band or Band(expected=known, low=known, high=known, runs=len(last)), since=day,
                is_gone=True, always=watching.always,
            )  # fmt: skip


def _is_judged(league: str, metric: str, subject: str, now: Collection[Named], watching: Watching) -> bool:
    """Is it watched, no sum, and not told better by another metric?"""
    if metric not in watching.of(league) or _is_sum(metric, subject):
        return False
    # where a schedule says what was due, a break in which nobody plays makes no match old
    return not (metric == "days_since_match" and ("days_behind", "") in now)


def _is_sum(metric: str, subject: str) -> bool:
    """Is it a sum over subjects? Its parts are judged; the sum also falls where a file was not scraped."""
    return bool(KINDS[metric].subject) and (not subject or (KINDS[metric].absent == "gone" and "/" not in subject))


def _as_good(point: Point) -> Point:
    """The point under test as it will be once it is live: a trend is that of the rows that users will see."""
    return Point(at=point.at, as_of=point.as_of, value=point.value, is_good=True, run_id=point.run_id, look=point.look)


def _since(points: Sequence[Point], day: dt.date, metric: str, calendar: Calendar | None) -> dt.date:
    """The day of the first of the points in a row, up to *day*, that were unusual."""
    kind, first = KINDS[metric], day
    for n in range(len(points) - 1, max(-1, len(points) - 1 - SINCE), -1):
        band = usual(points[:n], points[n].as_of, kind, calendar)
        if band is None or not band.is_unusual(points[n].value, kind):
            break
        first = points[n].as_of
    return first


def _grouped(found: Sequence[Found]) -> list[list[Found]]:
    groups: dict[str, list[Found]] = {}
    for each in found:
        groups.setdefault(_cause(each), []).append(each)
    return sorted((_ordered(group) for group in groups.values()), key=lambda group: -group[0].stray)


def _ordered(group: Sequence[Found]) -> list[Found]:
    """The one that speaks for the others first, then those that are furthest off."""
    rank = {name: place for place, name in enumerate((*COUNTED, "health"))}
    headline = min(group, key=lambda each: (rank.get(each.metric, len(rank)), bool(each.subject), -each.stray))
    series = f"{headline.metric.removesuffix('_of_series')}_of_series"  # the table's say the same as the file's
    others = [each for each in group if each.metric in (headline.metric, series)]
    rest = sorted((each for each in others if each is not headline), key=lambda each: -each.stray)
    return [headline, *rest]


def _cause(found: Found) -> str:
    """What figures share that change together: the file and its table, the table of a check, the metric."""
    first = found.subject.partition("/")[0]
    if found.metric in COUNTED:
        return f"file/{FILE_OF.get(first, first)}"
    if found.metric == "check_rate":
        return f"check/{first}"
    return "health" if found.metric.startswith("health") else found.metric
