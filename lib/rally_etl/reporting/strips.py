"""Small multiples: one strip per series under each other, each with its own scale, over one axis of days.

So a league of 18,000 lines does not flatten one of 26 teams, and the same day stands under the same day at any width.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import plotly.graph_objects as go

from rally_etl.monitoring.usual import Band
from rally_etl.reporting.charts import COLOURS, SERIES
from rally_etl.reporting.history import Mark, Series
from rally_etl.reporting.pages import label

LINE, BAND, ODD = SERIES[0], "rgba(68,114,196,0.18)", COLOURS["failed"]
OF_MARKS = {"season": "#6b7785", "opened": COLOURS["failed"], "resolved": COLOURS["passed"]}
HEADING_PX, BELOW_PX, LEGEND_PX, TITLE_PX = 26, 44, 48, 40
LETTER = 0.021  # of the axis: the width of a letter on a telephone; words that would touch stand under each other
ROWS_OF_WORDS = 3
NAMED = 3  # incidents of a day that are named by their numbers
WORDS = 0.3  # of a strip is left free for the words at its lines
STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # between two ticks, of the ceiling
FEW = 60  # points, above which they are drawn smaller
GRID = "#e6eaef"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A series with the band of what was usual at each of its points, as it is drawn.

    Attributes:
        name: what it is, in words; ``now``: its newest value, in words.
        told: a value in words, with its unit.
        ceiling: the largest value that there can be, if there is one.
    """

    name: str
    now: str
    series: Series
    bands: Sequence[Band | None]
    marks: Sequence[Mark]
    told: Callable[[float], str]
    tick_format: str
    ceiling: float | None = None


def strips_chart(strips: Sequence[Strip], *, title: str, strip_px: int = 0) -> go.Figure:
    """One strip per series.

    Args:
        strip_px: height of one strip; 0 makes few of them higher.
    """
    strip_px = strip_px or (150 if len(strips) == 1 else 100 if len(strips) <= 3 else 74)
    total = len(strips) * (strip_px + HEADING_PX)
    first, last = _widened([place for strip in strips for place in strip.series.places])
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"shapes": [], "annotations": []}
    for number, strip in enumerate(strips, start=1):
        top = 1 - ((number - 1) * (strip_px + HEADING_PX) + HEADING_PX) / total
        suffix = str(number) if number > 1 else ""
        traces += _traces(strip, f"y{suffix}")
        marks = [each for each in _by_day(strip.marks) if first <= each[0].place <= last]
        _draw_marks(layout, marks, f"y{suffix}", first, last)
        layout[f"yaxis{suffix}"] = _value_axis(strip, top, strip_px / total, has_words=bool(marks))
        layout["annotations"].append(
            {"text": f"<b>{label(strip.name)}</b>  {label(strip.now)}", "x": 0, "xref": "paper", "xanchor": "left",
             "y": top, "yref": "paper", "yanchor": "bottom", "yshift": 3, "showarrow": False, "font": {"size": 12}}
        )  # fmt: skip
    named: set[str] = set()
    for trace in traces:  # a name stands in the legend once
        trace["showlegend"] = trace["name"] not in named
        named.add(trace["name"])
    layout |= {
        "template": "none", "hovermode": "closest", "height": total + TITLE_PX + BELOW_PX + LEGEND_PX,
        "title": {"text": label(title), "x": 0, "xanchor": "left", "y": 1, "yanchor": "top", "yref": "container",
                  "pad": {"t": 8}, "font": {"size": 15}, "automargin": True},
        "margin": {"l": 8, "r": 12, "t": 8, "b": BELOW_PX + LEGEND_PX}, "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": -BELOW_PX / total, "yanchor": "top", "font": {"size": 11}},
        "xaxis": {"type": "date", "range": [_text(first), _text(last)], "anchor": f"y{suffix}", "automargin": True,
                  "gridcolor": GRID, "zeroline": False, "tickformat": "%-d %b\n%Y", "nticks": 7},
    }  # fmt: skip
    if last - first < dt.timedelta(days=6):
        layout["xaxis"]["dtick"] = dt.timedelta(days=1) / dt.timedelta(milliseconds=1)
    return go.Figure({"data": traces, "layout": layout})


def _traces(strip: Strip, axis: str) -> list[dict[str, Any]]:
    """The band, the line of what became live, what did not, and what was unusual; without those that are empty."""
    series = strip.series
    order = sorted(range(len(series.points)), key=lambda place: series.places[place])
    odd = [place for place in order if place in series.unusual]
    live = [place for place in order if series.points[place].is_good]
    other = [place for place in order if not series.points[place].is_good]
    ring = {"symbol": "circle-open", "line": {"width": 2}}
    found = [
        {"name": "usual, nine times in ten", **_area(strip, order), "mode": "lines", "fill": "toself",
         "fillcolor": BAND, "line": {"width": 0}, "hoverinfo": "skip"},
        {"name": "what became live", **_points(strip, live), "mode": "lines+markers",
         "line": {"color": LINE, "width": 2}, "marker": {"color": LINE, "size": 5 if len(order) <= FEW else 3}},
        {"name": "did not become live", **_points(strip, other), "mode": "markers",
         "marker": {"color": LINE, "size": 8 if len(order) <= FEW else 6, **ring}},
        {"name": "unusual", **_points(strip, odd), "mode": "markers", "marker": {"color": ODD, "size": 13, **ring}},
    ]  # fmt: skip
    same = {"type": "scatter", "xaxis": "x", "yaxis": axis}
    return [trace | same | {"legendgroup": trace["name"]} for trace in found if trace["x"]]


def _by_day(marks: Sequence[Mark]) -> list[tuple[Mark, str]]:
    """The marks in their order, each with its word; what happened on one day is one mark."""
    days: dict[tuple[dt.date, str], list[Mark]] = {}
    for mark in sorted(marks, key=lambda mark: mark.place):
        days.setdefault((mark.place.date(), mark.kind), []).append(mark)
    return [
        (replace(of_day[0], told="; ".join(dict.fromkeys(mark.told for mark in of_day))), _word(of_day))
        for of_day in days.values()
    ]


def _word(marks: Sequence[Mark]) -> str:
    numbers = sorted({mark.number for mark in marks})
    named = ", ".join(map(str, numbers)) if len(numbers) <= NAMED else ""
    match marks[0].kind:
        case "season":
            return "new season"
        case "opened":
            return f"incident{'s'[: len(numbers) > 1]} {named}" if named else f"{len(numbers)} incidents"
        case "resolved":
            return f"{named or len(numbers)} resolved"


def _draw_marks(
    layout: dict[str, Any], marks: Sequence[tuple[Mark, str]], axis: str, first: dt.datetime, last: dt.datetime
) -> None:
    rows: list[list[tuple[float, float]]] = [[] for _ in range(ROWS_OF_WORDS)]
    for mark, word in marks:
        where, at, colour = (mark.place - first) / (last - first), _text(mark.place), OF_MARKS[mark.kind]
        layout["shapes"].append(
            {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "xref": "x", "yref": f"{axis} domain",
             "layer": "below",
             "line": {"color": colour, "width": 1, "dash": "dash" if mark.kind == "season" else "solid"}}
        )  # fmt: skip
        width = LETTER * len(word)
        side, start = (("right", -3), where - width) if where + width > 1 else (("left", 3), where)
        free = [n for n, row in enumerate(rows) if all(start > b or start + width < a for a, b in row)]
        for row in free[:1]:
            rows[row].append((start, start + width))
            layout["annotations"].append(
                {"text": label(word), "hovertext": label(mark.told), "captureevents": True, "x": at, "xref": "x",
                 "y": 1, "yref": f"{axis} domain", "yanchor": "top", "xanchor": side[0], "xshift": side[1],
                 "yshift": 3 - 12 * row, "showarrow": False, "font": {"size": 10, "color": colour}}
            )  # fmt: skip


def _points(strip: Strip, places: Sequence[int]) -> dict[str, list]:
    series = strip.series
    return {
        "x": [_text(series.places[place]) for place in places],
        "y": [series.points[place].value for place in places],
        "hovertext": [_hover(strip, place) for place in places],
        "hoverinfo": "text",
    }


def _area(strip: Strip, order: Sequence[int]) -> dict[str, list]:
    """The outline of each stretch of points that have a band, with a gap between two stretches."""
    x: list[str | None] = []
    y: list[float | None] = []
    for has_band, stretch in groupby(order, key=lambda place: strip.bands[place] is not None):
        places = list(stretch)
        if not has_band or len(places) < 2:
            continue
        at, known = [_text(strip.series.places[place]) for place in places], [strip.bands[place] for place in places]
        x += [*([None] if x else []), *at, *reversed(at)]
        y += [*([None] if y else []), *(band.low for band in known), *(band.high for band in reversed(known))]
    return {"x": x, "y": y}


def _hover(strip: Strip, place: int) -> str:
    series, band = strip.series, strip.bands[place]
    point, outcome = series.points[place], series.outcomes[place]
    lines = [f"<b>{label(strip.name)}</b>", f"{day(point.as_of)} {point.as_of.year}: {strip.told(point.value)}"]
    if place in series.unusual:
        lines.append(f"unusual: {label(series.unusual[place].told)}")
    elif band is not None:
        lines.append(f"usual: {strip.told(band.low)} to {strip.told(band.high)}")
    lines.append(label(", ".join(filter(None, [point.run_id and f"run {point.run_id}", outcome]))))
    return "<br>".join(lines)


def _value_axis(strip: Strip, top: float, share: float, *, has_words: bool) -> dict[str, object]:
    known = [point.value for point in strip.series.points]
    known += [bound for band in strip.bands if band for bound in (band.low, band.high)]
    low, high = min(known), max(known)
    room = max(0.12 * (high - low), 0.02 * abs(high), 0.5 if strip.ceiling is None else 0.01 * strip.ceiling)
    floor = max(0.0, low - room) if low >= 0 else low - room
    roof = high + room + (WORDS * (high + room - floor) if has_words else 0)
    ticks: dict[str, object] = {"nticks": 4} if roof - floor > 4 else {"dtick": 1}
    if strip.ceiling is not None:  # no tick above what can be
        step = next(step for step in STEPS if step * strip.ceiling * 3 >= roof - floor) * strip.ceiling
        least, most = math.ceil(floor / step), round(strip.ceiling / step)
        ticks = {"tickvals": [step * n for n in range(least, most + 1)]}
    return {
        "domain": [max(0.0, top - share), top], "range": [floor - 0.04 * (roof - floor), roof], **ticks,
        "tickformat": strip.tick_format, "automargin": True, "gridcolor": GRID, "zeroline": False,
        "tickfont": {"size": 10}, "anchor": "x",
    }  # fmt: skip


def _widened(places: Sequence[dt.datetime]) -> tuple[dt.datetime, dt.datetime]:
    """The first and the last place, with a little room at both ends."""
    first, last = min(places), max(places)
    room = max((last - first) * 0.02, dt.timedelta(hours=12))
    return first - room, last + room


def day(date: dt.date) -> str:
    """A day as people say it: 17 Aug."""
    return f"{date.day} {date:%b}"


def _text(place: dt.datetime) -> str:
    return place.isoformat(timespec="minutes")
