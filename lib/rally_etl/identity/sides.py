"""The two sides of matching: the teams of a scrape and the live ones, and what has been found out about them so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rally_etl.identity.reviews import Candidate
from rally_etl.identity.rosters import Rosters
from rally_etl.identity.spelling import TeamKey
from rally_etl.identity.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Incoming:
    """A team that a scrape's rosters or standings name. ``people``: person keys of its players, none if not scraped."""

    key: TeamKey
    name: str
    people: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """A live team; ``key`` None: the league's grammar does not read its name. ``people``: its active players."""

    id: int
    key: TeamKey | None
    name: str
    is_active: bool
    people: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Match:
    """What one incoming team is.

    Attributes:
        id: the live team; None for a new one and for one that waits.
        strategy: ``exact``, ``alias``, ``roster``, ``new`` or ``waits``.
        confidence: 0 to 1 in ``id``, or in there being none.
        evidence: a phrase for a person.
        kind: of the question to ask (``reviews.Review.kind``), "" for none; a new team may have one too.
        candidates: what to ask about, the likeliest first.
    """

    id: int | None
    strategy: str
    confidence: float
    evidence: str
    kind: str = ""
    candidates: tuple[Candidate, ...] = ()


@dataclass(slots=True)
class Scene:
    """Both sides, and what has been found out so far.

    Attributes:
        rows: live rows of each key, the one that it means first.
        live: active teams, and those that a name finds; several rows of one key are one team with the players of all.
        first: id of any live row -> id in ``live`` that stands for it.
        vanished: active teams in ``live`` that nothing claims.
        doubted: teams in ``live`` whose name stands over the players of another.
        firm_keys, firm_ids: pairs of one name whose players say so too, or that were decided: no rivals of others.
    """

    incoming: dict[TeamKey, Incoming]
    rows: dict[TeamKey, list[Known]]
    live: dict[int, Known]
    first: dict[int, int]
    thresholds: Thresholds
    rejected: frozenset[tuple[TeamKey, int]]
    rosters: Rosters
    goes_on: bool = True
    vanished: set[int] = field(default_factory=set)
    doubted: set[int] = field(default_factory=set)
    firm_keys: set[TeamKey] = field(default_factory=set)
    firm_ids: set[int] = field(default_factory=set)

    def is_unclaimed(self, team_id: int) -> bool:
        return team_id in self.vanished or team_id in self.doubted

    def is_same_series(self, key: TeamKey, team_id: int) -> bool:
        other = self.live[team_id].key
        return other is not None and other[1] == key[1]

    def has_rosters(self, key: TeamKey, team_id: int) -> bool:
        """Are there players on both sides, enough to say something?"""
        return min(len(self.incoming[key].people), len(self.live[team_id].people)) >= self.thresholds.shared_people

    def is_same_club(self, key: TeamKey, team_id: int) -> bool:
        """Are both of one club and in one series, so that only the ordinal differs?"""
        other = self.live[team_id].key
        return other is not None and other[:2] == key[:2]

    def rivals_of(self, key: TeamKey, but: int) -> list[int]:
        """Live teams that share players with *key* and are not firmly something else."""
        others = [other for other in self.rosters.by_key[key] if other != but and other not in self.firm_ids]
        return [other for other in others if (key, other) not in self.rejected]

    def claimants_of(self, team_id: int, but: TeamKey) -> list[TeamKey]:
        """Incoming teams that share players with *team_id* and are not firmly something else."""
        others = [other for other in self.rosters.by_id[team_id] if other != but and other not in self.firm_keys]
        return [other for other in others if (other, team_id) not in self.rejected]

    def candidate(self, key: TeamKey, team_id: int) -> Candidate:
        overlap = round(self.rosters.overlap(key, team_id), 3)
        return Candidate(team_id, self.live[team_id].name, "roster", overlap, self.rosters.evidence(key, team_id))


def scene_of(
    incoming: Sequence[Incoming], known: Sequence[Known], thresholds: Thresholds, rejected: frozenset
) -> Scene:
    teams: dict[TeamKey, Incoming] = {}
    for team in sorted(incoming, key=lambda each: (each.key, each.name)):
        same = teams.get(team.key)
        teams[team.key] = team if same is None else replace(same, people=same.people | team.people)
    rows: defaultdict[TeamKey, list[Known]] = defaultdict(list)
    live: dict[int, Known] = {}
    first: dict[int, int] = {}
    for row in sorted(known, key=lambda each: (not each.is_active, each.id)):
        stands_for = row.id
        if row.key is not None:
            rows[row.key].append(row)
            stands_for = rows[row.key][0].id
        first[row.id] = stands_for
        if stands_for in live:
            live[stands_for] = replace(live[stands_for], people=live[stands_for].people | row.people)
        elif row.is_active or row.key in teams:
            live[stands_for] = row
    rosters = Rosters(
        {key: team.people for key, team in teams.items()}, {team_id: team.people for team_id, team in live.items()}
    )
    return Scene(teams, dict(rows), live, first, thresholds, rejected, rosters)
