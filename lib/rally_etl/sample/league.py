"""Who plays: clubs, series, teams and their players, before the first ball."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from rally_etl.sample.people import ids, names


@dataclass(frozen=True, slots=True)
class Player:
    """One person in one team."""

    player_id: str
    first_name: str
    last_name: str
    strength: float  # PTI before the season; lower is better
    is_rated: bool = True
    is_captain: bool = False

    @property
    def name(self) -> str:
        """As a match file prints it."""
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, slots=True)
class Team:
    """One team; `name` is unique in its league."""

    name: str
    club: str
    series: str
    players: tuple[Player, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class League:
    """One league and the form its site prints it in."""

    key: str
    lines: int  # lines per team match
    time: str
    away_first: bool  # the first number of a score belongs to the away side
    teams: tuple[Team, ...] = field(repr=False)
    weekdays: dict[str, date]  # series to the date of its first round

    def of_series(self, series: str) -> list[Team]:
        """Answer the teams of one series, in the order of the draw."""
        return [team for team in self.teams if team.series == series]


# Clubs of one series number with I and II are two teams; a series "… SW" has clubs of the south-west only.
APTA_SERIES = {
    "Series 2": "Birchwood, Knollwood, Salt Creek, Tennaqua, Wilmette PD, Winnetka",
    "Series 12": "Briarwood, Evanston, Lake Bluff, Prairie Club, Skokie, South Barrington, Tennaqua, Wilmette",
    "Series 21": "Biltmore CC, Indian Hill, Knollwood, Michigan Shores, Midtown Chicago, Sunset Ridge, Tennaqua, "
    "Wilmette PD",
    "Series 11 SW": "Butterfield, Edgewood Valley, Hinsdale PC I, Hinsdale PC II, LaGrange CC, Oak Park CC",
    "Series 17 SW": "Glen Ellyn, Hinsdale GC, Medinah, Ruth Lake, Salt Creek I, Salt Creek II",
}
APTA_STARTS = {
    "Series 2": date(2025, 9, 23),
    "Series 12": date(2025, 9, 24),
    "Series 21": date(2025, 9, 25),
    "Series 11 SW": date(2025, 9, 24),
    "Series 17 SW": date(2025, 9, 25),
}
NSTF_SERIES = {
    "Series 1": "Birchwood S1, Lake Forest S1, Midtown S1, Tennaqua S1, Wilmette S1 T1, Wilmette S1 T2",
    "Series 2B": "Birchwood S2B, Lake Forest S2B, Ravinia Green S2B, Tennaqua S2B, Wilmette S2B, Winnetka S2B",
}
NSTF_STARTS = {"Series 1": date(2025, 9, 25), "Series 2B": date(2025, 9, 25)}
# Ratings stand some eight points apart from series to series.
STRENGTH = {"Series 2": 12, "Series 12": 35, "Series 21": 52, "Series 11 SW": 30, "Series 17 SW": 44}


def leagues(seed: int) -> tuple[League, League]:
    """Answer the two leagues of the sample; the same seed gives the same people."""
    dice = random.Random(seed)
    people = _people(dice)
    apta = [
        _apta_team(club, series, people, dice) for series, clubs in APTA_SERIES.items() for club in clubs.split(", ")
    ]
    nstf = [_nstf_team(name, series, people, dice) for series, text in NSTF_SERIES.items() for name in text.split(", ")]
    return (
        League("APTA_CHICAGO", 4, "06:30 pm", True, tuple(_with_doubles(apta)), APTA_STARTS),
        League("NSTF", 5, "06:00 pm", False, tuple(nstf), NSTF_STARTS),
    )


def _people(dice: random.Random) -> Iterator[tuple[str, str, str]]:
    for player_id, (first, last) in zip(ids(dice), names(dice), strict=False):
        yield player_id, first, last


def _players(
    people: Iterator[tuple[str, str, str]], count: int, level: float, dice: random.Random
) -> tuple[Player, ...]:
    """Answer a roster, strongest first; the second is captain, and in every other team the fifth too."""
    strengths = sorted(round(dice.gauss(level, 6), 1) for _ in range(count))
    captains = {1, 4} if dice.random() < 0.5 else {1}
    return tuple(
        Player(*next(people), strength, dice.random() > 0.05, place in captains)
        for place, strength in enumerate(strengths)
    )


def _apta_team(club: str, series: str, people: Iterator, dice: random.Random) -> Team:
    base = club.removesuffix(" II").removesuffix(" I")
    roster = _players(people, dice.randint(10, 11), STRENGTH[series], dice)
    return Team(f"{club} {series.removeprefix('Series ')}", base, series, roster)


def _nstf_team(name: str, series: str, people: Iterator, dice: random.Random) -> Team:
    return Team(name, name.split(" S")[0], series, _players(people, dice.randint(11, 12), 40, dice))


def _with_doubles(teams: list[Team]) -> list[Team]:
    """Let two people of the Hinsdale PC team II play in its team I as well: one person, two memberships."""
    by_name = {team.name: team for team in teams}
    second = by_name["Hinsdale PC II 11 SW"]
    guests = tuple(
        Player(p.player_id, p.first_name, p.last_name, p.strength, p.is_rated)
        for p in second.players[:3]
        if not p.is_captain
    )
    first = by_name["Hinsdale PC I 11 SW"]
    by_name[first.name] = Team(first.name, first.club, first.series, first.players + guests)
    return list(by_name.values())
