"""How old the newest match of a league is, and whether newer ones are due."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import sqlalchemy as sa

_FRESHNESS = sa.text(
    """
    with played as materialized (
        select league_id, max(match_date) as newest from match_scores where match_date <= :as_of group by league_id
    ),
    due as (
        select
            s.league_id,
            max(s.match_date) filter (where s.match_date <= :as_of) as newest,
            min(s.match_date) filter (where s.match_date > :as_of) as next,
            min(s.match_date) filter (
                where s.match_date <= :as_of and (s.match_date > p.newest or p.newest is null)
            ) as missed
        from schedule as s
        left join played as p on p.league_id = s.league_id
        where coalesce(s.away_team, '') <> '' and s.home_team not ilike '%practice%'
        group by s.league_id
    )
    select l.id, p.newest as played, d.newest as due, d.next, d.missed
    from leagues as l
    left join played as p on p.league_id = l.id
    left join due as d on d.league_id = l.id
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """Newest match played, and newest match that was due, on or before `as_of`; None where there is none.

    Attributes:
        next_due: the next one that is due.
        first_missed: the first one that was due after the newest match.
    """

    as_of: dt.date
    newest_match: dt.date | None
    newest_due: dt.date | None
    next_due: dt.date | None = None
    first_missed: dt.date | None = None

    @property
    def age_days(self) -> int | None:
        """Days since the newest match."""
        return None if self.newest_match is None else (self.as_of - self.newest_match).days

    @property
    def lag_days(self) -> float | None:
        """Days by which matches lie behind the schedule; None when none was due, infinite when nothing can tell.

        The break between two seasons is no delay: what is missing is missing from the first match that was due in it.
        """
        if self.newest_due is None:
            return None
        since = self.newest_match
        if self.first_missed:
            day_before = self.first_missed - dt.timedelta(days=1)
            since = day_before if since is None else max(since, day_before)
        return math.inf if since is None else max(0, (self.newest_due - since).days)

    def is_in_season(self, days: float) -> bool:
        """Whether a match was played or due, or will be due, within so many days of `as_of`."""
        known = [day for day in (self.newest_match, self.newest_due, self.next_due) if day]
        return any(abs((self.as_of - day).days) <= days for day in known)

    def told(self) -> str:
        """The facts in words."""
        if self.newest_match is None:
            return "no match line is on or before this day" + (
                f", one was due on {self.newest_due}" if self.newest_due else ""
            )
        if not self.lag_days:
            return f"the newest match is of {self.newest_match}"
        since = f"from {self.first_missed} to " if self.first_missed not in (None, self.newest_due) else "on "
        return f"the newest match is of {self.newest_match}, those due {since}{self.newest_due} are missing"


def read_freshness(connection: sa.Connection, as_of: dt.date) -> dict[int, Freshness]:
    """``leagues.id`` -> freshness, for every league of what *connection* sees."""
    return {
        row.id: Freshness(
            as_of=as_of,
            newest_match=row.played,
            newest_due=row.due,
            next_due=row.next,
            first_missed=row.missed,
        )
        for row in connection.execute(_FRESHNESS, {"as_of": as_of})
    }
