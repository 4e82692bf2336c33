"""What speaks for the teams of a printed pair: who meets on the schedule, and whose players were on court."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.planning.sides import Fixtures, Pair, Played, Side
from rally_etl.planning.sql import read
from rally_etl.planning.temporary import write_temporary

if TYPE_CHECKING:
    from rally_etl.planning.readings import Readings, Team
    from rally_etl.planning.scene import Scene


def read_fixtures(scene: Scene, readings: Readings, scheduled: Iterable[tuple[Pair, tuple[Side, Side]]]) -> Fixtures:
    """The meetings of the scrape's schedule, and those that live holds from the scrape's first day on.

    Args:
        scheduled: pairs of the scraped schedule, with what they were found to mean.
    """
    fixtures = Fixtures()
    for pair, (first, second) in scheduled:
        is_settled = first.team and second.team
        fixtures.add([(first.team, second.team)] if is_settled else pair.combinations())
    binds = {"league": scene.league.key, "league_id": scene.league_id}
    for row in scene.connection.execute(sa.text(read("live_meetings")), binds):
        home, away = readings.team(row.home_team_id), readings.team(row.away_team_id)
        if home and away:
            fixtures.add([(home, away)])
        elif None in (row.home_team_id, row.away_team_id):
            # a meeting that waits in live for the same answer must not count as one that is not there
            names = (readings.read(row.home_team, ""), readings.read(row.away_team, ""))
            fixtures.add(Pair(names, 0).combinations())
    return fixtures


def read_played(
    scene: Scene, pairs: Sequence[Pair], rosters: Mapping[Team, Sequence[tuple[str, str]]]
) -> dict[tuple[str, str, str], list[Played]]:
    """Key of a pair -> who played in each meeting it stands for, beside the rosters of the teams it may mean.

    Args:
        pairs: those in doubt; nobody is looked up for the others.
        rosters: printed (team, series) of the scraped rosters by team; of other teams the live roster counts.
    """
    if not pairs:
        return {}
    teams = list(dict.fromkeys(option.team for pair in pairs for name in pair.names for option in name.options))
    _write_rosters(scene, teams, rosters)
    _write_pairs(scene, pairs)
    people: defaultdict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
    held: defaultdict[tuple[int, str], tuple[dict, dict]] = defaultdict(lambda: ({}, {}))
    binds = {"league": scene.league.key, "id_prefix": scene.id_prefix}
    for row in scene.connection.execute(sa.text(read("doubtful_players")), binds):
        place, side = (row.pair, row.meeting), 0 if row.is_first else 1
        if row.team is None:
            people[place][side] = row.people
        else:
            held[place][side][teams[row.team]] = row.people
    played: dict[tuple[str, str, str], list[Played]] = defaultdict(list)
    for place, counts in sorted(people.items()):
        played[pairs[place[0]].key].append(Played((counts[0], counts[1]), held[place]))
    return played


def _write_rosters(scene: Scene, teams: Sequence[Team], rosters: Mapping[Team, Sequence[tuple[str, str]]]) -> None:
    """Fill ``asked_rosters``: place in *teams* -> person keys."""
    rows: list[dict[str, object]] = []
    for place, team in enumerate(teams):
        if team in rosters:
            rows += [{"team": place, "printed": printed, "series": series} for printed, series in rosters[team]]
        elif team.live:
            rows.append({"team": place, "team_id": team.live.id})
    scene.connection.execute(sa.text("drop table if exists pg_temp.asked_rosters"))
    binds = {"league": scene.league.key, "id_prefix": scene.id_prefix, "rows": json.dumps(rows)}
    scene.connection.execute(sa.text(read("asked_rosters")), binds)
    scene.connection.execute(sa.text("analyze asked_rosters"))


def _write_pairs(scene: Scene, pairs: Sequence[Pair]) -> None:
    """Fill ``doubtful_pairs``: the printed pair in both orders -> place in *pairs*."""
    rows = []
    for place, pair in enumerate(pairs):
        first, second = (name.printed for name in pair.names)
        shared = {"pair": place, "series": pair.names[0].series}
        rows.append(shared | {"home": first, "away": second, "is_turned": False})
        rows.append(shared | {"home": second, "away": first, "is_turned": True})
    shape = "pair integer, home text, away text, series text, is_turned boolean"
    write_temporary(scene.connection, "doubtful_pairs", rows, shape)
