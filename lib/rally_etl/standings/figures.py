"""Figures of all teams of a league: recomputed from the lines, and compared with the standings as printed."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

import sqlalchemy as sa

from rally_etl.naming import League
from rally_etl.standings.rules import binds

CLASSES = {
    "agrees": "all nine figures are those of the lines",
    "missing": "a team match of the table is not among the lines",
    "ahead": "the lines hold a team match, or a part of one, that the table does not know yet",
    "forfeit": "a team match has fewer lines than it should: nobody recorded a forfeit",
    "irregular": "a score that can be counted in more than one way, or was corrected on one side",
    "unprinted": "the team has played and has no row in the table",
    "unexplained": "none of these: the table and the lines contradict each other",
}
"""What became of the comparison of one team, and what that means; `idle` teams have neither lines nor figures."""


@dataclass(frozen=True, slots=True)
class TeamFigures:
    """One team: its class, and each figure that differs as ``won 3:2``, printed and recomputed."""

    id: int
    team: str
    verdict: str
    figures: str
    short: int
    lines: int

    def as_row(self) -> dict[str, object]:
        """The failing row of a check."""
        return {"id": self.id, "team": self.team, "class": self.verdict, "printed_and_recomputed": self.figures}


@dataclass(frozen=True)
class Comparison:
    """All teams of a league that have played or stand in the table with a match, by name."""

    teams: Sequence[TeamFigures]

    @cached_property
    def counts(self) -> Counter[str]:
        """Class -> teams."""
        return Counter(team.verdict for team in self.teams)

    def of(self, *verdicts: str) -> list[TeamFigures]:
        """Teams of these classes."""
        return [team for team in self.teams if team.verdict in verdicts]

    def share(self, *verdicts: str) -> float:
        """Teams of these classes as a share of all; of no team it is 0."""
        return len(self.of(*verdicts)) / len(self.teams) if self.teams else 0.0

    @property
    def short_share(self) -> float:
        """Lines that nobody recorded as a share of all that were due in the team matches that have any."""
        due = sum(team.lines for team in self.teams)
        return sum(team.short for team in self.teams) / due if due else 0.0


def compare(connection: sa.Connection, league: League, league_id: int, as_of: dt.date) -> Comparison | None:
    """Compare every active team of a league in what *connection* sees by bare names of tables, live or a candidate.

    None where nobody knows how the league counts.
    """
    rule = binds(league)
    if rule is None:
        return None
    found = connection.execute(
        sa.text(f"with {read('recomputed')}{read('compared')}"), {"league_id": league_id, "as_of": as_of} | rule
    )
    teams = [TeamFigures(*row) for row in found]
    return Comparison([team for team in teams if team.verdict != "idle"])


def read(name: str) -> str:
    """The text of ``sql/<name>.sql``."""
    return (files("rally_etl.standings.sql") / f"{name}.sql").read_text(encoding="utf-8")
