"""Standings beside the lines they count: one comparison of a league answers four checks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable

import sqlalchemy as sa

from rally_etl import standings
from rally_etl.checks.derived import Derived
from rally_etl.checks.results import SAMPLE_ROWS, CheckResult, Keys, Rule
from rally_etl.checks.running import RunFacts
from rally_etl.naming import Leagues, load_leagues
from rally_etl.settings import Settings
from rally_etl.standings import Limits, TeamFigures

_OWNER = "league-data"
CONTRADICTS = Rule(
    check="series_stats/figures_are_those_of_the_lines",
    severity="error",
    dimension="accuracy",
    title="The figures of a team in the standings are those of its match lines, or differ for a known reason",
    owner=_OWNER,
    why="Scores read the wrong way round, lines doubled or on another team all show here and hardly anywhere else.",
    mend="Look at orientation and held names of the match file in the report; scrape matches and standings again.",
)
LACKS = Rule(
    check="series_stats/team_matches_have_lines",
    severity="warn",
    dimension="completeness",
    title="Every team match that the standings count has its lines",
    owner=_OWNER,
    why="Its players miss a match in their record; where names lost a suffix it is a quarter of the teams at once.",
    mend="Look for names of the match file that were held; scrape the matches again, with all their series.",
)
AHEAD = Rule(
    check="series_stats/lines_are_in_the_standings",
    severity="warn",
    dimension="timeliness",
    title="The standings count every team match that has lines",
    owner=_OWNER,
    why="A captain sees a match on one page that the table of the series does not know.",
    mend="Scrape the standings again; if they stay behind, look for team matches that stand twice, on two dates.",
)
SHORT = Rule(
    check="series_stats/team_matches_have_all_lines",
    severity="warn",
    dimension="completeness",
    title="A team match has as many lines as its league plays, each with a score that can be counted",
    owner=_OWNER,
    why="A few are forfeits that nobody records; many are lines that were lost on the way.",
    mend="Compare a team match of the failing teams with its page; if lines are there, scrape the matches again.",
)
RULES = (CONTRADICTS, LACKS, AHEAD, SHORT)
NO_RULE = "nobody has written down how this league counts its standings (`standings` in params/leagues)"


def standings_checks(settings: Settings) -> Derived:
    """The four checks; one comparison of a league answers all of them."""
    leagues, limits = load_leagues(settings.params_dir), standings.load_limits(settings.params_dir)

    def ask(connection: sa.Connection, league: str, league_id: int, facts: RunFacts) -> Iterable[CheckResult]:
        return _results(connection, leagues, limits, league, league_id, facts)

    def decides(league: str) -> str:
        return repr((standings.binds(leagues.get(league)), limits))

    return Derived(rules=RULES, ask=ask, reads=frozenset({"series_stats", "match_scores", "teams"}), decides=decides)


def _results(
    connection: sa.Connection, leagues: Leagues, limits: Limits, league: str, league_id: int, facts: RunFacts
) -> list[CheckResult]:
    started = time.perf_counter()
    found = standings.compare(connection, leagues.get(league), league_id, facts.as_of)
    if found is None:
        return [rule.result(league, "skipped", error=NO_RULE) for rule in RULES]
    seconds = (time.perf_counter() - started) / len(RULES)
    usual, teams = limits.usual, len(found.teams)
    tolerated = max(usual.unexplained_teams, usual.unexplained_share * teams)
    short = found.of("forfeit", "irregular")

    def told(rule: Rule, wrong: list[TeamFigures], threshold: float, warn_above: int | None = None) -> CheckResult:
        keys = Keys.of(json.dumps([str(team.id) for team in wrong]), len(wrong)) if wrong else Keys()
        sample = [team.as_row() for team in wrong[:SAMPLE_ROWS]]
        return rule.counted(league, len(wrong), threshold, warn_above, sample=sample, keys=keys, seconds=seconds)

    return [
        told(CONTRADICTS, found.of("unexplained"), tolerated, 0),
        told(LACKS, found.of("missing"), usual.missing_share * teams),
        told(AHEAD, found.of("ahead", "unprinted"), usual.ahead_share * teams),
        told(SHORT, short, len(short) if found.short_share <= usual.short_share else 0),
    ]
