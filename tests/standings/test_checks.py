"""The checks of standings, and what the gate hears: damage of a whole file shows, what scrapes always show does not."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY
from rally_etl import gate
from rally_etl.checks.derived import ask
from rally_etl.checks.running import RunFacts
from rally_etl.checks.standings import standings_checks
from rally_etl.checks.standings_evidence import league_measures
from rally_etl.settings import Settings
from rally_etl.standings import Comparison, TeamFigures
from series_table import AS_OF, Table

SCORES = ("6-4, 6-4", "6-1, 4-6, 6-3", "2-6, 6-3, 3-6", "1-6, 1-6", "6-0, 6-2", "7-6, 5-7, 6-4")
FLIPPED = r"update match_scores set scores = regexp_replace(scores, '(\d+)-(\d+)', '\2-\1', 'g')"


@pytest.fixture
def league(module_engine: sa.Engine) -> Iterator[Table]:
    """Forty teams, half of them of the SW region, whose standings are those of their lines."""
    with module_engine.connect() as connection:
        table = Table(connection)
        teams = [f"T{n}" if n < 20 else f"T{n} SW" for n in range(40)]
        draws = itertools.cycle(itertools.permutations(SCORES, 4))
        for home, away in zip(teams[::2], teams[1::2], strict=True):
            table.meet(home, away, *next(draws))
        for team, figures in table.figures().items():
            table.prints(team, tuple(map(int, figures)))
        yield table
        connection.rollback()


def outcomes(table: Table) -> dict[str, str]:
    """Check -> outcome, of those that say a word."""
    derived = standings_checks(Settings(root=REPOSITORY, database_url=""))
    facts = RunFacts("test", AS_OF, (table.key,))
    found = ask(table.connection, derived, table.key, table.league_id, facts)
    assert len(derived.rules) == len(found)
    return {result.check.partition("/")[2]: result.outcome for result in found if result.outcome != "passed"}


def test_good_standings_say_nothing(league):
    """Standings that are those of their lines pass."""
    assert {} == outcomes(league)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (FLIPPED, {"figures_are_those_of_the_lines": "failed"}),
        (
            "update match_scores set home_team_id = away_team_id, away_team_id = home_team_id",
            {"figures_are_those_of_the_lines": "failed"},
        ),
        (
            "update match_scores set home_team_id = null where home_team like '% SW'",
            {"team_matches_have_lines": "warned"},
        ),
        ("delete from match_scores where id % 3 = 0", {"team_matches_have_all_lines": "warned"}),
        (
            "insert into match_scores (league_id, match_date, home_team_id, away_team_id, scores, winner)"
            " select league_id, match_date + 7, home_team_id, away_team_id, scores, winner from match_scores",
            {"lines_are_in_the_standings": "warned"},
        ),
        ("update series_stats set points = 0", {"figures_are_those_of_the_lines": "failed"}),
        (
            "update series_stats set points = points + 1 where team = 'T7'",
            {"figures_are_those_of_the_lines": "warned"},
        ),
        ("delete from series_stats where id % 3 = 0", {"lines_are_in_the_standings": "warned"}),
    ],
)  # fmt: skip
def test_damage_shows(league, damage, found):
    """Wrong orientation, lost suffixes, lines that are gone or doubled, points that are gone: each has its word."""
    league.connection.execute(sa.text(damage))

    assert found == outcomes(league)


def test_failing_rows_are_teams(league):
    """A failing row names the team, and each figure as printed and as recomputed; its key is the team's id."""
    league.connection.execute(sa.text("update series_stats set points = points + 1 where team = 'T7'"))
    derived = standings_checks(Settings(root=REPOSITORY, database_url=""))
    found = ask(league.connection, derived, league.key, league.league_id, RunFacts("test", AS_OF, (league.key,)))[0]

    own = int(league.figures()["T7"][0])
    assert [str(league.teams["T7"])] == found.keys.all()
    assert [f"points {own + 1}:{own}"] == [row["printed_and_recomputed"] for row in found.sample]
    assert "T7" == json.loads(json.dumps(found.sample))[0]["team"]


@pytest.mark.parametrize("key", ["CITA", "PADDLE_WEST"])
def test_league_without_a_rule_is_skipped(league, key):
    """Nothing is said of a league of which nobody knows how it counts, and the reason is told."""
    derived = standings_checks(Settings(root=REPOSITORY, database_url=""))
    found = ask(league.connection, derived, key, league.league_id, RunFacts("test", dt.date(2025, 10, 1), (key,)))

    assert {("skipped", True)} == {(one.outcome, "`standings`" in (one.error or "")) for one in found}


@pytest.mark.parametrize(
    ("agreeing", "before", "decision", "rules"),
    [
        (83, None, "GO", []),
        (83, 0.86, "GO", []),
        (60, 0.83, "HOLD", ["standings_agree_as_before"]),  # names without their suffix: 415 to 308 of 524
        (60, None, "GO", []),
    ],
)
def test_gate_holds_what_agrees_far_less_than_before(agreeing, before, decision, rules):
    """The share of teams that agree is compared with that of the last good load."""
    verdicts = ["agrees"] * agreeing + ["missing"] * (100 - agreeing)
    found = Comparison([TeamFigures(n, f"T{n}", name, "won 1:0", 0, 4) for n, name in enumerate(verdicts)])
    measures = league_measures(found, before, None)

    assert (decision, rules) == judged(measures)


def test_gate_holds_computed_standings():
    """Who approves computed standings knows of how many teams, and why they were computed."""
    found = Comparison([TeamFigures(n, f"T{n}", "agrees", "", 0, 4) for n in range(10)])
    computed = type("Row", (), {"rows": 9, "reason": "computed from its lines"})()
    measures = league_measures(found, None, computed)

    assert ("HOLD", ["standings_are_printed", "standings_cover_the_teams"]) == judged(measures)


def judged(measures: dict) -> tuple[str, list[str]]:
    """The decision of the gate's rules of standings on a league's measures, and the rules that did not hold."""
    rules = [rule for rule in gate.read_rules(REPOSITORY / "params" / "gate.yaml") if rule.measure in measures]
    evidence = {
        stage: {"stage": stage, "run_id": "r", "leagues": {"X": measures if stage == "validation" else {}}}
        for stage in gate.STAGES
    }
    found = gate.judge(rules, evidence, ["X"], run_id="r", statuses=dict.fromkeys(gate.STAGES, "completed"))["X"]
    return found["decision"], sorted(reason["rule"] for reason in found["reasons"])
