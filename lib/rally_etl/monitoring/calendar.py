"""The calendar of a league: which days can be compared with which, because they lie in one season."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from rally_etl.naming import League

MonthDay = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """When the season of a league begins and ends.

    Attributes:
        begins, ends: month and day of the first and of the last day of play.
        turns: days on which an import first brought a new season. Sites go over to it weeks after its first day.
    """

    begins: MonthDay = (8, 1)
    ends: MonthDay = (7, 31)
    turns: tuple[dt.date, ...] = ()

    def season(self, day: dt.date) -> dt.date:
        """The day from which on levels are those of *day*: the season's first, or the turn since then."""
        first = dt.date(day.year, *self.begins)
        if first > day:
            first = dt.date(day.year - 1, *self.begins)
        return max([first, *(turn for turn in self.turns if first <= turn <= day)])

    def is_break(self, day: dt.date) -> bool:
        """Does nobody play on *day*?"""
        at = (day.month, day.day)
        if self.begins <= self.ends:
            return not self.begins <= at <= self.ends
        return self.ends < at < self.begins

    def period(self, day: dt.date) -> tuple[dt.date, bool]:
        """The season of *day*, and whether nobody plays: the days that can be compared with it."""
        return self.season(day), self.is_break(day)


def calendar_of(league: League, turns: Iterable[dt.date] = ()) -> Calendar:
    """The calendar of a league as its params file tells it; August to July where it tells nothing."""
    if league.standings is None:
        return Calendar(turns=tuple(sorted(turns)))
    season = league.standings.season
    return Calendar(begins=_month_day(season.begins), ends=_month_day(season.ends), turns=tuple(sorted(turns)))


def _month_day(text: str) -> MonthDay:
    month, day = map(int, text.split("-"))
    return month, min(day, calendar.monthrange(2025, month)[1])
