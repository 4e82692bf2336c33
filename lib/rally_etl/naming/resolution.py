"""Find the team that a printed name means among the teams that exist; never by part of a name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from rally_etl.naming.clubs import club_key
from rally_etl.naming.grammar import TeamName
from rally_etl.naming.leagues import League

Strategy = Literal["exact", "alias", "suffix", "series", "none", "ambiguous"]
Part = Literal["suffix", "ordinal", "number", "series"]
Printed = tuple[str, str | None]
Key = tuple[str, str, str]

CUT = re.compile(r"(\d?)([A-Z]?)")
"""What a scraper may have cut off a number: its last digit, the letter behind it."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What one printed name means. ``candidates``: teams that may have been meant, when none fits alone."""

    team: TeamName | None
    strategy: Strategy
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Repair:
    """A team whose name becomes the printed one once the parts in ``lost`` are lost."""

    team: TeamName
    lost: tuple[Part, ...]


class Roster:
    """Teams that exist, and what a printed name means among them."""

    def __init__(self, teams: Iterable[TeamName], league: League, club: Callable[[str], str] = club_key) -> None:
        """One entry per key, whatever the spellings; *club* says which spellings of clubs are one (`Clubs.key`)."""
        self._league, self._club = league, club
        self.teams: dict[Key, TeamName] = {}
        for team in teams:
            self.teams.setdefault(self.key(team), team)
        self._of_club: defaultdict[str, list[TeamName]] = defaultdict(list)
        for key, team in self.teams.items():
            self._of_club[key[0]].append(team)

    def key(self, team: TeamName) -> Key:
        """Club key, series and ordinal."""
        return self._club(team.club), team.series, team.ordinal

    def find(self, printed: str, series: str | None) -> Resolved:
        """Find the team exactly, else by a suffix that was lost or a series that was left out, where one team fits."""
        team = self._league.parse_team(printed, series)
        repairs = self.repairs(printed, series)
        if team is None:
            return _only("series", [repair.team for repair in repairs])
        if known := self.teams.get(self.key(team)):
            return Resolved(known, "alias" if self._league.needs_alias(printed, series) else "exact")
        if suffixed := [repair.team for repair in repairs if repair.lost == ("suffix",)]:
            return _only("suffix", suffixed)
        near = [repair.team.name for repair in repairs if repair.lost == ("ordinal",)]
        return Resolved(None, "none", tuple(sorted(near)))

    def repairs(self, printed: str, series: str | None) -> tuple[Repair, ...]:
        """Other teams of the same club whose name may have been printed so; all of them, the truth is among many."""
        if team := self._league.parse_team(printed, series):
            found = [(other, _lost(team, other)) for other in self._of_club.get(self._club(team.club), ())]
            return tuple(Repair(other, lost) for other, lost in found if lost)
        bare = self._league.parse_bare(printed)
        teams = self._of_club.get(self._club(bare.club_key), ()) if bare else ()
        return tuple(Repair(team, ("series",)) for team in teams if team.ordinal == bare.ordinal)


def resolve(
    names: Iterable[Printed], roster: Iterable[TeamName], league: League, fallback: Iterable[TeamName] = ()
) -> dict[Printed, Resolved]:
    """Find the team of each name by itself: exactly, by a suffix that was lost, or by a series that was left out.

    Args:
        names: printed team and printed series (None where the file has none).
        roster: teams of this scrape's players and standings; they come first.
        fallback: live active teams, asked where the roster has no answer.

    Returns:
        one entry per name; without a team the strategy is `none`, or `ambiguous` when several fit.
    """
    rosters = (Roster(roster, league), Roster(fallback, league))
    return {name: find_first(rosters, *name) for name in names}


def find_first(rosters: Iterable[Roster], printed: str, series: str | None) -> Resolved:
    """The answer of the first roster that has one; else the best of what they say instead."""
    unresolved = Resolved(None, "none")
    for roster in rosters:
        found = roster.find(printed, series)
        if found.team:
            return found
        if found.strategy == "ambiguous" or not unresolved.candidates:
            unresolved = unresolved if unresolved.strategy == "ambiguous" else found
    return unresolved


def _lost(printed: TeamName, real: TeamName) -> tuple[Part, ...]:
    """The parts of *real* that *printed* lacks; empty when they are equal or differ by more than what gets lost."""
    lost: list[Part] = []
    if printed.ordinal != real.ordinal:
        if printed.ordinal:
            return ()
        lost.append("ordinal")
    if printed.series != real.series:
        if printed.suffix not in ("", real.suffix):
            return ()
        short, long = (team.series.removesuffix(f" {team.suffix}") for team in (printed, real))
        cut = CUT.fullmatch(long.removeprefix(short)) if long.startswith(short) and short[-1:].isdigit() else None
        if long != short and cut is None:
            return ()
        if cut and cut[1]:
            lost.append("number")
        if real.suffix != printed.suffix or (cut and cut[2]):
            lost.append("suffix")
    return tuple(lost)


def _only(strategy: Strategy, teams: list[TeamName]) -> Resolved:
    if len(teams) == 1:
        return Resolved(teams[0], strategy)
    return Resolved(None, "ambiguous" if teams else "none", tuple(sorted(team.name for team in teams)))
