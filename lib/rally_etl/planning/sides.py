"""Which two teams the two printed names of a meeting are; both are always of one series, so each tells of the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from rally_etl.planning.readings import CERTAIN, Reading, Team

LEAST_PEOPLE = 3  # on a roster, before players decide: a single pair may be two substitutes
WEAK = frozenset({"number", "series"})
"""Parts whose loss leaves so much open that two such names do not prove each other."""

Combination = tuple[Team, Team]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two names printed as the sides of a meeting, in no order, and how many rows print them."""

    names: tuple[Reading, Reading]
    row_count: int

    @property
    def key(self) -> tuple[str, str, str]:
        """Both printed names and the printed series."""
        first, second = self.names
        return first.printed, second.printed, first.series

    @property
    def printed(self) -> Combination | None:
        """The teams that the names mean by themselves."""
        first, second = (name.team for name in self.names)
        return (first, second) if first and second else None

    def combinations(self) -> list[Combination]:
        """Every two teams of one series that may have been printed so."""
        options = ([option.team for option in name.options] for name in self.names)
        return [(a, b) for a, b in product(*options) if a.series == b.series and a != b]

    def lost(self, side: int, team: Team) -> frozenset[str]:
        """Parts of the name of *team* that are not printed on a side."""
        return frozenset(next(option.lost for option in self.names[side].options if option.team == team))


@dataclass(frozen=True, slots=True)
class Side:
    """What one name of a pair means; ``options``: teams to ask a person about where it is not certain."""

    team: Team | None
    strategy: str
    confidence: float
    evidence: str
    options: tuple[Team, ...] = ()


@dataclass(frozen=True, slots=True)
class Played:
    """Who played for the two sides of one meeting: persons of each side, and how many of them each roster holds."""

    people: tuple[int, int]
    held: tuple[dict[Team, int], dict[Team, int]]

    def favourite(self, side: int, teams: Iterable[Team]) -> Team | None:
        """The one team whose roster holds most of the persons, and more than any other."""
        found = self._first(side, teams)
        return found if found and 2 * self.held[side][found] > self.people[side] else None

    def names(self, combination: Combination, rivals: Sequence[Combination]) -> bool:
        """Do the players of both sides speak for *combination*, and for none of its *rivals*?

        A side may be half substitutes: what counts is most of all the players, and on each side more than any other.
        """
        if 2 * sum(self.held[side].get(combination[side], 0) for side in (0, 1)) <= sum(self.people):
            return False
        sides = [{each[side] for each in (combination, *rivals)} for side in (0, 1)]
        return all(self._first(side, sides[side]) == combination[side] for side in (0, 1) if len(sides[side]) > 1)

    def _first(self, side: int, teams: Iterable[Team]) -> Team | None:
        counts = sorted(((self.held[side].get(team, 0), team.key, team) for team in set(teams)), reverse=True)
        is_tied = len(counts) > 1 and counts[1][0] == counts[0][0]
        return None if not counts or not counts[0][0] or is_tied else counts[0][2]


@dataclass(slots=True)
class Fixtures:
    """Who meets whom on the schedule, in no order. ``open``: meetings that it may hold under a name in doubt."""

    meetings: set[frozenset[Team]] = field(default_factory=set)
    open: set[frozenset[Team]] = field(default_factory=set)
    playing: set[Team] = field(default_factory=set)

    def add(self, combinations: Sequence[Combination]) -> None:
        """A meeting of the schedule: between one pair of teams, or one of several."""
        pairs = {frozenset(each) for each in combinations}
        (self.meetings if len(pairs) == 1 else self.open).update(pairs)
        if len(pairs) == 1:
            self.playing.update(*pairs)

    def has(self, combination: Combination) -> bool:
        """Does the schedule have the two meet?"""
        return frozenset(combination) in self.meetings

    def excludes(self, combination: Combination) -> bool:
        """Does the schedule know both and never have them meet?"""
        pair = frozenset(combination)
        return pair <= self.playing and pair not in self.meetings and pair not in self.open


def in_doubt(pair: Pair, fixtures: Fixtures) -> list[Combination]:
    """What a pair may mean where its names leave that open; empty where they do not.

    Two names of one series are what they say, unless two teams may meet whose names become these when they lose a part.
    """
    is_one_series = pair.printed is not None and pair.printed[0].series == pair.printed[1].series
    if is_one_series and not any(name.repairs for name in pair.names):
        return []
    combinations = pair.combinations()
    if pair.printed not in combinations:
        return combinations
    others = [each for each in combinations if each != pair.printed and not fixtures.excludes(each)]
    return [pair.printed, *others] if others else []


def settle(pair: Pair, fixtures: Fixtures, played: Sequence[Played] = ()) -> tuple[Side, Side]:
    """Decide what the two names mean; what the evidence does not decide is left open."""
    combinations = in_doubt(pair, fixtures)
    if not combinations:
        return _as_printed(pair, fixtures)
    if pair.printed in combinations:
        other = _overruling(pair.printed, combinations[1:], played)
        if other is None:
            return _as_printed(pair, fixtures)
        return _chosen(pair, other[0], "players", fixtures, played) if len(other) == 1 else _open(pair, combinations)
    if pair.printed and fixtures.has(pair.printed):
        return _as_printed(pair, fixtures)
    aliased = [each for each in combinations if any(_is_alias(pair, side, each[side]) for side in (0, 1))]
    return _narrowed(pair, aliased or combinations, fixtures, played)


def _narrowed(
    pair: Pair, combinations: list[Combination], fixtures: Fixtures, played: Sequence[Played]
) -> tuple[Side, Side]:
    survivors, people = _by_players(pair, combinations, played)
    possible = [each for each in combinations if not fixtures.excludes(each)]
    strategy = "opponent" if len(combinations) == 1 else "schedule" if len(possible) == 1 else "players"
    if len(survivors) == 1 and people >= LEAST_PEOPLE:
        if possible and survivors[0] not in possible:
            return _open(pair, combinations)
        return _chosen(pair, survivors[0], strategy, fixtures, played)
    whole = [each for each in possible if not any("number" in pair.lost(side, each[side]) for side in (0, 1))]
    left = whole or possible
    if len(left) != 1 or left[0] not in survivors:
        return _open(pair, combinations)
    is_proved = fixtures.has(left[0]) or not all(WEAK & pair.lost(side, left[0][side]) for side in (0, 1))
    strategy = "schedule" if len(possible) < len(combinations) else "opponent"
    return _chosen(pair, left[0], strategy, fixtures, played) if is_proved else _open(pair, combinations)


def _by_players(pair: Pair, combinations: list[Combination], played: Sequence[Played]) -> tuple[list[Combination], int]:
    """Combinations that the players of no meeting contradict, and how many persons tell them from the others."""
    survivors, people = combinations, 0
    for meeting in played:
        for side in (0, 1):
            favourite = meeting.favourite(side, (option.team for option in pair.names[side].options))
            if favourite:
                survivors = [each for each in survivors if each[side] == favourite]
                if len({each[side] for each in combinations}) > 1:
                    people += meeting.held[side][favourite]
    return survivors, people


def _overruling(printed: Combination, others: list[Combination], played: Sequence[Played]) -> list[Combination] | None:
    """Combinations that players name instead of the *printed* one; with it, where they name both; None for none.

    Both sides must agree: on one side alone substitutes of another team of the club may play.
    """
    named: dict[Combination, int] = {}
    every = [printed, *others]
    for meeting in played:
        for each in every:
            if meeting.names(each, every):
                people = sum(meeting.held[side].get(each[side], 0) for side in (0, 1))
                named[each] = named.get(each, 0) + people
    found = [each for each, people in named.items() if each != printed and people >= LEAST_PEOPLE]
    return [*found, *(each for each in named if each == printed)] if found else None


def _as_printed(pair: Pair, fixtures: Fixtures) -> tuple[Side, Side]:
    """Each name by itself, as far as it says anything; both of them agree, or there is nothing else to choose."""
    options = [tuple(option.team for option in name.options) for name in pair.names]
    sides = []
    contradict = pair.printed is not None and pair.printed[0].series != pair.printed[1].series
    scheduled = pair.printed is not None and fixtures.has(pair.printed)
    for side, name in enumerate(pair.names):
        if name.team is None or (contradict and not scheduled and name.strategy not in CERTAIN):
            sides.append(Side(None, "ambiguous" if options[side] else "none", 0.0, "", options[side]))
            continue
        found = _by_itself(name, pair.printed[1 - side] if scheduled else None)
        if contradict and not scheduled:
            found = replace(found, confidence=0.5, evidence=f"{name.evidence}, but its opponent is of another series")
        sides.append(found)
    return sides[0], sides[1]


def _chosen(
    pair: Pair, combination: Combination, strategy: str, fixtures: Fixtures, played: Sequence[Played]
) -> tuple[Side, Side]:
    """The two sides of a combination, with what speaks for each."""
    sides = []
    for side, name in enumerate(pair.names):
        team, opponent = combination[side], combination[1 - side]
        is_scheduled = fixtures.has(combination)
        people, held = sum(m.people[side] for m in played), sum(m.held[side].get(team, 0) for m in played)
        if team == name.team:
            sides.append(_by_itself(name, opponent if is_scheduled else None))
            continue
        evidence = [next(option for option in name.options if option.team == team).evidence]
        evidence.append(_plays(opponent) if is_scheduled else f"its opponent is of {opponent.series}")
        evidence += [f"{held} of {people} players are on its roster"] if held else []
        confidence = held / people if strategy == "players" else 0.95 if is_scheduled else 0.9
        told = "alias" if team == name.alias else strategy
        sides.append(Side(team, told, round(confidence, 2), "; ".join(filter(None, evidence))))
    return sides[0], sides[1]


def _open(pair: Pair, combinations: list[Combination]) -> tuple[Side, Side]:
    """Not decided: a name that all combinations agree about is taken, the other ones are asked about."""
    sides = []
    for side, name in enumerate(pair.names):
        options = tuple(dict.fromkeys(each[side] for each in combinations))
        if options == (name.team,):
            sides.append(_by_itself(name, None))
        else:
            asked = tuple(dict.fromkeys((*options, *([name.team] if name.team else []))))
            sides.append(Side(None, "ambiguous", 0.0, "", asked))
    return sides[0], sides[1]


def _by_itself(name: Reading, scheduled: Team | None) -> Side:
    """What a name means by itself; a meeting with the opponent on the schedule makes it certain."""
    if scheduled is None or name.strategy == "exact":
        return Side(name.team, name.strategy, name.confidence, name.evidence)
    return Side(name.team, name.strategy, 1.0, f"{name.evidence}; {_plays(scheduled)}")


def _is_alias(pair: Pair, side: int, team: Team) -> bool:
    name = pair.names[side]
    return name.alias is not None and team == name.alias and team != name.team


def _plays(opponent: Team) -> str:
    return f"plays {opponent.name} on the schedule"
