"""Who of which team of a scrape plays in which live team: the evidence of players, without any names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from rally_etl.identity.spelling import TeamKey


class Rosters:
    """Persons that teams of a scrape and live teams have in common; only pairs with somebody in common are kept."""

    def __init__(self, incoming: Mapping[TeamKey, frozenset[str]], live: Mapping[int, frozenset[str]]) -> None:
        """Person keys of each team; a team without a roster has nobody in common with any."""
        self.incoming, self.live = incoming, live
        self.by_key: dict[TeamKey, dict[int, int]] = {}
        self.by_id: dict[int, dict[TeamKey, int]] = {team_id: {} for team_id in live}
        seen = frozenset().union(*incoming.values())
        teams_of: defaultdict[str, list[int]] = defaultdict(list)
        for team_id, people in live.items():
            for person in people & seen:
                teams_of[person].append(team_id)
        for key, people in incoming.items():
            self.by_key[key] = Counter(team_id for person in people for team_id in teams_of.get(person, ()))
            for team_id, count in self.by_key[key].items():
                self.by_id[team_id][key] = count

    def shared(self, key: TeamKey, team_id: int) -> int:
        """Number of persons in both."""
        return self.by_key.get(key, {}).get(team_id, 0)

    def larger(self, key: TeamKey, team_id: int) -> int:
        """Number of persons of the larger of the two."""
        return max(len(self.incoming.get(key, ())), len(self.live.get(team_id, ())))

    def overlap(self, key: TeamKey, team_id: int) -> float:
        """Persons in both, as a share of the larger roster."""
        shared = self.shared(key, team_id)
        return shared / self.larger(key, team_id) if shared else 0.0

    def evidence(self, key: TeamKey, team_id: int) -> str:
        """The overlap as a phrase: `11 of 12 players are the same`."""
        if not self.incoming.get(key) or not self.live.get(team_id):
            return "there are no players to compare"
        return f"{self.shared(key, team_id)} of {self.larger(key, team_id)} players are the same"

    def is_own(self, key: TeamKey, team_id: int) -> bool:
        """Do the two have players in common, and does neither of them fit another team better?"""
        ours, theirs = self.incoming[key], self.live.get(team_id, frozenset())
        return self.shared(key, team_id) > 0 and not (
            any(_fits_better(ours, self.live[other], theirs) for other in self.by_key[key])
            or any(_fits_better(theirs, self.incoming[other], ours) for other in self.by_id[team_id])
        )

    def is_live_led(self, key: TeamKey, best: int, other: int, share: float, least: int = 1) -> bool:
        """Does *key* look like the live team *best* by at least so many players, and hardly like *other*?"""
        return _leads(self.incoming[key], self.live[best], self.live[other], share, least)

    def is_incoming_led(self, team_id: int, best: TeamKey, other: TeamKey, share: float, least: int = 1) -> bool:
        """Do at least so many players of the live team stand in *best* now, and hardly any in *other*?"""
        return _leads(self.live[team_id], self.incoming[best], self.incoming[other], share, least)


# Two rosters are compared by those who play in one of them only: whoever plays in both says nothing about which it is.


def _leads(people: frozenset[str], best: frozenset[str], other: frozenset[str], share: float, least: int) -> bool:
    of_best, of_other = len((people & best) - other), len((people & other) - best)
    return of_best >= least and of_other <= share * of_best


def _fits_better(people: frozenset[str], other: frozenset[str], own: frozenset[str]) -> bool:
    return len((people & other) - own) > len((people & own) - other)
