"""What the ledger knows of ids: under which names, in which series and leagues they were seen, and what was merged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from rally_etl.identity.aliases import EVERYWHERE
from rally_etl.naming import is_one_name
from rally_etl.planning.merge import own_name
from rally_etl.protection.finding.ground import Ground
from rally_etl.protection.identity import is_same_thing

ONE = {"teams": "team", "series": "series", "clubs": "club", "players": "player", "leagues": "league"}
"""What one row of a table that users refer to is."""

_SEEN = sa.text(
    """
    select entity_id as id, league, name, series, team, valid_from, valid_to, run_id
    from etl.entity_history
    where table_name = :target and entity_id = any(:ids)
    order by entity_id, valid_from, valid_to nulls last
    """
)
_MERGED = sa.text(
    """
    select from_id as id, into_id, created_at
    from etl.redirects
    where table_name = :target and from_id = any(:ids) and ended_at is null
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What one id was.

    Attributes:
        until: when it ceased to be that; None where it was that when last seen.
        into: id of the row it was merged into.
    """

    name: str = ""
    series: str = ""
    club: str = ""
    league: str = ""
    until: datetime | None = None
    into: int | None = None

    def told(self) -> str:
        """What the id was, as the end of a sentence: ``, which was Tennaqua 12 (Series 12) until 2025-08-06``."""
        text = ""
        if self.name:
            series = f" ({self.series})" if self.series and self.series != self.name else ""
            until = f" until {self.until:%Y-%m-%d}" if self.until else " when last seen"
            text = f", which was {self.name}{series}{until}"
        return f"{text}, and was merged into {self.into}" if self.into is not None else text


@dataclass(slots=True)
class Knowledge:
    """The sightings of some ids of one imported table, oldest first, and their redirects."""

    ground: Ground
    target: str
    seen: dict[int, list[sa.Row]] = field(default_factory=lambda: defaultdict(list))
    merged: dict[int, sa.Row] = field(default_factory=dict)

    @classmethod
    def read(cls, ground: Ground, target: str, values: Iterable[str | None]) -> Knowledge:
        """Read what is known of ids given as text; what is no id is left out."""
        found = cls(ground, target)
        ids = sorted({number for value in values if (number := id_of(value)) is not None})
        binds = {"target": target, "ids": ids}
        if ids and "redirects" in ground.ledger:
            found.merged = {row.id: row for row in ground.connection.execute(_MERGED, binds)}
        if ids and "entity_history" in ground.ledger:
            for row in ground.connection.execute(_SEEN, binds):
                found.seen[row.id].append(row)
        return found

    def of(self, value: str | None, name: str = "") -> Known:
        """What an id was when last seen, or when it had that name; empty where nobody knows."""
        number = id_of(value)
        if number is None:
            return Known(name=name)
        into = self.merged.get(number)
        rows = self.seen.get(number, [])
        if name:
            rows = [row for row in rows if own_name(row.name) == own_name(name)]
        row = max(rows, key=lambda row: (row.valid_to is None, row.valid_to or row.valid_from), default=None)
        if row is None:
            return Known(name=name, into=into and into.into_id, until=into and into.created_at)
        return Known(
            name=own_name(row.name),
            series=row.name if self.target == "series" else row.series,
            club=self._club(row),
            league="" if row.league == EVERYWHERE else row.league,
            until=row.valid_to or (into and into.created_at),
            into=into and into.into_id,
        )

    def under_other_names(self, number: int, league: str | None, now: str) -> list[sa.Row]:
        """Sightings of the thing that an id is now, whatever a run has called it since; older things are left out."""
        found: list[sa.Row] = []
        name, run_id = now, None
        for row in reversed(self.seen.get(number, [])):
            if run_id is None and not is_one_thing(self.ground, self.target, league or row.league, row.name, name):
                break
            found.append(row)
            name, run_id = row.name, row.run_id
        return found

    def _club(self, row: sa.Row) -> str:
        if self.target == "clubs":
            return row.name
        return club_of(self.ground, row.league, row.name if self.target == "teams" else row.team, row.series)


def id_of(value: str | None) -> int | None:
    """The id that a text is."""
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 10 else None


def club_of(ground: Ground, league: str, team: str, series: str = "") -> str:
    """Club that the name of a team says by its league's grammar; "" where it says none."""
    if not team or not league or league == EVERYWHERE:
        return ""
    read = ground.names.get(league).parse_team(own_name(team), series or None)
    return read.club if read else ""


def is_one_thing(ground: Ground, target: str, league: str | None, before: str | None, after: str | None) -> bool:
    """Whether two names of a row stand for one thing: a difference of spelling, or one by the league's grammar."""
    one, other = own_name(before), own_name(after)
    if is_same_thing(target, one, other, ground.params.series_words):
        return True
    if target == "clubs":
        return ground.clubs.key(one or "") == ground.clubs.key(other or "")
    if target == "leagues":
        return ground.names.canonical(one or "") == ground.names.canonical(other or "") is not None
    if target not in ("teams", "series") or not league or league in ("*", EVERYWHERE):
        return False
    return is_one_name(ground.names.get(league), one or "", other or "")
