"""What planning one league needs to know; its steps fill it in the order of the tables."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.planning.compare import Wanted, plan_changes

if TYPE_CHECKING:
    from rally_etl.database.catalog import Table
    from rally_etl.identity.aliases import Alias
    from rally_etl.identity.reviews import Review
    from rally_etl.identity.spelling import TeamKey
    from rally_etl.identity.thresholds import Thresholds
    from rally_etl.naming import Clubs, League, TeamName


LEAGUE_ROWS = {
    "leagues": "l.id = :league_id",
    "clubs": "exists (select from public.club_leagues as j where j.club_id = l.id and j.league_id = :league_id)",
    "schedule": "l.league_id = :league_id and l.home_team !~* 'practice' and coalesce(l.away_team, '') <> ''",
}
"""Which live rows of a table are a league's imported rows, where it is not simply ``l.league_id = :league_id``."""


@dataclass(frozen=True, slots=True)
class LiveTeam:
    """A team as the candidate will hold it."""

    id: int
    name: str
    series_id: int
    series_name: str
    club_id: int


@dataclass(frozen=True, slots=True)
class LiveRow:
    id: int
    name: str
    display_name: str
    alias: str | None
    club_id: int
    series_id: int
    series_name: str
    league_id: int
    is_active: bool
    key: TeamKey | None

    def switched_off(self) -> dict[str, object]:
        """The wanted row of a team that a complete scrape does not mention: the same, but not active."""
        return {
            "id": self.id, "club_id": self.club_id, "series_id": self.series_id, "league_id": self.league_id,
            "team_name": self.name, "display_name": self.display_name, "team_alias": self.alias, "is_active": False,
        }  # fmt: skip


@dataclass(slots=True)
class Scene:
    """What planning one league needs to know, filled step by step in the order of the tables."""

    connection: sa.Connection
    catalog: dict[str, Table]
    league: League
    clubs: Clubs
    kinds: frozenset[str]
    thresholds: Thresholds
    league_id: int = 0
    club_ids: dict[str, int] = field(default_factory=dict)
    series_ids: dict[str, int] = field(default_factory=dict)
    series_names: dict[str, str] = field(default_factory=dict)
    teams: dict[TeamKey, LiveTeam] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)  # identity.spelling -> id of a live team
    teams_by_id: dict[int, LiveTeam] = field(default_factory=dict)  # every team of the candidate, also inactive ones
    waiting: dict[str, str] = field(default_factory=dict)  # identity.spelling -> name that a review asks about
    protected: set[int] = field(default_factory=set)  # live teams that a question is about: no run touches them
    reviews: list[Review] = field(default_factory=list)
    new_aliases: list[Alias] = field(default_factory=list)  # hold once the plan is published
    # (table, id) -> strategy, confidence and evidence of how a live or new row was found
    identified: dict[tuple[str, int], tuple[str, float, str]] = field(default_factory=dict)
    named_in: dict[TeamKey, set[str]] = field(default_factory=dict)  # roster kinds that name a team
    held: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def key(self, team: TeamName) -> TeamKey:
        """What makes two printed names the same team: club, series and ordinal, whatever the spelling."""
        return (self.clubs.key(team.club), team.series, team.ordinal)

    @property
    def id_prefix(self) -> str:
        """What precedes a person in an id of this league, a regular expression."""
        return id_prefix(self.league)

    def plan(self, table: str, rows: list[dict[str, object]], types: dict[str, str], **values: str) -> None:
        """Plan rows that were worked out here; *types* are their columns, *values* what is written (else as given)."""
        if rows and table in self.catalog:
            shape = ", ".join(f"{name} {type_name}" for name, type_name in types.items())
            written = {name: f"w.{name}" for name in types if name != "id"} | values
            plan_changes(
                self.connection,
                self.catalog[table],
                Wanted(f"select * from jsonb_to_recordset(cast(:rows as jsonb)) as r({shape})", written, new_id="w.id"),
                self.league.key,
                {"rows": json.dumps(rows)},
            )

    def share(self, table: str, ids: list[int]) -> None:
        """This league needs rows, too, that another league of the run plans."""
        self.connection.execute(
            sa.text(
                f"update {quote(table)} set _leagues = _leagues || cast(:league as text)"
                " where id = any(:ids) and not cast(:league as text) = any(_leagues)"
            ),
            {"league": self.league.key, "ids": ids},
        )

    def new_ids(self, table: str, count: int) -> list[int]:
        """Take ids from the live sequence, so that the id an auditor sees is the id users will get."""
        found = self.connection.execute(
            sa.text("select nextval(:sequence) from generate_series(1, :count)"),
            {"sequence": self.catalog[table].sequence, "count": count},
        )
        return list(found.scalars())


def id_prefix(league: League) -> str:
    """What precedes a person in an id of *league*, a regular expression: `records.values.person_key` for SQL."""
    prefixes = "|".join(re.escape(prefix) for prefix in league.id_prefixes)
    return f"^(?:{prefixes})+(?=.)" if prefixes else "^$"


def league_rows(table: Table) -> str:
    """SQL condition over ``l`` for the imported rows of ``:league_id`` in a live table."""
    if table.name == "series" and not table.has("league_id"):
        return "exists (select from public.teams as t where t.series_id = l.id and t.league_id = :league_id)"
    return LEAGUE_ROWS.get(table.name, "l.league_id = :league_id")
