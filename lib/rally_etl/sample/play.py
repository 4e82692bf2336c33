"""What happens: fixtures, results, standings and ratings, by the leagues' rules."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from rally_etl.sample.league import League, Player, Team
from rally_etl.sample.people import ids

LOSER_GAMES = (0, 1, 2, 2, 3, 3, 4, 4, 4, 5, 6)
HOLIDAYS = (date(2025, 12, 21), date(2026, 1, 3))


@dataclass(frozen=True, slots=True)
class Fixture:
    """One team match of the draw; *host* is where it is played."""

    series: str
    round: int
    day: date
    host: Team
    visitor: Team


@dataclass(frozen=True, slots=True)
class Line:
    """One court of a team match; sets hold the host's games first."""

    number: int
    host: tuple[Player, Player]
    visitor: tuple[Player, Player]
    sets: tuple[tuple[int, int], ...]

    @property
    def host_wins(self) -> bool:
        """More sets win; a line is always played to the end here."""
        return sum(a > b for a, b in self.sets) > len(self.sets) / 2


@dataclass(frozen=True, slots=True)
class Match:
    """One played team match."""

    match_id: str
    fixture: Fixture
    lines: tuple[Line, ...]


@dataclass(slots=True)
class Standing:
    """One row of the standings, counted from matches."""

    points: int = 0
    matches: list[int] = field(default_factory=lambda: [0, 0, 0])  # won, lost, tied
    lines: list[int] = field(default_factory=lambda: [0, 0])
    sets: list[int] = field(default_factory=lambda: [0, 0])
    games: list[int] = field(default_factory=lambda: [0, 0])


def fixtures(league: League) -> Iterator[Fixture]:
    """Answer the season's draw: everybody meets everybody twice, once at home; one round a week, holidays free."""
    for series, start in league.weekdays.items():
        teams = league.of_series(series)
        first = list(_round_robin(teams))
        both = first + [[(visitor, host) for host, visitor in pairs] for pairs in first]
        day = start
        for number, pairs in enumerate(both, start=1):
            while HOLIDAYS[0] <= day <= HOLIDAYS[1]:
                day += timedelta(days=7)
            yield from (Fixture(series, number, day, host, visitor) for host, visitor in pairs)
            day += timedelta(days=7)


def _round_robin(teams: list[Team]) -> Iterator[list[tuple[Team, Team]]]:
    """Answer the rounds of the circle method for an even number of teams."""
    ring = list(teams)
    for number in range(len(ring) - 1):
        pairs = list(zip(ring[: len(ring) // 2], reversed(ring[len(ring) // 2 :]), strict=True))
        yield [(b, a) if number % 2 else (a, b) for a, b in pairs]
        ring = [ring[0], ring[-1], *ring[1:-1]]


def results(rosters: Sequence[League], seed: int) -> list[Match]:
    """Answer the team matches of the first rounds, one roster of the league per round.

    More rounds leave the earlier ones as they are.
    """
    dice = random.Random(f"{rosters[0].key} {seed}")
    numbers = ids(dice)
    busy: set[tuple[date, str]] = set()
    played = [f for number, league in enumerate(rosters, start=1) for f in fixtures(league) if f.round == number]
    return [Match(next(numbers), fixture, _lines(rosters[0], fixture, busy, dice)) for fixture in played]


def _lines(league: League, fixture: Fixture, busy: set[tuple[date, str]], dice: random.Random) -> tuple[Line, ...]:
    """Play one team match; who plays is busy that day, in whatever team."""
    sides = []
    for team in (fixture.host, fixture.visitor):
        free = [player for player in team.players if (fixture.day, player.player_id) not in busy]
        sides.append(_line_up(free, league.lines, dice))
        busy |= {(fixture.day, player.player_id) for pair in sides[-1] for player in pair}
    return tuple(
        Line(number, host, visitor, _sets(host, visitor, dice))
        for number, (host, visitor) in enumerate(zip(*sides, strict=True), start=1)
    )


def _line_up(free: list[Player], lines: int, dice: random.Random) -> list[tuple[Player, Player]]:
    """Pick who plays; the strongest play line 1. Nobody plays two lines."""
    present = dice.sample(free, 2 * lines)
    present.sort(key=lambda player: (player.strength, player.player_id))
    return [(present[place], present[place + 1]) for place in range(0, 2 * lines, 2)]


def _sets(
    host: tuple[Player, Player], visitor: tuple[Player, Player], dice: random.Random
) -> tuple[tuple[int, int], ...]:
    edge = sum(p.strength for p in visitor) - sum(p.strength for p in host)
    chance = min(0.9, max(0.1, 0.5 + edge / 60))
    sets: list[tuple[int, int]] = []
    wins = [0, 0]
    while max(wins) < 2:
        host_wins = dice.random() < chance
        wins[not host_wins] += 1
        sets.append(_games(dice) if host_wins else _games(dice)[::-1])
    return tuple(sets)


def _games(dice: random.Random) -> tuple[int, int]:
    loser = dice.choice(LOSER_GAMES)
    return (7 if loser >= 5 else 6, loser)


def corrected(match: Match, number: int) -> Match:
    """Answer the match with another score on one line, the winner as before: the site corrected a typing error."""
    lines = list(match.lines)
    line = lines[number - 1]
    better = (6, 4) if line.sets[0][0] > line.sets[0][1] else (4, 6)
    if line.sets[0] == better:
        better = (6, 3) if better == (6, 4) else (3, 6)
    lines[number - 1] = replace(line, sets=(better, *line.sets[1:]))
    return replace(match, lines=tuple(lines))


def standings(league: League, matches: Iterable[Match]) -> dict[str, Standing]:
    """Count the standings of every team, played or not.

    A line is worth 3 points to its winner and 1 to the loser of three sets: sets won plus lines won. A team match
    goes to more lines, then sets, then games; all equal is a tie.
    """
    table = {team.name: Standing() for team in league.teams}
    for match in matches:
        host, visitor = table[match.fixture.host.name], table[match.fixture.visitor.name]
        tally = _tally(match)
        for side, standing in enumerate((host, visitor)):
            for name, counts in (("lines", standing.lines), ("sets", standing.sets), ("games", standing.games)):
                counts[0] += tally[name][side]
                counts[1] += tally[name][1 - side]
            standing.points += tally["lines"][side] + tally["sets"][side]
        mine, theirs = ([tally[name][side] for name in ("lines", "sets", "games")] for side in (0, 1))
        host.matches[0 if mine > theirs else 1 if mine < theirs else 2] += 1
        visitor.matches[0 if mine < theirs else 1 if mine > theirs else 2] += 1
    return table


def _tally(match: Match) -> dict[str, tuple[int, int]]:
    sets = [pair for line in match.lines for pair in line.sets]
    won = sum(line.host_wins for line in match.lines)
    return {
        "lines": (won, len(match.lines) - won),
        "sets": (sum(a > b for a, b in sets), sum(a < b for a, b in sets)),
        "games": (sum(a for a, _ in sets), sum(b for _, b in sets)),
    }


def records(matches: Iterable[Match]) -> dict[tuple[str, str], list[int]]:
    """Count lines won and lost per person and team."""
    table: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for match in matches:
        for line in match.lines:
            for team, pair, wins in (
                (match.fixture.host, line.host, line.host_wins),
                (match.fixture.visitor, line.visitor, not line.host_wins),
            ):
                for player in pair:
                    table[player.player_id, team.name][not wins] += 1
    return dict(table)


def ratings(matches: Iterable[Match]) -> dict[str, list[tuple[date, float]]]:
    """Answer each person's PTI after every line, oldest first: a win takes a bit off, a loss adds a bit."""
    history: dict[str, list[tuple[date, float]]] = defaultdict(list)
    for match in matches:
        for line in match.lines:
            for pair, wins in ((line.host, line.host_wins), (line.visitor, not line.host_wins)):
                for player in pair:
                    before = history[player.player_id][-1][1] if history[player.player_id] else player.strength
                    change = -0.4 if wins else 0.3
                    history[player.player_id].append((match.fixture.day, round(before + change, 1)))
    return dict(history)
