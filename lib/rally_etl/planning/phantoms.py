"""Phantoms: teams that only the standings name, and nothing else of a scrape knows (incident 11: 110 of them)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections import Counter

    from rally_etl.identity.spelling import TeamKey
    from rally_etl.naming import TeamName
    from rally_etl.planning.scene import Scene

NO_EVIDENCE = "no evidence beside the standings"
"""Why the standings of a phantom are held."""

_SIDES = {
    "match_scores": """
        select distinct side.team, coalesce(series, '') from etl.staged_match_scores
        cross join lateral (values (home_team), (away_team)) as side(team) where league = :league
        """,
    "schedules": """
        select distinct side.team, coalesce(series, '') from etl.staged_schedules
        cross join lateral (values (home_team), (away_team)) as side(team) where league = :league
        """,
}


def without_phantoms(
    printed: Mapping[str, Counter[tuple[str, str]]],
    roster: Mapping[TeamKey, TeamName],
    known: Container[TeamKey],
    sides: Iterable[tuple[str, str]],
    played: Container[TeamKey],
    read: Callable[[str, str], TeamKey | None],
) -> tuple[dict[TeamKey, TeamName], dict[TeamKey, int]]:
    """Tell the teams of a scrape from names that stand in its standings alone.

    A team is a phantom where the files that should know it do not: its series is in the players file and in matches or
    schedule, and it is in none of them. Where only the standings know a series, they are its only witness, and believed
    if the team has played by them: a series of 12 teams once stood in the standings alone and came back in autumn.
    A side of a match or meeting speaks for the team that it names; one that names no team of the rosters (a lost " SW",
    an unknown spelling) may mean any team of its club, and speaks for all of them.

    Args:
        printed: kind -> printed team and series -> times (`names.read_printed`).
        roster: teams of rosters and standings (`names.roster_of`).
        known: teams that live has, under whatever name.
        sides: printed team and series of matches and schedule.
        played: teams that have a result in the standings.
        read: a printed team and series -> the team's key; None where no grammar reads it.

    Returns:
        the teams that are made or kept, and the phantoms with their rows in the standings.
    """
    in_rosters, in_standings = (_counts(printed.get(kind, {}), read) for kind in ("players", "series_stats"))
    doubtful = {key for key in roster if key in in_standings and key not in in_rosters and key not in known}
    if not in_rosters or not doubtful:
        return dict(roster), {}
    named: set[TeamKey] = set()
    clubs: set[str] = set()
    for team, series in sides:
        key = read(team, series)
        if key is None:
            clubs |= {each[0] for each in doubtful if _begins_with(team, roster[each].club)}
        else:
            named.add(key)
            if key not in in_rosters and key not in doubtful:
                clubs.add(key[0])
    with_players, with_sides = ({key[1] for key in keys} for keys in (in_rosters, named))
    phantoms = {}
    for key in doubtful - named:
        is_missed = key[1] in with_players and key[1] in with_sides
        is_empty = key[1] not in with_players | with_sides and key not in played
        if key[0] not in clubs and (is_missed or is_empty):
            phantoms[key] = in_standings[key]
    return {key: team for key, team in roster.items() if key not in phantoms}, phantoms


def _counts(names: Mapping[tuple[str, str], int], read: Callable[[str, str], TeamKey | None]) -> dict[TeamKey, int]:
    counts: dict[TeamKey, int] = {}
    for (team, series), count in names.items():
        if key := read(team, series):
            counts[key] = counts.get(key, 0) + count
    return counts


def read_sides(scene: Scene) -> set[tuple[str, str]]:
    """Printed team and series ('' for none) of every side in the matches and the schedule of the scrape."""
    found: set[tuple[str, str]] = set()
    for kind, sql in _SIDES.items():
        if kind in scene.kinds:
            rows = scene.connection.execute(sa.text(sql), {"league": scene.league.key})
            found |= {(team, series) for team, series in rows if team}
    return found


def read_played(scene: Scene) -> set[tuple[str, str]]:
    """Printed team and series of the standings with a result: a match or a line won, lost or tied."""
    rows = scene.connection.execute(
        sa.text(
            "select distinct team, coalesce(series, '') from etl.staged_series_stats where league = :league"
            " and greatest(matches_won, matches_lost, matches_tied, lines_won, lines_lost) > 0"
        ),
        {"league": scene.league.key},
    )
    return {(team, series) for team, series in rows if team}


def key_reader(scene: Scene) -> Callable[[str, str], TeamKey | None]:
    """How the league's grammar reads a printed team and series."""

    def read(team: str, series: str) -> TeamKey | None:
        name = scene.league.parse_team(team, series or None)
        return scene.key(name) if name else None

    return read


def hold_phantoms(
    scene: Scene,
    printed: Mapping[str, Counter[tuple[str, str]]],
    roster: Mapping[TeamKey, TeamName],
    known: Collection[TeamKey],
) -> dict[TeamKey, TeamName]:
    """The roster without its phantoms, whose standings are held; other files are read only where there may be one.

    Their names are taken out of *printed* too: they mean nothing here.
    """
    read = key_reader(scene)
    rostered = {read(*name) for name in printed.get("players", ())}
    if not rostered or roster.keys() <= rostered | set(known):
        return dict(roster)
    played = {read(*name) for name in read_played(scene)}
    kept, phantoms = without_phantoms(printed, roster, known, read_sides(scene), played, read)
    for key, count in phantoms.items():
        scene.held["series_stats", NO_EVIDENCE, roster[key].name] += count
    for name in [name for name in printed["series_stats"] if read(*name) in phantoms]:
        del printed["series_stats"][name]
    return kept


def _begins_with(printed: str, club: str) -> bool:
    return printed.casefold().startswith(club.casefold())
