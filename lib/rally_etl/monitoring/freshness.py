"""How old the newest match of a league is, and whether newer ones are due."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import sqlalchemy as sa

_NEWEST_MATCH = sa.text(
    "select league_id, max(match_date) as newest from match_scores where match_date <= :as_of group by league_id"
)
_NEWEST_DUE = sa.text(
    "select league_id, max(match_date) as newest from schedule where match_date <= :as_of"
    " and coalesce(away_team, '') <> '' and home_team not ilike '%practice%' group by league_id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """Newest match played, and newest match that was due, on or before `as_of`; None where there is none."""

    as_of: dt.date
    newest_match: dt.date | None
    newest_due: dt.date | None

    @property
    def age_days(self) -> int | None:
        """Days since the newest match."""
        return None if self.newest_match is None else (self.as_of - self.newest_match).days

    @property
    def lag_days(self) -> float | None:
        """Days by which matches lie behind the schedule; None when none was due, infinite when none was played."""
        if self.newest_due is None:
            return None
        return math.inf if self.newest_match is None else max(0, (self.newest_due - self.newest_match).days)

    def told(self) -> str:
        """The facts in words."""
        if self.newest_match is None:
            return "no match line is on or before this day" + (
                f", one was due on {self.newest_due}" if self.newest_due else ""
            )
        due = f", one was due on {self.newest_due}" if self.lag_days else ""
        return f"the newest match is of {self.newest_match}{due}"


def read_freshness(connection: sa.Connection, as_of: dt.date) -> dict[int, Freshness]:
    """``leagues.id`` -> freshness, for every league of what *connection* sees."""
    played = {row.league_id: row.newest for row in connection.execute(_NEWEST_MATCH, {"as_of": as_of})}
    due = {row.league_id: row.newest for row in connection.execute(_NEWEST_DUE, {"as_of": as_of})}
    return {
        league_id: Freshness(as_of=as_of, newest_match=played.get(league_id), newest_due=due.get(league_id))
        for league_id in connection.scalars(sa.text("select id from leagues"))
    }
