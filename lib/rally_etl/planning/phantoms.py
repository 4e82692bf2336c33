"""Phantoms: teams that only the standings name, and nothing else of a scrape knows (incident 11: 110 of them)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections import Counter

    from rally_etl.naming import TeamName
    from rally_etl.planning.teams import Scene, TeamKey

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
    read: Callable[[str, str], TeamKey | None],
) -> tuple[dict[TeamKey, TeamName], dict[TeamKey, int]]:
    """Tell the teams of a scrape from names that stand in its standings alone.

    A scrape without a players file, or whose players file names no team, proves nothing: no team of it is a phantom.
    A side of a match or meeting speaks for the team that it names; one that names no team of the rosters (a lost " SW",
    an unknown spelling) may mean any team of its club, and speaks for all of them.

    Args:
        printed: kind -> printed team and series -> times (`names.read_printed`).
        roster: teams of rosters and standings (`names.roster_of`).
        known: teams that live has, under whatever name.
        sides: printed team and series of matches and schedule.
        read: a printed team and series -> the team's key; None where no grammar reads it.

    Returns:
        the teams that are made or kept, and the phantoms with their rows in the standings.
    """
    counts: dict[str, dict[TeamKey, int]] = {"players": {}, "series_stats": {}}
    for kind, keys in counts.items():
        for (team, series), count in printed.get(kind, {}).items():
            if key := read(team, series):
                keys[key] = keys.get(key, 0) + count
    in_rosters, in_standings = counts["players"], counts["series_stats"]
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
    phantoms = {key: in_standings[key] for key in doubtful if key not in named and key[0] not in clubs}
    return {key: team for key, team in roster.items() if key not in phantoms}, phantoms


def read_sides(scene: Scene) -> set[tuple[str, str]]:
    """Printed team and series ('' for none) of every side in the matches and the schedule of the scrape."""
    found: set[tuple[str, str]] = set()
    for kind, sql in _SIDES.items():
        if kind in scene.kinds:
            rows = scene.connection.execute(sa.text(sql), {"league": scene.league.key})
            found |= {(team, series) for team, series in rows if team}
    return found


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
    _, suspects = without_phantoms(printed, roster, known, (), read)
    if not suspects:
        return dict(roster)
    kept, phantoms = without_phantoms(printed, roster, known, read_sides(scene), read)
    for key, count in phantoms.items():
        scene.held["series_stats", NO_EVIDENCE, roster[key].name] += count
    for name in [name for name in printed["series_stats"] if read(*name) in phantoms]:
        del printed["series_stats"][name]
    return kept


def _begins_with(printed: str, club: str) -> bool:
    return printed.casefold().startswith(club.casefold())
