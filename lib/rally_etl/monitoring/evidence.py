"""Evidence of the stage monitoring: the health of the run's candidate, by the same score as that of live."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from rally_etl.checks.evidence import expected_checks
from rally_etl.checks.results import CheckResult
from rally_etl.checks.suite import find_league_ids, run_facts
from rally_etl.database.engine import read_only
from rally_etl.measures import Measures, measure
from rally_etl.monitoring.advice import Advice, advise
from rally_etl.monitoring.freshness import Freshness
from rally_etl.monitoring.health import Finding, Score, score
from rally_etl.monitoring.health_findings import findings_of, in_season, known_of, look_around
from rally_etl.monitoring.health_params import read_health_params
from rally_etl.monitoring.keeping import store_candidate
from rally_etl.monitoring.metrics import EVERYWHERE, Metric, store
from rally_etl.planning.schema import schemas
from rally_etl.settings import Settings

STAGE_HEALTH = "health"
"""Stands for the stage of what lowers the score of a run, which its report tells."""
UNKNOWN_DAYS = 9999
"""Stands for the age of the newest match where there is none: older than any tolerance."""
KEPT_ADVICE = 12

_RESULTS = sa.text(
    "select league, check_name, severity, outcome, failing_rows, error, title, owner, mend from etl.check_results"
    " where run_id = :run_id"
)


def monitoring_measures(engine: sa.Engine, settings: Settings, run_id: str) -> Measures:
    """Health score, with and without late matches, and days behind per league of the candidate; ``*`` has the lowest.

    What lowers the scores, and what to do about it, goes to the ledger, for the report. Orphans and constraints are
    those of live: no import writes either.

    Raises:
        UsageError: there is no such run, or `params/health.yaml` cannot be used.
    """
    params = read_health_params(settings.params_dir / "health.yaml")
    expected = expected_checks(engine, settings, run_id)
    with read_only(engine, schemas(run_id)[1], "public") as connection:
        facts = run_facts(connection, run_id)
        league_ids = find_league_ids(connection, settings, facts.leagues, run_id)
        around = look_around(connection, settings, facts.as_of, run_id)
        results = connection.execute(_RESULTS, {"run_id": run_id}).all()
    scores: dict[str, Score] = {}
    advice: dict[str, list[Advice]] = {}
    leagues: Measures = {}
    for league in facts.leagues:
        league_id = league_ids[league]
        asked = _asked(expected[league], {row.check_name: row for row in results if row.league == league})
        findings = findings_of(params, around, league, league_id, asked)
        is_in_season = in_season(params, around, league_id)
        scores[league] = score(params, findings, in_season=is_in_season)
        advice[league] = advise(params, scores[league], in_season=is_in_season)
        leagues[league] = {
            "health_score": measure(scores[league].score, lost_points(scores[league])),
            "health_of_rows": measure(scores[league].of_rows, lost_points(scores[league])),
            "days_behind": _behind(around.fresh.get(league_id)),
        }
    worst = [f"{league}: {each.score:.1f}" for league, each in sorted(scores.items(), key=lambda item: item[1].score)]
    lowest = min((each.score for each in scores.values()), default=0.0)
    leagues[EVERYWHERE] = {"health_score": measure(lowest, worst)}
    with engine.begin() as connection:
        store(connection, _kept(scores, advice), run_id=run_id, stage=STAGE_HEALTH)
    store_candidate(engine, settings, run_id, health_of(scores), known_of(around))
    return leagues


def health_of(scores: Mapping[str, Score]) -> dict[str, tuple[float, dict[str, float]]]:
    """League and `EVERYWHERE` -> score, and the score of each dimension; everywhere the lowest of them."""
    found = {league: (each.score, {part.name: part.score for part in each.parts}) for league, each in scores.items()}
    lowest = min((value for value, _ in found.values()), default=0.0)
    names = {name for _, parts in found.values() for name in parts}
    return found | {EVERYWHERE: (lowest, {name: min(parts[name] for _, parts in found.values()) for name in names})}


def lost_points(scored: Score) -> list[str]:
    """What holds and lowers a score, in sentences, the cap first."""
    told = [held.told for held in scored.caps[:1] if scored.is_held]
    parts = [part for part in scored.parts if part.detail]
    return told + [
        f"{part.name} {part.score:.0f}: {'; '.join(part.detail)}"
        for part in sorted(parts, key=lambda part: -part.points)
    ]


def _asked(expected: Mapping[str, str], results: Mapping[str, sa.Row]) -> list[Finding]:
    """One finding per check that should have run; `outcome` is None where it has no result."""
    found = []
    for name, dimension in expected.items():
        row = results.get(name)
        found.append(
            Finding(
                check=name,
                table=CheckResult.table_of(name),
                dimension=dimension,
                severity=row.severity if row else "error",
                outcome=row.outcome if row else None,
                failing_rows=row.failing_rows if row else None,
                title=row.title if row else "",
                owner=row.owner if row else "",
                told=f"not asked: {row.error}" if row and row.outcome == "skipped" else "",
                todo=row.mend if row else "",
            )
        )
    return found


def _kept(scores: Mapping[str, Score], advice: Mapping[str, list[Advice]]) -> list[Metric]:
    """What the report of the run tells of its scores."""
    kept: list[Metric] = []
    for league, scored in scores.items():
        kept.append(_row(league, "health", scored.score, [held.as_json() for held in scored.caps]))
        kept += [_row(league, "health_part", part.score, [part.as_json()], part.name) for part in scored.parts]
        kept.append(_row(league, "health_missing", len(scored.missing), scored.missing))
        kept += [
            _row(league, "health_advice", each.points, [each.as_json()], f"{place:02d}")
            for place, each in enumerate(advice[league][:KEPT_ADVICE], start=1)
        ]
    return kept


def _row(league: str, name: str, value: float, detail: list[Any], subject: str = "") -> Metric:
    return Metric(league=league, metric=name, value=value, subject=subject, detail=detail)


def _behind(freshness: Freshness | None) -> dict[str, Any]:
    """Days by which matches lie behind the schedule; without a schedule the age of the newest one."""
    if freshness is None:
        return measure(UNKNOWN_DAYS, ["the league is not in the candidate"])
    days = freshness.age_days if freshness.lag_days is None else freshness.lag_days
    return measure(days if days is not None and math.isfinite(days) else UNKNOWN_DAYS, [freshness.told()])
