"""Every printed team name of a scrape, with the team it stands for and how that was found."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.identity.reviews import WAITS, Candidate, Review
from rally_etl.identity.spelling import team_spelling
from rally_etl.planning import side_evidence
from rally_etl.planning.readings import Readings
from rally_etl.planning.sides import Fixtures, Pair, Side, in_doubt, settle
from rally_etl.planning.sql import read
from rally_etl.planning.temporary import write_temporary

if TYPE_CHECKING:
    from rally_etl.identity.spelling import TeamKey
    from rally_etl.naming import TeamName
    from rally_etl.planning.readings import Reading, Team
    from rally_etl.planning.scene import Scene

ROSTER_KINDS = ("players", "series_stats")
"""Kinds that name a league's teams; a name printed elsewhere never makes one (incident 11: 110 phantom teams)."""

WRONG_FILE = 0.2
"""Share of unknown names from which a file is of another league or season: that is no question about each name."""

_PRINTED = """
select team, coalesce(series, ''), count(*) from {} where league = :league and team is not null group by 1, 2
"""
_PAIRS = """
select home_team, away_team, coalesce(series, ''), count(*) from {}
where league = :league and home_team is not null and away_team is not null group by 1, 2, 3
"""


def read_printed(scene: Scene) -> dict[str, Counter[tuple[str, str]]]:
    """Kind of file that names teams -> (printed team, printed series, '' for none) -> how many times."""
    printed = {}
    for kind in ROSTER_KINDS:
        if kind in scene.kinds:
            rows = _staged(scene, kind, _PRINTED)
            printed[kind] = Counter({(team, series): int(count) for team, series, count in rows})
    return printed


def roster_of(scene: Scene, printed: dict[str, Counter[tuple[str, str]]]) -> dict[TeamKey, TeamName]:
    """The teams that rosters and standings name, one entry per team whatever its spellings."""
    roster: dict[TeamKey, TeamName] = {}
    for kind in ROSTER_KINDS:
        for team, series in sorted(printed.get(kind, ())):
            name = scene.league.parse_team(team, series or None)
            if name:
                key = scene.key(name)
                scene.named_in.setdefault(key, set()).add(kind)
                roster[key] = min(roster.get(key, name), name, key=lambda each: each.name)
    return roster


def write_names(
    scene: Scene, printed: dict[str, Counter[tuple[str, str]]], roster: dict[TeamKey, TeamName], live: list[TeamName]
) -> None:
    """Fill the plan's table ``names``; rows whose team is not known are held, and a person is asked about them.

    A name of a roster is read by itself, a side of a match or schedule together with its opponent.
    """
    readings = Readings(scene, roster.values(), live, is_complete=scene.kinds >= set(ROSTER_KINDS))
    found = _Found(scene, readings)
    rosters: defaultdict[Team, list[tuple[str, str]]] = defaultdict(list)
    for kind, counts in printed.items():
        for (team, series), count in counts.items():
            name = readings.read(team, series)
            options = tuple(option.team for option in name.options)
            found.add(kind, name, "", count, Side(name.team, name.strategy, name.confidence, name.evidence, options))
            if kind == "players" and name.team:
                rosters[name.team].append((team, series))
    scheduled = [(pair, settle(pair, Fixtures())) for pair in _read_pairs(scene, readings, "schedules")]
    found.add_pairs("schedules", scheduled)
    played = _read_pairs(scene, readings, "match_scores")
    if played:
        fixtures = side_evidence.read_fixtures(scene, readings, scheduled)
        doubtful = [pair for pair in played if in_doubt(pair, fixtures)]
        evidence = side_evidence.read_played(scene, doubtful, rosters)
        settled = [(pair, settle(pair, fixtures, evidence.get(pair.key, ()))) for pair in played]
        found.add_pairs("match_scores", settled)
    found.write()


def _staged(scene: Scene, kind: str, sql: str) -> Iterable[sa.Row]:
    table = quote("etl", f"staged_{kind}")
    return scene.connection.execute(sa.text(sql.format(table)), {"league": scene.league.key})


def _read_pairs(scene: Scene, readings: Readings, kind: str) -> list[Pair]:
    """The pairs of names that the rows of a kind print, in no order of home and away."""
    if kind not in scene.kinds:
        return []
    counts: Counter[tuple[str, str, str]] = Counter()
    for home, away, series, count in _staged(scene, kind, _PAIRS):
        counts[min(home, away), max(home, away), series] += int(count)
    return [
        Pair((readings.read(first, series), readings.read(second, series)), count)
        for (first, second, series), count in counts.items()
    ]


class _Found:
    """What the names were found to mean: rows of ``names``, what is held, and what a person is asked."""

    def __init__(self, scene: Scene, readings: Readings) -> None:
        self._scene, self._readings = scene, readings
        self._rows: list[dict[str, object]] = []
        self._open: dict[str, tuple[Reading, dict[Team, int]]] = {}  # spelling -> name, teams it may mean
        self._held: Counter[tuple[str, Reading]] = Counter()

    def add_pairs(self, kind: str, settled: Iterable[tuple[Pair, tuple[Side, Side]]]) -> None:
        """Take in what the sides of a kind mean."""
        for pair, sides in settled:
            for place, side in enumerate(sides):
                self.add(kind, pair.names[place], pair.names[1 - place].printed, pair.row_count, side)

    def add(self, kind: str, name: Reading, opponent: str, count: int, side: Side) -> None:
        """Take in what one name means, printed *count* times beside *opponent*."""
        row = {
            "kind": kind, "printed": name.printed, "series": name.series, "opponent": opponent, "row_count": count,
            "strategy": side.strategy, "confidence": side.confidence, "evidence": side.evidence,
            "candidates": sorted(team.name for team in side.options),
        }  # fmt: skip
        if side.team is None:
            _, teams = self._open.setdefault(name.spelling, (name, {}))
            for team in side.options:
                teams[team] = teams.get(team, 0) + count
            self._held[kind, name] += count
        elif live := side.team.live:
            row |= {"team_id": live.id, "team_name": live.name, "series_id": live.series_id}
            row |= {"series_name": live.series_name, "club_id": live.club_id, "candidates": []}
        else:
            waiting = self._scene.waiting.get(team_spelling(side.team.key))
            row["strategy"] = "waits" if waiting else "none"
            self._scene.held[kind, f"{WAITS}{waiting}" if waiting else "unknown_team", name.printed] += count
        self._rows.append(row)

    def write(self) -> None:
        """Write the rows, the held rows and the questions."""
        scene = self._scene
        for (kind, name), count in self._held.items():
            first, teams = self._open[name.spelling]
            scene.held[kind, f"{WAITS}{first.printed}" if teams else "unknown_team", name.printed] += count
        questions = (self._question(name, teams) for name, teams in self._open.values())
        unknown = sum(count for (_, name), count in self._held.items() if not self._open[name.spelling][1])
        is_wrong_file = unknown > WRONG_FILE * sum(row["row_count"] for row in self._rows)
        scene.reviews += [
            question
            for question in questions
            if question.candidates and not (is_wrong_file and question.kind == "unknown")
        ]
        binds = {"league": scene.league.key, "rows": json.dumps(self._rows)}
        scene.connection.execute(sa.text(read("names")), binds)
        scene.connection.execute(sa.text("analyze names"))

    def _question(self, name: Reading, teams: dict[Team, int]) -> Review:
        kind = "ambiguous" if teams else "unknown"
        candidates = self._readings.similar(name)
        if teams:
            evidence = {option.team: option.evidence or "the same name" for option in name.options}
            share = round(1 / len(teams), 2)
            candidates = tuple(
                Candidate(team.live.id, team.name, "repair", share, evidence[team])
                for team in sorted(teams, key=lambda each: (-teams[each], each.name))
                if team.live
            )
        return Review("team", kind, name.spelling, name.printed, name.series, candidates, is_held=True)


def write_live_names(scene: Scene, table: str, *columns: str) -> None:
    """Fill ``live_names``: printed name -> team, for rows of a live table that older importers left without a link.

    Args:
        columns: columns that hold names; the link of each is the column ``<name>_id``.
    """
    sql = " union ".join(
        f"select {column} from {quote('public', table)} where league_id = :league_id and {column}_id is null"
        for column in columns
    )
    rows = scene.connection.execute(sa.text(sql), {"league_id": scene.league_id})
    found = []
    for printed in rows.scalars():
        team = scene.league.parse_team(printed) if printed else None
        if team and (known := scene.teams.get(scene.key(team))):
            found.append({"printed": printed, "team_id": known.id})
    write_temporary(scene.connection, "live_names", found, "printed text, team_id integer")
