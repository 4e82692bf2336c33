"""The health score tells bad from catastrophic, and missing evidence from good news."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import healthy
from healthy import AS_OF, LEAGUE, LEAGUE_ID, PARAMS, PARAMS_DIR, RULES
from rally_etl.checks.files import DIMENSIONS
from rally_etl.errors import UsageError
from rally_etl.monitoring import Finding, Freshness, advise, level_of, read_health_params, score
from rally_etl.monitoring.health import Score
from rally_etl.monitoring.health_findings import findings_of
from rally_etl.protection.open_orphans import OpenOrphans

PATH = PARAMS_DIR / "health.yaml"
DOCS = Path(__file__).resolve().parents[2] / "docs" / "health.md"
ROW = re.compile(
    r"^\| (?P<what>[^|]+) \| (?P<score>[\d.]+) \| (?P<level>good|warning|critical) \| [^|]+ \|$", re.MULTILINE
)
IN_DOCS = [(row["what"], float(row["score"]), row["level"]) for row in ROW.finditer(DOCS.read_text(encoding="utf-8"))]
NAMES = sorted(rule.check for rule in RULES)
ERRORS = sorted(rule.check for rule in RULES if rule.severity == "error")
SOME = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 2 * healthy.ROWS), max_size=6)


def league_with(failing: dict[str, int]) -> list[Finding]:
    """All findings of a league in which these checks find so many rows."""
    checks = healthy.asked()
    for name, rows in failing.items():
        checks = healthy.failing(checks, name, rows)
    return findings_of(PARAMS, healthy.around(), LEAGUE, LEAGUE_ID, checks)


def unanswered(findings: list[Finding], place: int, outcome: str | None) -> list[Finding]:
    """The same, one finding without its answer; of what the last one said the ledger knows."""
    return [replace(each, outcome=outcome) if number == place else each for number, each in enumerate(findings)]


@pytest.mark.parametrize(("what", "points", "level"), IN_DOCS, ids=[what[:60] for what, *_ in IN_DOCS])
def test_the_table_of_inputs_and_scores_is_true(what, points, level):
    """Each row of docs/health.md is what the score makes of it with the project's own checks and params."""
    found = healthy.damaged(what)

    assert (points, level) == (found.score, found.level)


def test_late_matches_hold_no_import_back():
    """To wait for a person would make them later; what else is wrong holds as before."""
    late = healthy.damaged("the matches lie 100 days behind")
    orphaned = healthy.damaged(
        "the matches lie 100 days behind; 199 of 1,000,000 rows of users have lost what they are about"
    )

    assert (74, late.mean) == (late.score, late.of_rows)
    assert late.mean > 75
    assert 60 == orphaned.of_rows


def test_the_table_shows_every_cap():
    """The table has an example of each class of params/health.yaml, and of each level."""
    found = [healthy.damaged(what) for what, *_ in IN_DOCS]

    assert set(PARAMS.caps) == {cap.name for each in found for cap in each.caps}
    assert {"good", "warning", "critical"} == {each.level for each in found}


@given(SOME, st.sampled_from(NAMES), st.integers(1, healthy.ROWS), st.integers(1, healthy.ROWS))
@settings(deadline=None, max_examples=30)
def test_more_failing_rows_never_score_more(others, name, one, other):
    """Whatever else is wrong, the score falls with the rows that a check finds, and stays between 0 and 100."""
    few, many = sorted((one, other))
    scores = [score(PARAMS, league_with(others | {name: rows})).score for rows in (few, many)]

    assert 0 <= scores[1] <= scores[0] <= 100


@given(SOME, st.data(), st.sampled_from([None, "errored", "gone"]))
@settings(deadline=None, max_examples=50)
def test_removing_evidence_never_raises_the_score(failing, data, outcome):
    """A check that has no answer any more, could not run or is gone: the score is not above that with its answer."""
    findings = league_with(failing)
    place = data.draw(st.sampled_from([n for n, each in enumerate(findings) if each.kind in ("check", "freshness")]))

    assert score(PARAMS, unanswered(findings, place, outcome)).score <= score(PARAMS, findings).score


@pytest.mark.parametrize("outcome", [None, "errored", "gone"])
def test_removing_evidence_of_a_good_league_lowers_and_is_named(outcome):
    """Each single check of a league in which everything holds is missed, and its name told."""
    findings = league_with({})
    checks = [place for place, each in enumerate(findings) if each.kind == "check"]
    found = {findings[place].check: score(PARAMS, unanswered(findings, place, outcome)) for place in checks}

    assert [] == [name for name, each in found.items() if each.score >= PARAMS.levels.good]
    assert [] == [name for name, each in found.items() if not [text for text in each.missing if name in text]]


@pytest.mark.parametrize("dimension", sorted(PARAMS.weights))
def test_dimension_without_evidence_counts_as_nothing(dimension):
    """A dimension of which nothing was asked scores 0 and says so; it is not left out of the mean."""
    findings = [each for each in league_with({}) if each.dimension != dimension]
    found = score(PARAMS, findings)
    [part] = [each for each in found.parts if each.name == dimension]

    assert (0, ["no check of this dimension is there"]) == (part.score, part.detail)
    assert 100 - PARAMS.weights[dimension] == found.score


def test_every_dimension_counts():
    """No check is of a dimension that the score leaves out."""
    assert set(DIMENSIONS) == set(PARAMS.weights)


@given(st.integers(1, 500), st.integers(500, 10**9), SOME)
@settings(deadline=None, max_examples=30)
def test_an_orphan_caps_at_any_size(orphans, rows, failing):
    """One row of users among a thousand million that lost what it is about is critical, however good the rest is."""
    what = healthy.around(orphans=OpenOrphans(new=[healthy.orphan()] * orphans, asked=[]), user_rows=rows)
    findings = [*findings_of(PARAMS, what, LEAGUE, LEAGUE_ID, healthy.asked())]

    assert score(PARAMS, findings).score <= PARAMS.caps["orphans"].steps[0]


@given(st.sampled_from(ERRORS), st.integers(1, 10**8), st.integers(0, 10**9))
@settings(deadline=None, max_examples=30)
def test_a_check_that_must_hold_caps_at_any_size(name, failing, more):
    """One failing row of an `error` check is critical in a table of any size."""
    rows = failing + more
    findings = [
        replace(each, outcome="failed", failing_rows=failing, rows=rows) if each.check == name else each
        for each in league_with({})
    ]

    assert "critical" == score(PARAMS, findings).level


def test_thirty_checks_do_not_outweigh_three():
    """A table counts the same in its dimension, whether three checks look at it or thirty."""
    few = [finding(f"teams/{n}", "teams") for n in range(3)] + [finding("players/0", "players")]
    many = [finding(f"teams/{n}", "teams") for n in range(30)] + [finding("players/0", "players")]
    broken = [replace(each, outcome="warned", failing_rows=5) if each.check == "teams/0" else each for each in few]
    drowned = [replace(each, outcome="warned", failing_rows=5) if each.check == "teams/0" else each for each in many]

    assert part_of(broken) == part_of(drowned) == 87.5


def finding(name: str, table: str) -> Finding:
    """A check of validity that passed, of a table of a hundred rows."""
    return Finding(
        check=name, table=table, dimension="validity", severity="warn", outcome="passed", failing_rows=0, rows=100
    )  # fmt: skip


def part_of(findings: list[Finding]) -> float:
    """The score of validity."""
    [part] = [each for each in score(PARAMS, findings).parts if each.name == "validity"]
    return part.score


@given(SOME)
@settings(deadline=None, max_examples=20)
def test_parts_say_what_lowered_them_by_how_many_points(failing):
    """The points of all that lowered a score make up what the score without caps lacks."""
    found = score(PARAMS, league_with(failing))
    lost = sum(each.points for part in found.parts for each in part.lowered)

    assert pytest.approx(100 - found.mean, abs=0.11) == lost
    assert set(failing) == {each.finding.check for part in found.parts for each in part.lowered}


def test_nothing_but_perfect_reads_a_hundred():
    """One row in a hundred million is not rounded away."""
    findings = [
        replace(each, outcome="warned", failing_rows=1, rows=10**8)
        if each.check == "players/player_is_a_person"
        else each
        for each in league_with({})
    ]

    assert (100, 99.9) == (score(PARAMS, league_with({})).score, score(PARAMS, findings).score)


def test_what_an_error_check_tolerates_is_no_cap():
    """A check of severity error that only warns, since its rows are tolerated, does not make a league critical."""
    findings = [
        replace(each, outcome="warned", failing_rows=3, rows=18_000)
        if each.check == "match_scores/line_is_unique"
        else each
        for each in league_with({})
    ]
    found = score(PARAMS, findings)

    assert ("good", []) == (found.level, found.caps)


def advised(found: Score) -> list[tuple[str, float, float]]:
    """Check, points and score after of the advice."""
    return [(each.finding.check, each.points, each.after) for each in advise(PARAMS, found)]


def test_advice_comes_in_order_of_what_it_wins():
    """What a cap rests on wins more than what lowers a part; with all of it done the score is 100."""
    found = healthy.damaged(
        "`teams/active_team_has_players` finds 20 of 534 rows; the matches lie 21 days behind;"
        " 199 of 1,000,000 rows of users have lost what they are about"
    )
    told = advised(found)

    assert ["users/orphans", "match_scores/freshness", "teams/active_team_has_players"] == [name for name, *_ in told]
    assert pytest.approx(found.mean - 60, abs=0.2) == told[0][1]
    assert 100 == told[-1][2]


def test_of_two_caps_the_lower_one_comes_first():
    """Mending the higher one wins nothing as long as the lower one stands."""
    found = healthy.damaged(
        "`teams/name_is_unique` has no answer; 199 of 1,000,000 rows of users have lost what they are about"
    )

    assert [("users/orphans", 14.0, 74.0), ("teams/name_is_unique", 0.0, 100.0)] == advised(found)


@given(SOME)
@settings(deadline=None, max_examples=20)
def test_advice_says_what_to_do(failing):
    """Each piece of advice has something to do and a command, and following all of it ends at 100."""
    told = advise(PARAMS, score(PARAMS, league_with(failing)))

    assert set(failing) == {each.finding.check for each in told}
    assert all(each.finding.todo and each.finding.command.startswith("rally-etl ") for each in told)
    assert [100.0] == [each.after for each in told[-1:]] or not told


def test_caps_name_checks_that_there_are():
    """A class of params/health.yaml names no check that nobody asks."""
    named = {name for cap in PARAMS.caps.values() if "check" in cap.kinds for name in cap.checks}

    assert set() == named - set(NAMES)


@pytest.mark.parametrize(
    ("known", "lag", "in_season"),
    [
        ({"newest_match": AS_OF, "newest_due": AS_OF}, 0, True),
        ({"newest_match": AS_OF - dt.timedelta(days=300), "newest_due": AS_OF - dt.timedelta(days=300)}, 0, False),
        ({"newest_match": AS_OF - dt.timedelta(days=60), "newest_due": AS_OF}, 60, True),
        ({"newest_match": None, "newest_due": AS_OF}, float("inf"), True),
        ({"newest_match": None, "newest_due": AS_OF, "first_missed": AS_OF - dt.timedelta(days=7)}, 8, True),
        (
            {"newest_match": AS_OF - dt.timedelta(days=200), "newest_due": AS_OF, "first_missed": AS_OF},
            1,
            True,
        ),
        ({"newest_match": None, "newest_due": None}, None, False),
        ({"newest_match": None, "newest_due": None, "next_due": AS_OF + dt.timedelta(days=20)}, None, True),
    ],
)
def test_lag_is_measured_against_the_schedule(known, lag, in_season):
    """Between seasons nothing is due and nothing is late; a season that has just begun is not late since spring."""
    freshness = Freshness(as_of=AS_OF, **known)

    assert (lag, in_season) == (freshness.lag_days, freshness.is_in_season(PARAMS.season_days))


@pytest.mark.parametrize(
    ("points", "word"), [(100, "good"), (90, "good"), (89.9, "warning"), (75, "warning"), (74.9, "critical")]
)
def test_level_of_a_score(points, word):
    """Good from 90, warning from 75, critical below."""
    assert word == level_of(PARAMS, points)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("weights:", "weight:"),
        ("validity: 15", "beauty: 15"),
        ("warn: 0.20", "warn: 0"),
        ("fresh: 10", "fresh: 90"),
        ("{0: 60, 0.001: 40, 0.01: 20}", "{0: 60, 0.001: 70}"),
        ("{0: 60, 0.001: 40, 0.01: 20}", "{0: .nan}"),
        ("kinds: [orphans]", "kinds: [orphan]"),
        ("good: 90", "good: 70"),
    ],
)
def test_wrong_params_are_refused(tmp_path, old, new):
    """A health file with a fault is refused with its name and a hint."""
    text = PATH.read_text(encoding="utf-8")
    path = tmp_path / "health.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert text != path.read_text(encoding="utf-8")
    with pytest.raises(UsageError, match=r"(?s)health\.yaml: .*no score was made\nhint"):
        read_health_params(path)
