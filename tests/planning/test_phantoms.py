"""Phantoms: a team that only the standings name is never made."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from rally_etl.naming import load_clubs, load_leagues
from rally_etl.planning.names import roster_of
from rally_etl.planning.phantoms import hold_phantoms, key_reader, read_sides, without_phantoms
from rally_etl.planning.scene import Scene
from scrapes import APTA, Import, line, meeting, small, stats

PARAMS = Path(__file__).parents[2] / "params"
SCENE = Scene(None, {}, load_leagues(PARAMS).get(APTA), load_clubs(PARAMS), frozenset(), None)
PLAYERS = ("Tennaqua 12", "Winnetka 12")
GHOST = "Skokie 12"


def phantoms(
    players: tuple[str, ...] = PLAYERS,
    standings: tuple[str, ...] = (*PLAYERS, GHOST),
    known: tuple[str, ...] = (),
    sides: tuple[str, ...] = PLAYERS,
    played: tuple[str, ...] = (),
) -> list[str]:
    """Names of the phantoms of a scrape."""
    printed = {"series_stats": Counter({(team, ""): 2 for team in standings})}
    if players:
        printed["players"] = Counter({(team, ""): 12 for team in players})
    read = key_reader(SCENE)
    roster = roster_of(SCENE, printed)
    kept, found = without_phantoms(
        printed,
        roster,
        {read(team, "") for team in known},
        [(team, "") for team in sides],
        {read(team, "") for team in played},
        read,
    )
    assert roster.keys() == kept.keys() | found.keys()
    assert set(found.values()) <= {2}
    return [roster[key].name for key in found]


def test_team_of_the_standings_alone_is_a_phantom():
    """New, and neither roster nor match nor meeting of its series names it: there is no evidence that it is a team."""
    assert [GHOST] == phantoms()
    assert [GHOST] == phantoms(played=(GHOST,)), "results that no match file knows"


def test_series_of_the_standings_alone_is_believed_if_it_was_played():
    """Where no other file knows the series, its results are all there is; a row of zeros is nothing."""
    assert [] == phantoms(standings=("Wilmette 99 A",), played=("Wilmette 99 A",))
    assert ["Wilmette 99 A"] == phantoms(standings=("Wilmette 99 A",))


def test_series_without_matches_or_meetings_is_believed():
    """Rosters alone may be incomplete: a team of their series that has not played yet is a team."""
    assert [] == phantoms(sides=("Tennaqua 7 SW", "Winnetka 7 SW"))


@pytest.mark.parametrize(
    "evidence",
    [
        {"players": (*PLAYERS, "Skokie - 12")},
        {"known": (GHOST,)},
        {"sides": (*PLAYERS, "Skokie - 12")},
        {"sides": (*PLAYERS, "Skokie 13")},
        {"sides": (*PLAYERS, "Skokie Twelve")},
        {"players": ()},
        {"players": ("Somewhere",)},
    ],
)
def test_any_evidence_makes_a_team(evidence):
    """A roster, a live team, a side that names it or may mean it; and without rosters nothing is known."""
    assert [] == phantoms(**evidence)


def test_side_of_another_team_is_no_evidence():
    """A team of the same club that has a roster of its own speaks for itself."""
    sides = (*PLAYERS, "Winnetka 9")
    assert ["Skokie 12"] == phantoms(standings=("Skokie 12", *PLAYERS), sides=sides)


def test_phantom_is_held_with_its_reason(importing: Import):
    """Its standings wait under the reason; a match with it makes it a team."""
    scrape = small()
    scrape["series_stats"].append(stats(GHOST, series="Series 12"))
    for sides, held in (([], {("series_stats", "no evidence beside the standings", GHOST): 1}), ([GHOST], {})):
        scrape["match_scores"] += [line("nndz-m9_Line1", "Tennaqua 12", ghost) for ghost in sides]
        scrape["schedules"] += [meeting("11/11/2025", ghost, "Tennaqua 12") for ghost in sides]
        importing.stage(scrape)
        with importing.engine.connect() as connection:
            kinds = frozenset({"players", "series_stats", "match_scores", "schedules"})
            scene = Scene(connection, {}, SCENE.league, SCENE.clubs, kinds, None)
            printed = {
                "players": Counter({(each["Team"], each["Series"]): 1 for each in scrape["players"]}),
                "series_stats": Counter({(each["team"], each["series"]): 1 for each in scrape["series_stats"]}),
            }
            roster = roster_of(scene, printed)
            kept = hold_phantoms(scene, printed, roster, ())
            named = {team for team, _ in read_sides(scene)}

        assert held == dict(scene.held)
        assert len(roster) - len(held) == len(kept)
        assert (GHOST in named) == bool(sides)
