"""What the ledger knows of ids that live no longer explains: names, series and leagues, and what was merged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from rally_etl.identity.aliases import EVERYWHERE
from rally_etl.protection.finding.ground import Ground

ONE = {"teams": "team", "series": "series", "clubs": "club", "players": "player", "leagues": "league"}

_LATEST = sa.text(
    """
    select distinct on (entity_id) entity_id as id, league, name, series, team, valid_to
    from etl.entity_history
    where table_name = :target and entity_id = any(:ids)
    order by entity_id, coalesce(valid_to, 'infinity') desc, valid_from desc
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

    def told(self, target: str) -> str:
        """What the id was, as the end of a sentence: ``which was Tennaqua 12 (Series 12) until 2025-08-06``."""
        text = ""
        if self.name:
            series = f" ({self.series})" if self.series and self.series != self.name else ""
            until = f" until {self.until:%Y-%m-%d}" if self.until else " when last seen"
            text = f", which was {self.name}{series}{until}"
        if self.into is not None:
            text += f", merged into {ONE.get(target, 'row')} {self.into}"
        return text


def known_ids(ground: Ground, target: str, values: Iterable[str | None]) -> dict[str, Known]:
    """What the ledger knows of ids of one imported table; an id that it never saw has no entry."""
    ids = sorted({int(value) for value in values if value and value.isascii() and value.isdigit() and len(value) < 10})
    found: dict[str, Known] = {}
    binds = {"target": target, "ids": ids}
    if not ids:
        return found
    merged = {}
    if "redirects" in ground.ledger:
        merged = {row.id: row for row in ground.connection.execute(_MERGED, binds)}
        found = {str(number): Known(into=row.into_id, until=row.created_at) for number, row in merged.items()}
    if "entity_history" in ground.ledger:
        for row in ground.connection.execute(_LATEST, binds):
            into = merged.get(row.id)
            found[str(row.id)] = Known(
                name=row.name,
                series=row.name if target == "series" else row.series,
                club=club_of(ground, row.league, row.name, row.series) if target == "teams" else _club(target, row),
                league="" if row.league == EVERYWHERE else row.league,
                until=row.valid_to or (into.created_at if into else None),
                into=into.into_id if into else None,
            )
    return found


def club_of(ground: Ground, league: str, team: str, series: str = "") -> str:
    """Club that the name of a team says by its league's grammar; "" where it says none."""
    if not team or not league or league == EVERYWHERE:
        return ""
    read = ground.names.get(league).parse_team(team, series or None)
    return read.club if read else ""


def _club(target: str, row: sa.Row) -> str:
    return row.name if target == "clubs" else ""
