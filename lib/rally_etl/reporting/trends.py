"""Trends over past runs: which series are worth drawing, and the sentence that each chart supports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import plotly.graph_objects as go
import sqlalchemy as sa

from rally_etl.errors import UsageError
from rally_etl.measures import counted
from rally_etl.monitoring.anomaly_words import about, figure
from rally_etl.monitoring.calendar import Calendar, calendar_of
from rally_etl.monitoring.metrics import EVERYWHERE, KINDS, Point
from rally_etl.monitoring.usual import Band, bands
from rally_etl.naming import Leagues, load_leagues
from rally_etl.reporting.history import RUNS, Past, Series, read_latest, read_past, read_series
from rally_etl.reporting.strips import Strip, day, strips_chart
from rally_etl.reporting.tables import Note

if TYPE_CHECKING:
    from rally_etl.workbook import Book

MOST = 8
"""So many series are drawn at once, the worst first."""
SPREAD = 5.0
"""Points of health between leagues, from which on the lowest is named."""
LEAST = 3
"""Two points make no trend."""
FORMATS = {"share": ".1~%", "bytes": ".3s"}
CEILINGS = {"share": 1.0, "points": 100.0}
TABLES = ("match_scores", "players", "teams", "schedules", "schedule", "series_stats", "player_history")
"""Kinds of files and tables, those first that tell most."""

Facts = Callable[[Sequence[Series]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """One chart.

    Attributes:
        metrics: what is drawn, that first which is drawn when nothing is unusual.
        place: of a series that is as usual: its place among the others.
        facts: what the newest points of all series say, in a sentence without its full stop.
        begins_with_all: all leagues together stand above the single ones, even where one is unusual.
    """

    metrics: tuple[str, ...]
    place: Callable[[Series], tuple]
    facts: Facts
    begins_with_all: bool = False


def of_book(book: Book, name: str) -> go.Figure | Note:
    """The chart of a notebook: up to its run, or up to now where its run is the newest.

    Args:
        name: one of `TRENDS`.
    """
    if not book.run_id:
        return Note("No run has measured anything yet.")
    return book.read(lambda connection: trend(connection, book.settings.params_dir, name, run_id=book.run_id))


def trend(
    connection: sa.Connection,
    params_dir: Path,
    name: str,
    *,
    run_id: str = "",
    leagues: Sequence[str] = (),
    most: int = MOST,
    strip_px: int = 0,
    runs: int = RUNS,
) -> go.Figure | Note:
    """A chart over past runs and looks at live, or a sentence where there is too little to draw.

    Args:
        name: one of `TRENDS`.
        run_id: what began after this run is left out, unless the run is the newest; "" leaves out nothing.
        leagues: only these; empty means all.
        most: so many series are drawn, the worst first.
        strip_px: height of one strip; 0 makes few of them higher.
        runs: so many of the newest runs are drawn.

    Raises:
        UsageError: there is no such chart.
    """
    if name not in TRENDS:
        raise UsageError(f"there is no trend {name!r}; nothing was drawn\nhint: there are {', '.join(TRENDS)}")
    chosen = TRENDS[name]
    past = read_past(connection, until=_until(connection, run_id), runs=runs)
    latest = [each for each in read_latest(connection, past, chosen.metrics, leagues) if _is_drawn(each)]
    if not latest:
        return Note(f"No run has measured this yet: {name}.")
    latest.sort(key=lambda each: _rank(each, chosen))
    found = read_series(connection, past, [(each.league, each.metric, each.subject) for each in latest[:most]])
    found = [_with_zeros(each, past) for each in found]
    facts = chosen.facts(latest)
    if (points := max(len(each.points) for each in found)) < LEAST:
        several = "One measurement makes" if points == 1 else f"{points} measurements make"
        return Note(f"{facts}. {several} no trend: there is a chart from {LEAST} on.")
    if name == "orphans" and not any(point.value for each in found for point in each.points):
        return Note(f"{facts}, and none did in the {points:,} runs and looks before.")
    calendars = load_leagues(params_dir)
    strips = [_strip(each, past, calendars) for each in found]
    return strips_chart(strips, title=_sentence(facts, strips, latest), strip_px=strip_px)


def _until(connection: sa.Connection, run_id: str):
    sql = (
        "select started_at from etl.runs where run_id = :run_id"
        " and exists (select from etl.runs as later where later.started_at > runs.started_at)"
    )
    return connection.scalar(sa.text(sql), {"run_id": run_id}) if run_id else None


def _is_drawn(series: Series) -> bool:
    """Sums over files and tables are not: they also fall where one of them was not scraped."""
    return not (series.metric in ("records", "rows") and (not series.subject or series.league == EVERYWHERE))


def _rank(series: Series, chosen: Trend) -> tuple:
    """What is unusual now comes first, then what was, the latest first; all else in the order of the chart."""
    now = len(series.points) - 1
    if chosen.begins_with_all and series.league == EVERYWHERE:
        return (False, float("-inf"))
    was = max((series.places[place].timestamp() for place in series.unusual), default=0.0)
    return now not in series.unusual, -was, *chosen.place(series), series.league, series.subject


def _with_zeros(series: Series, past: Past) -> Series:
    """The series with the zeros that are not stored, at each run and look since its first."""
    if KINDS[series.metric].absent != "zero" or not series.subject:
        return series
    known = {point.run_id or point.look: n for n, point in enumerate(series.points)}
    first = series.points[0].at
    whole = replace(series, points=[], outcomes=[], places=[], unusual={})
    for row in past.moments:
        n = known.get(row.run_id or row.look)
        if n is None and row.at < first:
            continue
        if n in series.unusual:
            whole.unusual[len(whole.points)] = series.unusual[n]
        blank = Point(at=row.at, as_of=row.as_of, value=0.0, is_good=True, run_id=row.run_id, look=row.look)
        whole.points.append(blank if n is None else series.points[n])
        whole.outcomes.append("" if n is None else series.outcomes[n])
        whole.places.append(past.places[row.run_id or row.look])
    return whole


def _strip(series: Series, past: Past, leagues: Leagues) -> Strip:
    kind = KINDS[series.metric]
    calendar: Calendar | None = None
    if series.league != EVERYWHERE:
        calendar = calendar_of(leagues.get(series.league), past.turns.get(series.league, ()))
    known: list[Band | None] = bands(series.points, kind, calendar)
    for place, unusual in series.unusual.items():
        known[place] = Band(
            expected=(unusual.low + unusual.high) / 2, low=unusual.low, high=unusual.high, runs=0
        )  # fmt: skip
    return Strip(
        name=_name(series), now=_told(series, series.last.value) + _end(series, len(series.points) - 1),
        series=series, bands=known,
        marks=[mark for mark in past.marks if mark.touches(series.league)],
        told=lambda value: _told(series, value), tick_format=FORMATS.get(kind.unit, ",~r"),
        ceiling=CEILINGS.get(kind.unit),
    )  # fmt: skip


def _sentence(facts: str, strips: Sequence[Strip], latest: Sequence[Series]) -> str:
    """What is unusual now, else the facts, and what was unusual last."""
    odd = [strip for strip in strips if len(strip.series.points) - 1 in strip.series.unusual]
    left = len(latest) - len(strips)
    more = f" ({len(strips)} of {len(latest)} are drawn, the worst first)" if left > 0 else ""
    if odd:
        series, place = odd[0].series, len(odd[0].series.points) - 1
        others = sum(1 for each in latest if len(each.points) - 1 in each.unusual) - 1
        rest = f"{counted(others, 'other is', 'others are')} unusual too" if others else _others(series, latest)
        return f"{_fell(series, place)}, {_usual(series, place)} usual" + (f"; {rest}" if rest else "") + more
    if all(_is_usual(strip) for strip in strips):
        facts += ", as usual"
    before = [(strip.series, max(strip.series.unusual)) for strip in strips if strip.series.unusual]
    if before:
        series, place = max(before, key=lambda each: each[0].places[each[1]])
        facts += f"; {_fell(series, place, capital=False)}"
    return facts + more


def _is_usual(strip: Strip) -> bool:
    """Is it known what is usual of the newest point, and is the point so?"""
    band = strip.bands[-1]
    return band is not None and not band.is_unusual(strip.series.last.value, KINDS[strip.series.metric])


def _others(series: Series, latest: Sequence[Series]) -> str:
    """What the newest points of the other leagues are, of a metric that can be compared between them."""
    rest = [each for each in latest if each.metric == series.metric and each.league not in (series.league, EVERYWHERE)]
    if not rest or series.metric != "health":
        return "nothing else is unusual"
    lowest = _told(series, min(each.last.value for each in rest))
    return f"the other {counted(len(rest), 'league')} have {lowest} or more" if len(rest) > 1 else (
        f"{rest[0].league} has {lowest}"
    )  # fmt: skip


def _fell(series: Series, place: int, *, capital: bool = True) -> str:
    """The health of NSTF fell to 74 on 17 Aug and was refused."""
    point, unusual = series.points[place], series.unusual[place]
    verb = "fell" if point.value < unusual.low else "rose" if point.value > unusual.high else "went"
    name = about(series.metric, series.subject) if series.metric not in NAMED else NAMED[series.metric](series.subject)
    name += f" of {series.league}" if series.league != EVERYWHERE else ""
    name = name[0].upper() + name[1:] if capital else name
    return f"{name} {verb} to {_told(series, point.value)} on {day(point.as_of)}{_end(series, place)}"


def _end(series: Series, place: int) -> str:
    """What became of a point that did not become live."""
    return f" ({series.outcomes[place]})" if series.outcomes[place] and not series.points[place].is_good else ""


def _usual(series: Series, place: int) -> str:
    unusual = series.unusual[place]
    low, high = _told(series, unusual.low), _told(series, unusual.high)
    return f"{low} is" if low == high else f"{low} to {high} are"


def _told(series: Series, value: float) -> str:
    rounded = round(value) if KINDS[series.metric].unit in ("rows", "records") else round(value, 4)
    return figure(rounded, series.metric)


def _name(series: Series) -> str:
    """Heading of a strip: the league, and what of it."""
    league = "all leagues" if series.league == EVERYWHERE else series.league
    if series.metric == "health":
        return league
    what = NAMED[series.metric](series.subject) if series.metric in NAMED else about(series.metric, series.subject)
    return what if series.league == EVERYWHERE else f"{league}: {what}"


NAMED: dict[str, Callable[[str], str]] = {
    "coverage": lambda subject: subject.replace("_", " "),
    "orphans": lambda subject: f"{subject or 'rows of users'} that point at nothing",
    "duration": lambda subject: f"stage {subject}" if subject else "the whole run",
}
"""What a metric and its subject are called where `about` would need too many words."""


def _of_leagues(series: Sequence[Series]) -> list[Series]:
    return [each for each in series if each.league != EVERYWHERE]


def _health_facts(series: Sequence[Series]) -> str:
    of_leagues = sorted(_of_leagues(series) or series, key=lambda each: each.last.value)
    worst, best = of_leagues[0], of_leagues[-1]
    low, high = _told(worst, worst.last.value), _told(best, best.last.value)
    if len(of_leagues) == 1:
        return f"The health of {_name(worst)} is {low}"
    if best.last.value - worst.last.value > SPREAD:
        end = _end(worst, len(worst.points) - 1)
        return (
            f"Health is lowest in {worst.league}: {low} on {day(worst.last.as_of)}{end}; {_others(worst, of_leagues)}"
        )
    return f"The health of {len(of_leagues):,} leagues is {low} to {high}" if low != high else (
        f"The health of all {len(of_leagues):,} leagues is {low}"
    )  # fmt: skip


def _volume_facts(series: Sequence[Series]) -> str:
    live = [each for each in series if each.metric == "rows"]
    leagues = len({each.league for each in series})
    rows = sum(round(each.last.value) for each in live)
    return f"The tables hold {counted(rows, 'row')} of {counted(leagues, 'league')}"


def _lack(series: Series) -> tuple[bool, float]:
    """The lowest coverage first; what a league does not have at all (a rating) comes last."""
    return not series.last.value, series.last.value


def _coverage_facts(series: Sequence[Series]) -> str:
    worst = min(_of_leagues(series) or series, key=_lack)
    what = NAMED["coverage"](worst.subject)
    return f"Coverage is lowest for {what} in {worst.league}: {_told(worst, worst.last.value)}"


def _orphan_facts(series: Sequence[Series]) -> str:
    total = max((each for each in series if not each.subject), key=lambda each: each.last.value, default=series[0])
    if not total.last.value:
        return "No row of a user points at nothing"
    return f"{counted(round(total.last.value), 'row of a user points', 'rows of users point')} at nothing"


def _freshness_facts(series: Sequence[Series]) -> str:
    ages = [each for each in series if each.metric == "days_since_match"] or list(series)
    youngest, oldest = (pick(ages, key=lambda each: each.last.value) for pick in (min, max))
    if len(ages) == 1:
        return f"The newest match of {oldest.league} is {_told(oldest, oldest.last.value)} old"
    low, high = _told(youngest, youngest.last.value), _told(oldest, oldest.last.value)
    between = high if low == high else f"{low.partition(' ')[0]} to {high}"
    return f"The newest matches of {len(ages):,} leagues are {between} old"


def _duration_facts(series: Sequence[Series]) -> str:
    whole = next((each for each in series if not each.subject), None)
    stages = [each for each in series if each.subject]
    text = f"A run took {_told(whole, whole.last.value)}" if whole else "The stages were timed"
    if stages:
        longest = max(stages, key=lambda each: each.last.value)
        text += f", its longest stage, {longest.subject}, {_told(longest, longest.last.value)}"
    return text


def _of_table(series: Series) -> int:
    return TABLES.index(series.subject) if series.subject in TABLES else len(TABLES)


TRENDS: dict[str, Trend] = {
    "health": Trend(
        metrics=("health",), facts=_health_facts, begins_with_all=True, place=lambda each: (each.last.value,),
    ),
    "volumes": Trend(
        metrics=("records", "rows"), facts=_volume_facts,
        place=lambda each: (_of_table(each), each.metric, -each.last.value),
    ),
    "coverage": Trend(metrics=("coverage",), facts=_coverage_facts, place=_lack),
    "orphans": Trend(
        metrics=("orphans",), facts=_orphan_facts, place=lambda each: (each.subject != "", -each.last.value)
    ),
    "freshness": Trend(
        metrics=("days_behind", "days_since_match"), facts=_freshness_facts,
        place=lambda each: (each.metric != "days_since_match", -each.last.value),
    ),
    "durations": Trend(
        metrics=("duration",), facts=_duration_facts, place=lambda each: (each.subject != "", -each.last.value)
    ),
}  # fmt: skip
"""The charts of the monitoring, by name."""
