"""Anomalies and predicted problems in plain English: one sentence per cause."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rally_etl.measures import counted
from rally_etl.monitoring.anomalies import COUNTED, Found
from rally_etl.monitoring.metrics import EVERYWHERE, KINDS, Kind

FILES = {
    "players": "players", "match_scores": "matches", "series_stats": "standings", "schedules": "schedules",
    "player_history": "rating charts", "schedule": "schedules",
}  # fmt: skip
"""Kind of file, or table -> what people call it."""

_MIB = 2**20
_UNITS = {"seconds": "s", "milliseconds": "ms"}


def sentence(group: Sequence[Found], named: int) -> str:
    """What is unusual, what is usual, since when, and the *named* worst of what changed from the same cause."""
    first, *others = group
    if first.metric == "records" and first.is_gone:
        return (
            f"{_name(first)} is missing; each of the last {first.always} scrapes had it,"
            f" with {counted(round(first.band.expected), 'record')}"
        )
    if others and first.metric.endswith("_of_series"):
        text = _many_series(group, named)
    else:
        text = f"{_name(first)} {_says(first)}; {_usual(first)}"
        if others:
            text += f"; the most by {_list(others, named)}"
    return text + _since(first)


def prediction(found: Found) -> str:
    """Where a metric heads, and when it gets there."""
    kind = KINDS[found.metric]
    pace = _pace(abs(found.slope or 0.0) * 7, kind)
    way = "grows" if (found.slope or 0.0) > 0 else "falls"
    days = counted(found.days_left or 0, "day")
    least = ", the least that is tolerated beside the most of this season," if found.metric in COUNTED else ""
    threshold = round(found.threshold or 0) if least else found.threshold or 0.0
    return (
        f"{_name(found)} {_says(found)} and {way} by {pace} a week: at this pace it crosses"
        f" {_number(threshold, kind)}{least} in {days} ({counted(found.band.runs, 'run')})"
    )


def figure(value: float, metric: str) -> str:
    """A value of a metric with its unit."""
    return _number(value, KINDS[metric])


def about(metric: str, subject: str) -> str:
    """What a metric and its subject stand for, in words."""
    name, _, series = subject.partition("/")
    file = FILES.get(name, name)
    if series and metric in ("records", "rows"):  # a series that changed with its file
        metric += "_of_series"
    match metric:
        case "records":
            return f"the file of {file}" if subject else "all files together"
        case "records_of_series":
            return f"{series} in the file of {file}"
        case "rows":
            return f"the table of {file}" if subject else "all tables together"
        case "rows_active":
            return f"the active {file}"
        case "rows_of_series":
            return f"{series} in the table of {file}"
        case "quarantined":
            return f"the share kept aside of the file of {file}" if subject else "the share of records kept aside"
        case "damaged":
            return f"the share of damaged records of the file of {file}" if subject else "the share of damaged records"
        case "check_rate":
            return f"the share of rows that fail {subject}"
        case "coverage":
            return f"the share of {subject.replace('_', ' ')}"
        case "agreement":
            return f"the share of facts that two sources tell alike ({subject.replace('_', ' ')})"
        case "health":
            return "the health score"
        case "health_part":
            return f"the health of {subject}"
    told = KINDS[metric].told
    return f"{told} ({subject.replace('_', ' ')})" if subject else told


def _name(found: Found) -> str:
    return about(found.metric, found.subject)


def _says(found: Found) -> str:
    if found.is_gone:
        return "is missing"
    verb = "has" if found.metric in COUNTED else "is"
    unit = "" if verb == "is" else " " + KINDS[found.metric].unit
    return f"{verb} {_number(found.value, KINDS[found.metric])}{unit}"


def _usual(found: Found) -> str:
    kind, band = KINDS[found.metric], found.band
    low, high = _bound(band.low, kind, math.floor), _bound(band.high, kind, math.ceil)
    between = f"{low} is" if low == high else f"{low.split(' ')[0]} to {high} are"
    when = "" if found.league == EVERYWHERE else " at this time of the season"
    return f"{between} usual{when} ({counted(band.runs, 'run')})"


def _many_series(group: Sequence[Found], named: int) -> str:
    first = group[0]
    where = _name(first).partition(" in ")[2]
    gone = sum(each.is_gone for each in group)
    verb = (
        "are missing" if gone == len(group) else "have less than usual, or nothing" if gone else "have less than usual"
    )
    return f"{len(group):,} series of {where} {verb} ({counted(first.band.runs, 'run')}): {_list(group, named)}"


def _list(found: Sequence[Found], named: int) -> str:
    texts = [
        f"{each.subject.partition('/')[2] or each.subject}: {_number(each.value, KINDS[each.metric])}"
        f" (about {_number(round(each.band.expected, 4), KINDS[each.metric])} usual)"
        for each in found[:named]
    ]
    left = len(found) - named
    return ", ".join(texts) + (f" and {left:,} more" if left > 0 else "")


def _since(found: Found) -> str:
    return f"; since {found.since}" if found.since and found.since < found.day else ""


def _bound(value: float, kind: Kind, towards: Callable[[float], int]) -> str:
    return _number(towards(value) if kind.unit in ("rows", "records", "days", "connections") else value, kind)


def _pace(value: float, kind: Kind) -> str:
    return f"{_digits(value * 100)} points" if kind.unit == "share" else _number(value, kind)


def _number(value: float, kind: Kind) -> str:
    if kind.unit == "share":
        return f"{_digits(value * 100)} %"
    if kind.unit == "bytes":
        return f"{value / _MIB:,.0f} MiB"
    if kind.unit == "days":
        return counted(round(value), "day")
    if kind.unit in _UNITS:
        return f"{_digits(value)} {_UNITS[kind.unit]}"
    return _digits(value)


def _digits(value: float) -> str:
    """Whole numbers as such, small ones with as many digits as tell them from zero."""
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"
