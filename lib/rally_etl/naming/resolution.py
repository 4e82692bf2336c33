"""Find the team that a printed name means among the teams that exist; never by part of a name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rally_etl.naming.grammar import TeamName
from rally_etl.naming.leagues import League

Strategy = Literal["exact", "alias", "suffix", "series", "none", "ambiguous"]
Printed = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What one printed name means. ``candidates``: teams that may have been meant, when none fits alone."""

    team: TeamName | None
    strategy: Strategy
    candidates: tuple[str, ...] = ()


class Roster:
    """Teams that exist, in the orders in which names are looked up."""

    def __init__(self, teams: Iterable[TeamName]) -> None:
        """One entry per key, whatever the spellings."""
        self.teams: dict[tuple[str, str, str], TeamName] = {}
        for team in teams:
            self.teams.setdefault(team.key, team)
        self.suffixed: defaultdict[tuple[str, str, str], list[TeamName]] = defaultdict(list)
        self.of_club: defaultdict[tuple[str, str], list[TeamName]] = defaultdict(list)
        for team in self.teams.values():
            self.of_club[team.club_key, team.ordinal].append(team)
            if team.suffix:
                self.suffixed[team.club_key, team.series.removesuffix(f" {team.suffix}"), team.ordinal].append(team)


def resolve(
    names: Iterable[Printed], roster: Iterable[TeamName], league: League, fallback: Iterable[TeamName] = ()
) -> dict[Printed, Resolved]:
    """Find the team of each name: exactly, by a suffix that was lost, or by a series that was left out.

    Args:
        names: printed team and printed series (None where the file has none).
        roster: teams of this scrape's players and standings; they come first.
        fallback: live active teams, asked where the roster has no answer.

    Returns:
        one entry per name; without a team the strategy is `none`, or `ambiguous` when several fit.
    """
    rosters = (Roster(roster), Roster(fallback))
    return {name: _resolve_one(name, rosters, league) for name in names}


def _resolve_one(name: Printed, rosters: tuple[Roster, ...], league: League) -> Resolved:
    unresolved = Resolved(None, "none")
    for roster in rosters:
        found = _look_up(name, roster, league)
        if found.team:
            return found
        if found.strategy == "ambiguous" or not unresolved.candidates:
            unresolved = unresolved if unresolved.strategy == "ambiguous" else found
    return unresolved


def _look_up(name: Printed, roster: Roster, league: League) -> Resolved:
    printed, series = name
    team = league.parse_team(printed, series)
    if team is None:
        bare = league.parse_bare(printed)
        return _only("series", roster.of_club[bare.club_key, bare.ordinal]) if bare else Resolved(None, "none")
    if known := roster.teams.get(team.key):
        return Resolved(known, "alias" if league.needs_alias(printed, series) else "exact")
    if not team.suffix and (suffixed := roster.suffixed[team.key]):
        return _only("suffix", suffixed)
    near = [
        other.name for other in roster.teams.values() if other.club_key == team.club_key and other.series == team.series
    ]
    return Resolved(None, "none", tuple(sorted(near)))


def _only(strategy: Strategy, teams: list[TeamName]) -> Resolved:
    if len(teams) == 1:
        return Resolved(teams[0], strategy)
    return Resolved(None, "ambiguous" if teams else "none", tuple(sorted(team.name for team in teams)))
