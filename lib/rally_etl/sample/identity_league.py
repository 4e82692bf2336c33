"""A league and its next scrape under renames, respellings, swaps and moves, with the truth about every team."""

from __future__ import annotations

import random
import string
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from rally_etl.naming.clubs import club_key

FIRST = (
    "Cedar",
    "Fox",
    "Glen",
    "Hawk",
    "Iron",
    "Lake",
    "Maple",
    "North",
    "Oak",
    "Pine",
    "River",
    "South",
    "St. Anne",
    "Stone",
)
SECOND = ("Bluff", "Brook", "Forest", "Grove", "Hills", "Hollow", "Meadow", "Park", "Ridge", "Shores", "View", "Woods")
WHOLE = ("Avondale", "Beverley", "Calloway", "Dunmore", "Ellsworth", "Fairbanks", "Hartwell", "Kingsley", "Larchmont",
         "Marlow", "Norbury", "Penrose", "Rockford", "Stanwick", "Thornton", "Wexford")  # fmt: skip
MARKS = ("", "", "", "", "CC", "PD", "GC", "PC", "S&F", "Club")
SERIES = (*map(str, range(1, 14)), *(f"{number} SW" for number in range(7, 13)), "99")
LETTERS = string.ascii_lowercase
CLUBS = 70
ROSTER = (9, 15)  # persons
MOST_LEAVE = 0.5  # of a roster, from one scrape to the next
MOST_FOLDED = 0.7  # of a team that gives up, in one new team: with more of them it would be the old team renamed

EVENTS = {
    "same name": 30, "other spelling": 12, "misspelled": 12, "renamed": 8, "ordinal": 10, "swapped": 8, "SW lost": 10,
    "moved": 8, "gone": 6, "folded": 4, "takes a name": 2,
}  # fmt: skip
"""What happens to a team, and how often; `new` teams and `club renamed` are added to these."""


@dataclass(frozen=True, slots=True)
class Team:
    """One team as the league knows it; ``people`` may be empty: its roster was never scraped."""

    id: int
    club: str
    ordinal: str
    series: str
    people: frozenset[str] = field(repr=False)

    @property
    def name(self) -> str:
        """As the league prints it: `Oak Ridge II 11 SW`, `Oak Ridge 99 A`."""
        if self.series == "99":
            return f"{self.club} 99 {self.ordinal}"
        return " ".join(part for part in (self.club, self.ordinal, self.series) if part)

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal for two spellings of one name."""
        return club_key(self.club), self.series, self.ordinal


@dataclass(frozen=True, slots=True)
class Seen:
    """One team as the next scrape prints it. ``truth``: id of the team that it is, None for one that did not exist."""

    name: str
    people: frozenset[str] = field(repr=False)
    truth: int | None
    event: str


def league(seed: int, teams: int = 200) -> list[Team]:
    """Generate a league: clubs with names like each other, I and II, SW, letters, persons who play in two teams."""
    dice = random.Random(f"league {seed}")
    names = _club_names(dice)
    clubs = [next(names) for _ in range(CLUBS)]
    people = _people()
    made: list[Team] = []
    taken: set[tuple[str, str]] = set()
    while len(made) < teams:
        club, series = dice.choice(clubs), dice.choice(SERIES)
        if (club, series) in taken:
            continue
        taken.add((club, series))
        ordinals = dice.choice((("A",), ("A", "B"), ("A", "B", "C"))) if series == "99" else _ordinals(dice)
        brothers = [
            Team(len(made) + place, club, each, series, _some(people, dice)) for place, each in enumerate(ordinals)
        ]
        made += _mixed(brothers, dice)
    made = made[:teams]
    for place in dice.sample(range(teams), teams // 10):  # persons who play in another team of the league too
        other = dice.choice(made)
        made[place] = replace(made[place], people=made[place].people | set(dice.sample(sorted(other.people), 2)))
    for place in dice.sample(range(teams), teams // 33):
        made[place] = replace(made[place], people=frozenset())
    return made


def next_scrape(teams: list[Team], seed: int, *, is_new_season: bool) -> list[Seen]:
    """Scrape the league again after a week, or in a new season.

    While the season goes on a team is its players: up to half of a roster changes, names may be swapped or taken from a
    team that is gone. In a new season a name that existed is what it was, whoever plays in it now. What nobody could
    know (a team without a roster under the name of another) is not generated.
    """
    return _Scraping(teams, random.Random(f"scrape {seed} {is_new_season}"), is_new_season).scrape()


class _Scraping:
    """Works out one scrape; holds the dice and what is taken already."""

    def __init__(self, teams: list[Team], dice: random.Random, is_new_season: bool) -> None:
        self.teams, self.dice, self.is_new_season = teams, dice, is_new_season
        self.people = _people("later")
        self.everybody = sorted({person for team in teams for person in team.people})
        known = {club_key(team.club) for team in teams}
        self.fresh_clubs = (name for name in _club_names(dice) if club_key(name) not in known)
        self.by_key = {team.key: team for team in teams}
        self.used: set[tuple[str, str, str]] = set()
        self.seen: list[Seen] = []
        self.named: dict[int, Seen] = {}  # in a new season: who has the name of a team is that team

    def scrape(self) -> list[Seen]:
        events = self._events()
        rosters = self._rosters(events)
        gone = [team for team in self.teams if events[team.id] in ("gone", "folded")]
        renamed = {club: next(self.fresh_clubs) for club in self._clubs_to_rename()}
        swaps = self._swaps([team for team in self.teams if events[team.id] == "swapped"])
        # the plain ones first: what happens to others must not take their names
        for team in sorted(
            self.teams, key=lambda each: (events[each.id] not in ("same name", "other spelling"), each.id)
        ):
            event, people = events[team.id], rosters[team.id]
            if team.club in renamed and event not in ("swapped", "gone", "folded"):
                self._add(replace(team, club=renamed[team.club], people=people), team, "club renamed")
            elif event == "folded":
                self._fold(team)
            elif event != "gone":
                self._add(replace(self._changed(team, event, swaps, gone), people=people), team, event)
        for _ in range(len(self.teams) // 16):
            self._found_team()
        for place, seen in enumerate(self.seen):
            if self.named.get(seen.truth, seen) is not seen:
                self.seen[place] = replace(seen, truth=None)
        return self.dice.sample(self.seen, len(self.seen))

    def _events(self) -> dict[int, str]:
        drawn = self.dice.choices(list(EVENTS), list(EVENTS.values()), k=len(self.teams))
        return {team.id: event for team, event in zip(self.teams, drawn, strict=True)}

    def _clubs_to_rename(self) -> list[str]:
        return self.dice.sample(sorted({team.club for team in self.teams}), 3)

    def _swaps(self, teams: list[Team]) -> dict[int, Team]:
        """Pairs with rosters that exchange their names, I and II of one club first."""
        able = sorted((team for team in teams if team.people), key=lambda each: (each.club, each.series, each.ordinal))
        partners = dict(zip(able[::2], able[1::2], strict=False))
        return {a.id: b for a, b in partners.items()} | {b.id: a for a, b in partners.items()}

    def _rosters(self, events: dict[int, str]) -> dict[int, frozenset[str]]:
        """Who plays next; in a new season teams of one club also take over each other's players, or nobody stays."""
        before = {team.id: team.people for team in self.teams}
        most = dict.fromkeys(before, MOST_LEAVE)
        if self.is_new_season:
            of_club: defaultdict[str, list[int]] = defaultdict(list)
            for team in self.teams:
                if events[team.id] in ("same name", "other spelling", "misspelled", "swapped"):
                    of_club[team.club].append(team.id)
            for ids in of_club.values():
                moving = [team_id for team_id in ids if self.dice.random() < 0.6]
                before |= dict(zip(moving, [before[i] for i in moving[1:] + moving[:1]], strict=True))
                most |= {team_id: 1.0 for team_id in ids if self.dice.random() < 0.8}
        return {team_id: self._turned_over(people, most[team_id]) for team_id, people in before.items()}

    def _turned_over(self, people: frozenset[str], most: float) -> frozenset[str]:
        if not people:
            return _some(self.people, self.dice)
        leave = int(self.dice.uniform(0, most) * len(people))
        kept = self.dice.sample(sorted(people), len(people) - leave)
        joined = [
            self.dice.choice(self.everybody) if self.dice.random() < 0.15 else next(self.people)
            for _ in range(max(0, leave + self.dice.randint(-1, 1)))
        ]
        return frozenset(kept + joined)

    def _changed(self, team: Team, event: str, swaps: dict[int, Team], gone: list[Team]) -> Team:
        """The team under its next name."""
        if event == "misspelled":
            return replace(team, club=_misspelled(team.club, self.dice))
        if event == "renamed":
            return replace(team, club=next(self.fresh_clubs))
        if event == "ordinal" and team.series != "99":
            others = {"": ("I", "II"), "I": ("", "II"), "II": ("", "I")}[team.ordinal]
            return replace(team, ordinal=self.dice.choice(others))
        if event == "swapped" and team.id in swaps:
            other = swaps[team.id]
            return replace(team, club=other.club, series=other.series, ordinal=other.ordinal)
        if event == "SW lost" and team.series.endswith(" SW"):
            return replace(team, series=team.series.removesuffix(" SW"))
        if event == "moved" and team.series != "99":
            return replace(team, series=self.dice.choice(SERIES[:-1]))
        if event == "takes a name" and gone:
            other = self.dice.choice(gone)
            return replace(team, club=other.club, series=other.series, ordinal=other.ordinal)
        return team

    def _add(self, after: Team, team: Team, event: str) -> None:
        """Print *team* as *after*, or as it was where that name is not free or nobody could know what it means."""
        named = self.by_key.get(after.key)
        is_foreign = named is not None and named.id != team.id
        is_hidden = is_foreign and not self.is_new_season and not team.people
        if after.key in self.used or is_hidden:
            after, event, named, is_foreign = replace(team, people=after.people), "same name", team, False
        if after.key in self.used:
            return  # another team stands under its name: it is gone
        self.used.add(after.key)
        if after.key == team.key and event not in ("same name", "other spelling"):
            event = "same name"
        truth = named.id if is_foreign and self.is_new_season else team.id
        is_scraped = is_foreign or self.dice.random() > 0.08
        name = _spelled(after, self.dice) if event == "other spelling" or self.dice.random() < 0.2 else after.name
        seen = Seen(name, after.people if is_scraped else frozenset(), truth, event)
        if self.is_new_season and named is not None:
            self.named[named.id] = seen
        self.seen.append(seen)

    def _fold(self, team: Team) -> None:
        """A team gives up, and some of its players found another one in its series: that is a new team."""
        share = self.dice.uniform(0.2, MOST_FOLDED)
        some = self.dice.sample(sorted(team.people), int(share * len(team.people)))
        fresh = sorted(_some(self.people, self.dice))[: 12 - len(some)]
        self._found(
            replace(team, club=next(self.fresh_clubs), people=frozenset(some + fresh)), "new, some players of one gone"
        )

    def _found_team(self) -> None:
        """A new team, of a club that is there already or of another."""
        club = self.dice.choice([self.dice.choice(self.teams).club, next(self.fresh_clubs)])
        self._found(Team(-1, club, "", self.dice.choice(SERIES[:-1]), _some(self.people, self.dice)), "new")

    def _found(self, team: Team, event: str) -> None:
        if team.key not in self.used and team.key not in self.by_key:
            self.used.add(team.key)
            self.seen.append(Seen(team.name, team.people, None, event))


def _people(prefix: str = "first") -> Iterator[str]:
    return (f"{prefix}{number}" for number in count())


def _some(people: Iterator[str], dice: random.Random) -> frozenset[str]:
    return frozenset(next(people) for _ in range(dice.randint(*ROSTER)))


def _ordinals(dice: random.Random) -> tuple[str, ...]:
    return dice.choices((("",), ("I",), ("I", "II")), (70, 8, 22))[0]


def _mixed(brothers: list[Team], dice: random.Random) -> list[Team]:
    """Half of the clubs with two teams in a series let a few play in both."""
    if len(brothers) < 2 or dice.random() < 0.5:
        return brothers
    guests = frozenset(dice.sample(sorted(brothers[0].people), dice.randint(2, 5)))
    return [brothers[0], replace(brothers[1], people=brothers[1].people | guests), *brothers[2:]]


def _club_names(dice: random.Random) -> Iterator[str]:
    """Club names for ever, no two with one key; many are like another: Oak Ridge, Oak Ridge CC, Oak Ridge PD."""
    known = set()
    while True:
        name = dice.choice(WHOLE) if dice.random() < 0.3 else f"{dice.choice(FIRST)} {dice.choice(SECOND)}"
        if len(known) > 300:
            name = f"{name}{dice.choice(('ton', 'field', 'bury', 'wick', 'dale'))}"
        name = f"{name} {dice.choice(MARKS)}".strip()
        if club_key(name) not in known:
            known.add(club_key(name))
            yield name


def _misspelled(club: str, dice: random.Random) -> str:
    """One letter, sometimes two: left out, doubled, another or exchanged with its neighbour, in the longest word."""
    word = max(club.split(), key=len)
    letters = list(word)
    for _ in range(dice.choice((1, 1, 1, 2))):
        place = dice.randrange(1, len(letters) - 1)
        match dice.choice(("leave out", "double", "another", "exchange")):
            case "leave out":
                del letters[place]
            case "double":
                letters.insert(place, letters[place])
            case "another":
                letters[place] = dice.choice(LETTERS)
            case _:
                letters[place], letters[place + 1] = letters[place + 1], letters[place]
    return club.replace(word, "".join(letters), 1)


def _spelled(team: Team, dice: random.Random) -> str:
    """Another spelling of the same name: case, blanks, dashes, `and`."""
    name = team.name
    spellings = [name.replace(" ", "  "), f" {name} ", name.replace("&", " and "), name.replace(".", "")]
    if team.series != "99":
        spellings.append(f"{name.removesuffix(f' {team.series}')} - {team.series}")
        spellings.append(name.replace(team.club, team.club.replace(" ", "-", 1)))
        spellings += [name.replace(team.club, team.club.upper()), name.replace(team.club, team.club.lower())]
    return dice.choice(spellings)
