"""The health score tells bad from catastrophic, and missing evidence from good news."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from rally_etl.checks import run_checks
from rally_etl.database.catalog import read_catalog
from rally_etl.errors import UsageError
from rally_etl.monitoring import (
    Finding,
    Freshness,
    health_live,
    level_of,
    monitoring_measures,
    read_health_params,
    score_parts,
    total_score,
)
from rally_etl.planning.schema import create_plan, finish_plan
from rally_etl.settings import Settings

RUN_ID = "20251001T060000-ab12"
AS_OF = dt.date(2025, 10, 1)
PATH = Path(__file__).resolve().parents[2] / "params" / "health.yaml"
PARAMS = read_health_params(PATH)
FRESH = Freshness(as_of=AS_OF, newest_match=AS_OF, newest_due=AS_OF)
ROWS = {"teams": 100}


def finding(dimension: str, **changed: object) -> Finding:
    """A check of a dimension that passed."""
    facts = {
        "check": f"teams/{dimension}",
        "table": "teams",
        "severity": "warn",
        "outcome": "passed",
        "failing_rows": 0,
    }
    return Finding(**(facts | {"dimension": dimension} | changed))


def all_passed() -> list[Finding]:
    """One check per dimension that has a weight."""
    return [finding(name) for name in PARAMS.weights]


def score(findings: list[Finding], freshness: Freshness | None = FRESH) -> float:
    """Total of a league with a hundred teams."""
    return total_score(PARAMS, score_parts(PARAMS, findings, ROWS, freshness), findings)


def test_nothing_wrong_is_a_hundred():
    """All checks passed and matches are fresh: 100."""
    assert 100 == score(all_passed())


@given(st.integers(1, 100), st.integers(1, 100))
def test_more_failing_rows_never_score_more(first, second):
    """The score falls with the share of failing rows and stays between 0 and 100."""
    few, many = sorted((first, second))
    scores = [score([*all_passed(), finding("validity", outcome="warned", failing_rows=rows)]) for rows in (few, many)]

    assert 0 <= scores[1] <= scores[0] <= 100


@given(st.sampled_from(["failed", "errored", None]), st.sampled_from(sorted(PARAMS.weights)))
def test_check_that_must_hold_caps_the_score(outcome, dimension):
    """One failed, errored or missing `error` check among many good ones keeps the score below the warning level."""
    rows = 1 if outcome == "failed" else None
    findings = all_passed() * 100 + [finding(dimension, severity="error", outcome=outcome, failing_rows=rows)]

    assert score(findings) < PARAMS.levels["warning"]


@pytest.mark.parametrize("dimension", sorted(PARAMS.weights))
def test_dimension_without_evidence_lowers_the_score(dimension):
    """A dimension of which nothing was checked scores 0 and is named; it is not left out of the mean."""
    findings = [each for each in all_passed() if each.dimension != dimension]
    [part] = [each for each in score_parts(PARAMS, findings, ROWS, None) if each.name == dimension]

    assert 0 == part.score
    assert part.detail
    assert score(findings, None) < 100


def test_constraints_count_as_one_check():
    """Forty kept constraints do not drown a broken one: the worst of them counts."""
    kept = [finding("validity", check=f"constraint/teams.c{n}") for n in range(40)]
    broken = finding("validity", check="constraint/teams.c40", outcome="failed", failing_rows=50, severity="error")
    [part] = [
        each for each in score_parts(PARAMS, [*all_passed(), *kept, broken], ROWS, FRESH) if each.name == "validity"
    ]

    assert 50 == part.score


@pytest.mark.parametrize(
    ("newest_match", "newest_due", "points"),
    [
        (AS_OF, AS_OF, 100),
        (AS_OF - dt.timedelta(days=300), AS_OF - dt.timedelta(days=300), 100),
        (AS_OF - dt.timedelta(days=60), AS_OF, 50),
        (None, AS_OF, 50),
        (None, None, 100),
    ],
)
def test_lag_is_measured_against_the_schedule(newest_match, newest_due, points):
    """Between seasons nothing is due and nothing is late; in season a missing week costs (half of the part here)."""
    freshness = Freshness(as_of=AS_OF, newest_match=newest_match, newest_due=newest_due)
    [part] = [each for each in score_parts(PARAMS, all_passed(), ROWS, freshness) if each.name == "timeliness"]

    assert points == part.score


@pytest.mark.parametrize(
    ("points", "word"), [(100, "good"), (90, "good"), (89.9, "warning"), (75, "warning"), (74, "critical")]
)
def test_level_of_a_score(points, word):
    """Good from 90, warning from 75, critical below."""
    assert word == level_of(PARAMS, points)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("weights:", "weight:"),
        ("validity: 20", "beauty: 20"),
        ("warn: 0.20", "warn: 0"),
        ("fresh: 10", "fresh: 90"),
        ("74", ".nan"),
    ],
)
def test_wrong_params_are_refused(tmp_path, old, new):
    """A health file with a fault is refused with its name and a hint."""
    path = tmp_path / "health.yaml"
    path.write_text(PATH.read_text().replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError, match=r"health\.yaml cannot be used"):
        read_health_params(path)


@pytest.fixture
def run(engine: sa.Engine) -> sa.Engine:
    """A run of two leagues with an empty plan; one league has a match three days ago."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into leagues (id, league_id, league_name) values (1, 'SAMPLE', 'Sample'), (2, 'OTHER', 'Other')"
            )
        )
        connection.execute(
            sa.text("insert into match_scores (league_id, match_date) values (1, :day), (1, :later)"),
            {"day": AS_OF - dt.timedelta(days=3), "later": AS_OF + dt.timedelta(days=7)},
        )
        connection.execute(
            sa.text("insert into etl.runs (run_id, source, as_of) values (:run, 'x', :as_of)"),
            {"run": RUN_ID, "as_of": AS_OF},
        )
        for league in ("SAMPLE", "OTHER"):
            connection.execute(
                sa.text("insert into etl.run_leagues (run_id, league) values (:run, :league)"),
                {"run": RUN_ID, "league": league},
            )
        catalog = read_catalog(connection)
        create_plan(connection, RUN_ID, catalog)
        finish_plan(connection, RUN_ID, catalog)
    return engine


def test_measures_of_a_run(run: sa.Engine, settings: Settings):
    """Every league has both measures, a future date is no freshness, and the run has the lowest score."""
    run_checks(run, settings, RUN_ID)
    found = monitoring_measures(run, settings, RUN_ID)

    assert {"SAMPLE", "OTHER", "*"} == set(found)
    assert 3 == found["SAMPLE"]["days_since_newest_match"]["value"]
    assert found["OTHER"]["days_since_newest_match"]["value"] > 1000
    assert found["*"]["health_score"]["value"] == min(
        found[league]["health_score"]["value"] for league in ("SAMPLE", "OTHER")
    )


def test_run_without_checks_is_not_healthy(run: sa.Engine, settings: Settings):
    """When no check left a result the score is far below the warning level, and says why."""
    found = monitoring_measures(run, settings, RUN_ID)["OTHER"]["health_score"]

    assert found["value"] < 20
    assert "has no result" in found["detail"][0]


def test_measures_are_kept_for_trends(run: sa.Engine, settings: Settings):
    """The ledger's metrics hold the scores that were returned."""
    run_checks(run, settings, RUN_ID)
    found = monitoring_measures(run, settings, RUN_ID)
    with run.connect() as connection:
        rows = connection.execute(
            sa.text("select league, value from etl.metrics where stage = 'monitoring' and metric = 'health_score'")
        ).all()

    assert {league: measures["health_score"]["value"] for league, measures in found.items()} == dict(map(tuple, rows))


def test_health_of_the_live_database(run: sa.Engine, settings: Settings):
    """The document has a score, a level and parts for the database and for each league."""
    health = health_live(run, settings, AS_OF)

    assert {"SAMPLE", "OTHER"} == set(health["leagues"])
    assert health["health_score"] == min(league["health_score"] for league in health["leagues"].values())
    assert set(PARAMS.weights) == {part["part"] for part in health["parts"]}
    assert level_of(PARAMS, health["health_score"]) == health["level"]


def test_empty_database_is_not_healthy(engine: sa.Engine, settings: Settings):
    """A database without any league has no good news to tell."""
    assert (0, "critical") == tuple(health_live(engine, settings, AS_OF)[key] for key in ("health_score", "level"))
