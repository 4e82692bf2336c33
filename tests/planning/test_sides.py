"""Sides of matches and schedules are told as pairs: by the opponent, the schedule and the players, or not at all."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from rally_etl.identity.matching import match_teams
from rally_etl.planning import identify
from rally_etl.planning.schema import schemas
from scrapes import APTA, Kinds, line, meeting, player, stats


def series_of(team: str) -> str:
    """The series that an APTA name says."""
    words = team.split(" ")
    return "Series " + (f"{words[-2]} SW" if words[-1] == "SW" else words[-1])


def league(*teams: str, meetings: tuple[tuple[str, str], ...] = ()) -> Kinds:
    """A scrape of teams with eight players each, their standings and a schedule, and no line yet."""
    people = {team: [team.replace(" ", "") + str(n) for n in range(1, 9)] for team in teams}
    return {
        "players": [player(person, team, Series=series_of(team)) for team in teams for person in people[team]],
        "series_stats": [stats(team, series=series_of(team)) for team in teams],
        "schedules": [meeting("09/23/2025", *pair, series="") for pair in meetings],
        "match_scores": [],
    }


def played(number: int, home: tuple[str, str], away: tuple[str, str], seats: bool = True) -> Kinds:
    """Two lines of a meeting; each side is what is printed and what it is; without *seats* strangers play."""
    lines = []
    for court in (1, 2):
        record = line(f"nndz-m{number}_Line{court}", home[1], away[1])
        record |= {"Home Team": home[0], "Away Team": away[0]}
        if not seats:
            record |= {key: f"{value}stranger" for key, value in record.items() if key.endswith(" ID")}
        lines.append(record)
    return lines


def names(importing, run_id: str, kind: str = "match_scores") -> dict[str, tuple[str | None, str]]:
    """Printed name of a side -> the team it was found to be, and by which strategy."""
    rows = importing.rows(f"select * from {schemas(run_id)[0]}.names where kind = :kind", kind=kind)
    return {row.printed: (row.team_name, row.strategy) for row in rows}


def evidence(importing, run_id: str, printed: str) -> str:
    """What speaks for the team of a side of a match."""
    rows = importing.rows(
        f"select evidence from {schemas(run_id)[0]}.names where kind = 'match_scores' and printed = :printed",
        printed=printed,
    )
    return rows[0].evidence


def reviews(importing) -> dict[str, tuple[str, list[str], int]]:
    """Name of an open question -> its kind, the names of its candidates and the rows that wait."""
    rows = importing.rows("select * from etl.reviews where state = 'open' order by number")
    return {row.name: (row.kind, sorted(each["name"] for each in row.candidates), row.held_rows) for row in rows}


def test_truncated_number_is_told_by_the_opponent(importing):
    """Wilmette PD 2 exists, but whoever plays Tennaqua 26 is Wilmette PD 26."""
    scrape = league("Wilmette PD 2", "Wilmette PD 26", "Tennaqua 26", "Tennaqua 2")
    scrape["match_scores"] += played(1, ("Wilmette PD 2", "Wilmette PD 26"), ("Tennaqua 26", "Tennaqua 26"))
    scrape["match_scores"] += played(2, ("Wilmette PD 2", "Wilmette PD 2"), ("Tennaqua 2", "Tennaqua 2"))

    importing.load(scrape)

    assert [("Wilmette PD 2", "Tennaqua 2", 2), ("Wilmette PD 26", "Tennaqua 26", 2)] == importing.rows(
        "select home_team, away_team, count(*) from match_scores group by 1, 2 order by 1"
    )


def test_truncated_numbers_are_told_by_the_schedule(importing):
    """Of 26 and 27 only one has the two clubs meet; nobody on court is on a roster."""
    teams = ("Wilmette PD 2", "Wilmette PD 26", "Wilmette PD 27", "Tennaqua 26", "Tennaqua 27", "Skokie 27")
    meetings = (("Wilmette PD 26", "Tennaqua 26"), ("Wilmette PD 27", "Skokie 27"), ("Skokie 27", "Tennaqua 27"))
    scrape = league(*teams, meetings=meetings)
    scrape["match_scores"] += played(1, ("Wilmette PD 2", "Wilmette PD 26"), ("Tennaqua 2", "Tennaqua 26"), seats=False)

    run_id = importing.plan(scrape)

    assert {"Wilmette PD 2": ("Wilmette PD 26", "schedule"), "Tennaqua 2": ("Tennaqua 26", "schedule")} == names(
        importing, run_id
    )
    assert "lost its last digit; plays Tennaqua 26 on the schedule" == evidence(importing, run_id, "Wilmette PD 2")


def test_truncated_numbers_are_told_by_the_players(importing):
    """Both clubs meet in 26 and in 27; whose players were on court says which meeting it was."""
    teams = ("Wilmette PD 2", "Wilmette PD 26", "Wilmette PD 27", "Tennaqua 26", "Tennaqua 27")
    scrape = league(*teams, meetings=(("Wilmette PD 26", "Tennaqua 26"), ("Wilmette PD 27", "Tennaqua 27")))
    scrape["match_scores"] += played(1, ("Wilmette PD 2", "Wilmette PD 27"), ("Tennaqua 2", "Tennaqua 27"))

    run_id = importing.plan(scrape)

    assert {"Wilmette PD 2": ("Wilmette PD 27", "players"), "Tennaqua 2": ("Tennaqua 27", "players")} == names(
        importing, run_id
    )
    assert "4 of 4 players are on its roster" in evidence(importing, run_id, "Tennaqua 2")


def test_namesakes_on_both_sides_are_overruled_by_the_players(importing):
    """Both printed teams exist and meet, but all players are of the two teams whose names lost a digit."""
    teams = ("Wilmette PD 2", "Wilmette PD 26", "Tennaqua 2", "Tennaqua 26")
    scrape = league(*teams, meetings=(("Wilmette PD 2", "Tennaqua 2"), ("Wilmette PD 26", "Tennaqua 26")))
    scrape["match_scores"] += played(1, ("Wilmette PD 2", "Wilmette PD 26"), ("Tennaqua 2", "Tennaqua 26"))

    assert {"Wilmette PD 2": ("Wilmette PD 26", "players"), "Tennaqua 2": ("Tennaqua 26", "players")} == names(
        importing, importing.plan(scrape)
    )


def test_one_name_for_two_meetings_waits(importing):
    """Where the same two names stand for two meetings of different teams, no answer is right for all their lines."""
    teams = ("Wilmette PD 2", "Wilmette PD 26", "Tennaqua 2", "Tennaqua 26")
    scrape = league(*teams, meetings=(("Wilmette PD 2", "Tennaqua 2"), ("Wilmette PD 26", "Tennaqua 26")))
    scrape["match_scores"] += played(1, ("Wilmette PD 2", "Wilmette PD 26"), ("Tennaqua 2", "Tennaqua 26"))
    scrape["match_scores"] += played(2, ("Wilmette PD 2", "Wilmette PD 2"), ("Tennaqua 2", "Tennaqua 2"))

    run_id = importing.plan(scrape)

    assert {"Wilmette PD 2": (None, "ambiguous"), "Tennaqua 2": (None, "ambiguous")} == names(importing, run_id)
    assert 4 == importing.held(run_id)["match_scores", "waits for Tennaqua 2", "Tennaqua 2"]


def test_lost_suffix_with_a_namesake_is_told_by_the_opponent(importing):
    """Glen Ellyn 7 and Glen Ellyn 7 SW exist; Medinah 7 SW plays the latter, Skokie 7 the former."""
    scrape = league("Glen Ellyn 7", "Glen Ellyn 7 SW", "Medinah 7 SW", "Skokie 7")
    scrape["match_scores"] += played(1, ("Glen Ellyn 7", "Glen Ellyn 7 SW"), ("Medinah 7", "Medinah 7 SW"), seats=False)
    scrape["match_scores"] += played(2, ("Skokie 7", "Skokie 7"), ("Glen Ellyn 7", "Glen Ellyn 7"), seats=False)

    importing.load(scrape)

    assert [("Glen Ellyn 7 SW", "Medinah 7 SW", 2), ("Skokie 7", "Glen Ellyn 7", 2)] == importing.rows(
        "select home_team, away_team, count(*) from match_scores group by 1, 2 order by 1"
    )


def test_side_of_a_schedule_is_told_by_the_opponent(importing):
    """A schedule, too, that lost the suffix has the meeting of the two teams of one series."""
    teams = ("Glen Ellyn 7", "Glen Ellyn 7 SW", "Medinah 7 SW", "Skokie 7")
    scrape = league(*teams, meetings=(("Glen Ellyn 7", "Medinah 7 SW"), ("Skokie 7", "Glen Ellyn 7")))

    importing.load(scrape)

    assert [("Glen Ellyn 7 SW", "Medinah 7 SW"), ("Skokie 7", "Glen Ellyn 7")] == importing.rows(
        "select h.team_name, a.team_name from schedule as s join teams as h on h.id = s.home_team_id"
        " join teams as a on a.id = s.away_team_id order by 1"
    )


def test_lost_ordinal_is_told_by_the_players(importing):
    """Hinsdale PC 7 SW is neither I nor II by its name, but its players are those of II."""
    scrape = league("Hinsdale PC I 7 SW", "Hinsdale PC II 7 SW", "Medinah 7 SW")
    scrape["match_scores"] += played(1, ("Hinsdale PC 7 SW", "Hinsdale PC II 7 SW"), ("Medinah 7 SW", "Medinah 7 SW"))

    run_id = importing.plan(scrape)

    assert ("Hinsdale PC II 7 SW", "players") == names(importing, run_id)["Hinsdale PC 7 SW"]
    assert "lost its ordinal; its opponent is of Series 7 SW; 4 of 4 players are on its roster" == evidence(
        importing, run_id, "Hinsdale PC 7 SW"
    )


def test_live_roster_speaks_where_none_was_scraped(importing):
    """A scrape of matches alone is told by the rosters that live has."""
    scrape = league("Hinsdale PC I 7 SW", "Hinsdale PC II 7 SW", "Medinah 7 SW")
    importing.load({kind: records for kind, records in scrape.items() if records})
    lines = played(1, ("Hinsdale PC 7 SW", "Hinsdale PC II 7 SW"), ("Medinah 7 SW", "Medinah 7 SW"))

    run_id = importing.plan({"match_scores": lines})

    assert ("Hinsdale PC II 7 SW", "players") == names(importing, run_id)["Hinsdale PC 7 SW"]


def test_what_is_ambiguous_waits_with_a_question(importing):
    """Nothing tells I from II: no line is guessed, one question is asked for all of them."""
    scrape = league("Hinsdale PC I 7 SW", "Hinsdale PC II 7 SW", "Medinah 7 SW", "Glen Ellyn 7 SW")
    sides = ("Hinsdale PC 7 SW", "Hinsdale PC II 7 SW")
    scrape["match_scores"] += played(1, sides, ("Medinah 7 SW", "Medinah 7 SW"), seats=False)
    scrape["match_scores"] += played(2, ("Glen Ellyn 7 SW", "Glen Ellyn 7 SW"), sides, seats=False)

    run_id = importing.load(scrape)

    assert [0] == importing.column("select count(*) from match_scores")
    assert {("match_scores", "waits for Hinsdale PC 7 SW", "Hinsdale PC 7 SW"): 4} == importing.held(run_id)
    candidates = ["Hinsdale PC I 7 SW", "Hinsdale PC II 7 SW"]
    assert {"Hinsdale PC 7 SW": ("ambiguous", candidates, 4)} == reviews(importing)
    assert {None, "Glen Ellyn 7 SW", "Medinah 7 SW"} == {team for team, _ in names(importing, run_id).values()}


def test_name_that_nothing_fits_is_asked_about(importing):
    """A name without any candidate waits as before, with the likest names beside the question."""
    scrape = league("Tennaqua 12", "Winnetka 12")
    scrape["match_scores"] += played(1, ("Winetka 12", "Winnetka 12"), ("Tennaqua 12", "Tennaqua 12"))

    run_id = importing.plan(scrape)

    assert {("match_scores", "unknown_team", "Winetka 12"): 2} == importing.held(run_id)
    kind, candidates, held = reviews(importing)["Winetka 12"]
    assert ("unknown", "Winnetka 12", 2) == (kind, candidates[-1], held)


@pytest.mark.parametrize("state", ["accepted", "rejected"])
def test_answer_of_a_person_counts(importing, state):
    """An alias says who a name is from then on; a team that was rejected is no candidate, so the other one is it."""
    scrape = league("Hinsdale PC I 7 SW", "Hinsdale PC II 7 SW", "Medinah 7 SW")
    scrape["match_scores"] += played(
        1, ("Hinsdale PC 7 SW", "Hinsdale PC II 7 SW"), ("Medinah 7 SW", "Medinah 7 SW"), seats=False
    )
    importing.load(scrape)
    ids = {row.team_name: row.id for row in importing.rows("select id, team_name from teams")}
    spelling = "hinsdale pc | Series 7 SW | "
    if state == "accepted":
        importing.write(
            "insert into etl.aliases (league, entity, spelling, target, strategy, confidence, evidence)"
            " values (:league, 'team', :spelling, :target, 'review', 1, '')",
            league=APTA, spelling=spelling, target=str(ids["Hinsdale PC II 7 SW"]),
        )  # fmt: skip
    else:
        candidate = {"id": ids["Hinsdale PC I 7 SW"], "name": "", "strategy": "", "confidence": 1, "evidence": ""}
        importing.write(
            "update etl.reviews set state = 'rejected', candidates = cast(:candidates as jsonb)",
            candidates=json.dumps([candidate]),
        )

    run_id = importing.plan(scrape)

    strategy = {"accepted": "alias", "rejected": "opponent"}[state]
    assert ("Hinsdale PC II 7 SW", strategy) == names(importing, run_id)["Hinsdale PC 7 SW"]
    assert {} == importing.held(run_id)


def test_alias_of_an_exact_name_counts_only_where_the_opponent_contradicts_it(importing):
    """Somebody said that Wilmette PD 2 is 27: so it is beside a 27, whatever else fits, and itself beside a 2."""
    teams = ("Wilmette PD 2", "Wilmette PD I 27", "Wilmette PD II 27", "Tennaqua 2", "Tennaqua 27")
    scrape = league(*teams)
    importing.load({kind: records for kind, records in scrape.items() if records})
    importing.write(
        "insert into etl.aliases (league, entity, spelling, target, strategy, confidence, evidence)"
        " select :league, 'team', 'wilmette pd | Series 2 | ', id, 'review', 1, '' from teams where team_name = :team",
        league=APTA, team="Wilmette PD II 27",
    )  # fmt: skip
    for number, opponent in enumerate(("Tennaqua 2", "Tennaqua 27")):
        scrape["match_scores"] += played(number, ("Wilmette PD 2",) * 2, (opponent,) * 2, seats=False)

    importing.load(scrape)

    assert [("Wilmette PD 2", "Tennaqua 2"), ("Wilmette PD II 27", "Tennaqua 27")] == importing.rows(
        "select distinct home_team, away_team from match_scores order by 1"
    )


def test_rows_of_a_team_under_review_wait(importing, monkeypatch):
    """A team that a person is asked about holds its players, standings, meetings and lines, under any spelling."""
    scrape = league("Glen Ellyn 7 SW", "Medinah 7 SW", meetings=(("Glen Ellyn 7 SW", "Medinah 7 SW"),))
    scrape["match_scores"] += played(1, ("Glen Ellyn 7", "Glen Ellyn 7 SW"), ("Medinah 7 SW", "Medinah 7 SW"))

    def asks(incoming, *arguments, **options):
        found = match_teams(incoming, *arguments, **options)
        waits = type(next(iter(found.values())))(None, "waits", 0.0, "", "contradiction", ())
        return {key: waits if key[0] == "glen ellyn" else match for key, match in found.items()}

    monkeypatch.setattr(identify, "match_teams", asks)
    run_id = importing.plan(scrape)

    why = "waits for Glen Ellyn 7 SW"
    assert {
        ("players", why, "Glen Ellyn 7 SW"): 8,
        ("series_stats", why, "Glen Ellyn 7 SW"): 1,
        ("schedules", why, "Glen Ellyn 7 SW"): 1,
        ("match_scores", why, "Glen Ellyn 7"): 2,
    } == importing.held(run_id)
    assert (None, "waits") == names(importing, run_id)["Glen Ellyn 7"]
    assert ["Glen Ellyn 7 SW"] == [name for name, (kind, _, _) in reviews(importing).items() if kind != "unknown"]


def test_meeting_of_two_series_is_what_it_says(importing):
    """Two exact names of different series, and no two teams of one series to be had: taken, with little confidence."""
    scrape = league("Tennaqua 12", "Winnetka 13")
    scrape["match_scores"] += played(1, ("Tennaqua 12", "Tennaqua 12"), ("Winnetka 13", "Winnetka 13"))

    run_id = importing.plan(scrape)

    assert {("exact", 0.5)} == {
        (row.strategy, row.confidence)
        for row in importing.rows(f"select * from {schemas(run_id)[0]}.names where kind = 'match_scores'")
    }
    assert [2] == importing.column(f"select count(*) from {schemas(run_id)[0]}.match_scores")


def test_lost_numbers_on_both_sides_prove_nothing(importing):
    """Wilmette PD 2 and Tennaqua 2 may be 26 and 26, but a third team may be meant too: without a proof they wait."""
    scrape = league("Wilmette PD 26", "Tennaqua 26")
    scrape["match_scores"] += played(1, ("Wilmette PD 2", "Wilmette PD 26"), ("Tennaqua 2", "Tennaqua 26"), seats=False)

    assert {(None, "ambiguous")} == set(names(importing, importing.plan(scrape)).values())


def test_sides_are_counted_by_strategy(importing):
    """`row_count` is the number of sides: each line counts twice, whichever way round it is printed."""
    scrape = league("Glen Ellyn 7 SW", "Medinah 7 SW")
    sides = ("Glen Ellyn 7", "Glen Ellyn 7 SW"), ("Medinah 7 SW", "Medinah 7 SW")
    scrape["match_scores"] += [*played(1, *sides), *played(2, *reversed(sides))]

    run_id = importing.plan(scrape)

    with importing.engine.connect() as connection:
        found = connection.execute(
            sa.text(
                f"select strategy, sum(row_count) from {schemas(run_id)[0]}.names"
                " where kind = 'match_scores' group by 1 order by 1"
            )
        )
        assert [("exact", 4), ("suffix", 4)] == found.all()
