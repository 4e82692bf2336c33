"""Records of schedule files: one planned meeting of two teams."""

from __future__ import annotations

import msgspec

from rally_etl.records.context import Context
from rally_etl.records.reading import Fields, Raw, is_empty, read_loosely
from rally_etl.records.reasons import Findings, Quarantined
from rally_etl.records.values import clock_time, iso_date, text

COLUMNS = ("match_date", "match_time", "home_team", "away_team", "location", "series")


class ScheduleFields(Fields, rename={"league": "League", "practice": "Practice", "old_series": "Series"}):
    """Keys of every generation; the earliest has no series, and practice rows of four keys."""

    league: str | None = None
    league_id: str | None = None
    date: str | None = None
    time: str | None = None
    home_team: str | None = None
    away_team: str | None = None
    location: str | None = None
    series: str | None = None
    old_series: str | None = None
    practice: str | None = None


DECODE = msgspec.json.Decoder(ScheduleFields).decode


def parse_schedule(raw: Raw, context: Context) -> list[tuple[str | None, ...]] | Quarantined:
    """One row, or the record kept aside."""
    found = Findings()
    try:
        record = DECODE(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        record = read_loosely(raw, ScheduleFields, found)
    if not found.reasons and is_empty(record, frozenset({"league", "league_id"})):
        found.add("empty_fields", "(record)", None, "every field is empty")
        return found.quarantined() or []
    if record.practice or "practice" in (record.home_team or "").lower():
        found.add("practice_row", "Practice", record.practice or record.home_team, "is a practice; users keep those")
        return found.quarantined() or []
    row = _row(record, context, found)
    return found.quarantined() or [row]


def _row(r: ScheduleFields, context: Context, found: Findings) -> tuple[str | None, ...]:
    found.take("League", r.league, context.own_league)
    found.take("league_id", r.league_id, context.own_league)
    printed_series = r.series or r.old_series
    day = found.take("date", r.date, iso_date)
    time = found.take("time", r.time, clock_time)
    home = found.take("home_team", r.home_team, lambda value: context.team(value, printed_series))
    away = found.take("away_team", r.away_team, lambda value: context.team(value, printed_series))
    for label, value in (("date", day), ("home_team", home), ("away_team", away)):
        found.require(label, value)
    if home and away and home.identity == away.identity:
        found.add("against_itself", "away_team", r.away_team, "is the home team")
    return (
        day,
        time,
        home and home.printed,
        away and away.printed,
        found.take("location", r.location, text),
        found.take("series", printed_series, text),
    )
