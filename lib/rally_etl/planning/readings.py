"""What a printed team name can mean: its team, and the teams whose name may have lost a part on its way into a file."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rapidfuzz import fuzz, process

from rally_etl.identity.reviews import Candidate, rejected_pairs
from rally_etl.identity.spelling import TeamKey, printed_spelling, team_spelling
from rally_etl.naming.resolution import Roster, find_first

if TYPE_CHECKING:
    from rally_etl.naming import TeamName
    from rally_etl.planning.scene import LiveTeam, Scene

CERTAIN = ("exact", "alias")
SIMILAR = 3  # names offered where nothing fits
LEAST_LIKENESS = 60  # of 100, to be offered
PARTS = {"suffix": "suffix", "ordinal": "ordinal", "number": "last digit", "series": "series"}
_WHY = {
    "exact": (1.0, "the same name"),
    "alias": (1.0, "another spelling of the same name"),
    "suffix": (0.95, "lost its suffix; no other team fits"),
    "series": (0.9, "the club's only team of that name"),
}


@dataclass(frozen=True, slots=True)
class Team:
    """A team that a name can stand for. ``live`` None: it is under review, or the database has no room for it."""

    key: TeamKey
    name: str = field(compare=False)
    live: LiveTeam | None = field(compare=False)

    @property
    def series(self) -> str:
        """Canonical name of its series."""
        return self.key[1]


@dataclass(frozen=True, slots=True)
class Option:
    """A team that a name may mean; ``lost``: parts of its name that are not printed."""

    team: Team
    lost: tuple[str, ...] = ()

    @property
    def evidence(self) -> str:
        """What happened to the name."""
        return f"lost its {' and '.join(PARTS[part] for part in self.lost)}" if self.lost else ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one printed name says by itself.

    Attributes:
        spelling: what aliases and reviews of it are filed under.
        team: what it means unless the opponent says otherwise; None when nothing or several fit.
        strategy: ``exact``, ``alias``, ``suffix`` or ``series``; ``ambiguous`` or ``none`` without a team.
        alias: the team that somebody recorded for it; asked also where the exact name contradicts the opponent.
        repairs: other teams that may have been printed so.
    """

    printed: str
    series: str
    spelling: str
    team: Team | None
    strategy: str
    confidence: float = 0.0
    evidence: str = ""
    alias: Team | None = None
    repairs: tuple[Option, ...] = ()

    @property
    def options(self) -> tuple[Option, ...]:
        """Everything that it may mean, as printed first."""
        told = [Option(team) for team in dict.fromkeys((self.team, self.alias)) if team]
        return (*told, *(option for option in self.repairs if option.team not in (self.team, self.alias)))


class Readings:
    """Reads the printed names of one league; remembers what it has read."""

    def __init__(
        self, scene: Scene, roster: Collection[TeamName], live: Iterable[TeamName], is_complete: bool = False
    ) -> None:
        """Take the teams that exist.

        Args:
            roster: teams that the scrape's rosters and standings name; without any it is *live* that counts.
            live: active teams, asked after those.
            is_complete: the scrape names every team of the season, so that no name is mended into another one.
        """
        self._scene, self._is_complete = scene, is_complete
        self._rosters = tuple(Roster(teams, scene.league, scene.clubs.key) for teams in (roster or live, live))
        self._teams: dict[TeamKey, Team] = {}
        self._by_id: dict[int, Team] = {}
        for each in self._rosters:
            for key, name in each.teams.items():
                self._add(key, name.name)
        self._rejected = rejected_pairs(scene.connection, scene.league.key, "team")
        self._read: dict[tuple[str, str], Reading] = {}

    def read(self, printed: str, series: str) -> Reading:
        """What *printed* says, with the printed series ('' where there is none)."""
        if (printed, series) not in self._read:
            self._read[printed, series] = self._look_up(printed, series)
        return self._read[printed, series]

    def team(self, team_id: int) -> Team | None:
        """The team of a live id; None when it is no active team of the league."""
        return self._by_id.get(team_id)

    def similar(self, reading: Reading) -> tuple[Candidate, ...]:
        """Teams with the likest names, for a person to look at."""
        names = {team.live.id: team.name for team in self._by_id.values() if team.live}
        found = process.extract(
            reading.printed, names, scorer=fuzz.ratio, processor=str.casefold, limit=2 * SIMILAR,
            score_cutoff=LEAST_LIKENESS,
        )  # fmt: skip
        return tuple(
            Candidate(team_id, name, "similar", round(score / 100, 2), f"names are {score:.0f} % alike")
            for name, score, team_id in found
            if (reading.spelling, team_id) not in self._rejected
        )[:SIMILAR]

    def _add(self, key: TeamKey, name: str) -> None:
        live = self._scene.teams.get(key)
        # a team that was renamed answers to both names, and is of the series that it is in now
        team = (self._by_id.get(live.id) if live else None) or Team(key, live.name if live else name, live)
        self._teams.setdefault(key, team)
        if live:
            self._by_id.setdefault(live.id, team)

    def _look_up(self, printed: str, series: str) -> Reading:
        scene = self._scene
        parsed = scene.league.parse_team(printed, series or None)
        spelling = team_spelling(scene.key(parsed)) if parsed else printed_spelling(printed, series)
        alias = self._recorded(scene.aliases.get(spelling))
        repairs = self._repairs(printed, series, spelling)
        found = self._rosters[0].find(printed, series or None)
        strategy, team = found.strategy, found.team and self._teams[self._rosters[0].key(found.team)]
        if alias and strategy not in CERTAIN:
            why = (1.0, "a recorded alias")
            return Reading(printed, series, spelling, alias, "alias", *why, alias, repairs)
        if team is None:
            found = find_first(self._rosters, printed, series or None)
            strategy, team = found.strategy, found.team and self._teams[self._rosters[0].key(found.team)]
        if team is None or (strategy not in CERTAIN and self._is_rejected(spelling, team)):
            return Reading(
                printed, series, spelling, None, "ambiguous" if repairs else "none", alias=alias, repairs=repairs
            )
        return Reading(printed, series, spelling, team, strategy, *_WHY[strategy], alias, repairs)

    def _recorded(self, team_id: int | None) -> Team | None:
        """The team that an alias points to, also one that is not active."""
        if team_id is None or team_id in self._by_id:
            return self._by_id.get(team_id)
        live = self._scene.teams_by_id.get(team_id)
        name = live and self._scene.league.parse_team(live.name, live.series_name)
        return Team(self._scene.key(name), live.name, live) if name else None

    def _repairs(self, printed: str, series: str, spelling: str) -> tuple[Option, ...]:
        rosters = self._rosters[:1] if self._is_complete else self._rosters
        found = [
            Option(self._teams[roster.key(repair.team)], repair.lost)
            for roster in rosters
            for repair in roster.repairs(printed, series or None)
        ]
        return tuple(dict.fromkeys(option for option in found if not self._is_rejected(spelling, option.team)))

    def _is_rejected(self, spelling: str, team: Team) -> bool:
        return team.live is not None and (spelling, team.live.id) in self._rejected
