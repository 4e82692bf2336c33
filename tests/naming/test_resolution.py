"""Resolution: exactly, by a lost suffix or series where one team fits, never by part of a name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rally_etl.naming import load_leagues, resolve
from rally_etl.naming.resolution import Roster

ROOT = Path(__file__).parents[2]
SCRAPES = ROOT.parent / "shared" / "data" / "scrapes"
LEAGUES = load_leagues(ROOT / "params")
APTA, CITA, NSTF = LEAGUES.get("APTA_CHICAGO"), LEAGUES.get("CITA"), LEAGUES.get("NSTF")


def one(printed, roster, league=APTA, *, series=None, fallback=()):
    """Resolve one name against teams given by their names."""
    teams, live = ([league.parse_team(name) for name in names] for names in (roster, fallback))
    return resolve([(printed, series)], teams, league, live)[printed, series]


@pytest.mark.parametrize(
    ("printed", "strategy", "name"),
    [
        ("Tennaqua 12", "exact", "Tennaqua 12"),
        ("Tennaqua - 12", "exact", "Tennaqua 12"),
        ("Midtown - Chicago - 6", "alias", "Midtown Chicago 6"),
        ("Biltmore CC - 21 23", "alias", "Biltmore CC 23"),
        ("Glen Ellyn 17", "suffix", "Glen Ellyn 17 SW"),
        ("Salt Creek II 7", "suffix", "Salt Creek II 7 SW"),
        ("Medinah 23 SW", "none", None),
        ("Salt Creek 7", "none", None),
        ("Tennaqua 1", "none", None),
        ("BYE 12", "none", None),
    ],
)
def test_resolve_by_strategy(printed, strategy, name):
    """Each printed name finds its team in one way, or none."""
    roster = [
        "Tennaqua 12",
        "Midtown Chicago 6",
        "Biltmore CC 23",
        "Glen Ellyn 17 SW",
        "Salt Creek I 7 SW",
        "Salt Creek II 7 SW",
    ]
    found = one(printed, roster)

    assert (strategy, name) == (found.strategy, found.team and found.team.name)


def test_team_without_suffix_is_not_repaired():
    """Where both "X 17" and "X 17 SW" exist, "X 17" is what it says."""
    assert "exact" == one("Glen Ellyn 17", ["Glen Ellyn 17 SW", "Glen Ellyn 17"]).strategy


def test_lost_series_is_found_only_where_one_team_fits():
    """A bare club is its only team, and ambiguous with all candidates when it has two."""
    teams = ["College Park - West - Open Fri", "Midtown - Palatine - Open Fri", "Midtown - Palatine - 4.5 Singles Sun"]

    assert ("series", teams[0]) == ((alone := one("College Park - West", teams, CITA)).strategy, alone.team.name)
    assert ("ambiguous", tuple(sorted(teams[1:]))) == (
        (two := one("Midtown - Palatine", teams, CITA)).strategy,
        two.candidates,
    )


def test_lost_ordinal_is_not_guessed():
    """Wilmette S1 is neither T1 nor T2; both are offered to a person."""
    found = one("Wilmette S1", ["Wilmette S1 T1", "Wilmette S1 T2"], NSTF)

    assert (None, "none", ("Wilmette S1 T1", "Wilmette S1 T2")) == (found.team, found.strategy, found.candidates)


def test_lost_letter_of_a_series_is_a_lost_suffix():
    """Birchwood S2 is Birchwood S2B as long as the club has no S2A."""
    assert ("suffix", "Birchwood S2B") == (
        (alone := one("Birchwood S2", ["Birchwood S2B", "Tennaqua S2A"], NSTF)).strategy,
        alone.team.name,
    )
    assert "ambiguous" == one("Birchwood S2", ["Birchwood S2B", "Birchwood S2A"], NSTF).strategy


@pytest.mark.parametrize(
    ("printed", "lost"),
    [
        ("Wilmette PD 2", {"Wilmette PD 26": "number", "Wilmette PD 27 SW": "number suffix",
                           "Wilmette PD II 2": "ordinal", "Wilmette PD I 21 SW": "ordinal number suffix"}),
        ("Wilmette PD II 2", {}),
        ("Wilmette PD 2 SW", {"Wilmette PD 27 SW": "number", "Wilmette PD I 21 SW": "ordinal number"}),
        ("Wilmette PD 6", {}),
        ("Wilmette 2", {}),
        ("PD 26", {}),
    ],
)  # fmt: skip
def test_repairs_are_all_teams_whose_name_may_have_lost_that(printed, lost):
    """Parts get lost at the end of what they belong to; the club is never mended, nor a digit at the front."""
    teams = ["Wilmette PD 2", "Wilmette PD 26", "Wilmette PD 27 SW", "Wilmette PD II 2", "Wilmette PD I 21 SW"]
    roster = Roster([APTA.parse_team(name) for name in teams], APTA)

    assert lost == {repair.team.name: " ".join(repair.lost) for repair in roster.repairs(printed, None)}


def test_club_of_a_name_is_told_by_the_spellings_of_all_leagues():
    """Two spellings of a club that the roster's key folds are one team."""
    roster = Roster([APTA.parse_team("Wilmette PD 26")], APTA, club=lambda name: "wilmette pd")

    assert "exact" == roster.find("Wilmette Park District 26", None).strategy


def test_fallback_answers_only_after_the_roster():
    """Live teams are asked where this scrape's roster has no answer."""
    assert "Glen Ellyn 17 SW" == one("Glen Ellyn 17", [], fallback=["Glen Ellyn 17 SW"]).team.name
    assert "Glen Ellyn 17 SW" == one("Glen Ellyn 17", ["Glen Ellyn 17 SW"], fallback=["Glen Ellyn 17"]).team.name


@pytest.mark.skipif(not SCRAPES.exists(), reason="the real scrapes are not beside this clone")
@pytest.mark.parametrize("day", ["2025-09-25", "2025-10-01"])
def test_every_printed_name_of_a_real_scrape_resolves(day):
    """All names of players, standings, schedule and matches resolve but the one team that is not there."""
    folder = SCRAPES / day / "APTA_CHICAGO"
    players, stats, schedule, matches = (
        json.loads((folder / f"{kind}.json").read_text())
        for kind in ("players", "series_stats", "schedules", "match_scores")
    )
    rosters = {(r["Team"], r["Series"]) for r in players} | {(r["team"], r["series"]) for r in stats}
    printed = {(r[side], r["series"]) for r in schedule for side in ("home_team", "away_team")}
    printed |= {(r[side], None) for r in matches for side in ("Home Team", "Away Team")} | rosters
    teams = [team for name in rosters if (team := APTA.parse_team(*name))]
    unresolved = {name for (name, _), found in resolve(printed, teams, APTA).items() if found.team is None}

    assert {"Medinah 23 SW"} == unresolved
    assert (534, 54) == (len({team.key for team in teams}), len({team.series for team in teams}))
