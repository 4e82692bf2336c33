"""Evidence of the stage monitoring, and the health of the live database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from rally_etl.checks.evidence import expected_checks
from rally_etl.checks.results import CheckResult
from rally_etl.checks.suite import check_live, find_league_ids, run_facts
from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.database.engine import read_only
from rally_etl.measures import Measures, measure, store_metrics
from rally_etl.monitoring.freshness import Freshness, read_freshness
from rally_etl.monitoring.health import (
    Finding,
    HealthParams,
    Part,
    level_of,
    read_health_params,
    score_parts,
    total_score,
)
from rally_etl.monitoring.keeping import store_candidate
from rally_etl.naming import load_leagues
from rally_etl.planning.schema import schemas
from rally_etl.settings import Settings

STAGE = "monitoring"
NO_MATCH_DAYS = 9999
"""Stands for the age of the newest match where there is none: older than any tolerance."""

RowCounts = dict[str, dict[int | None, int]]

_RESULTS = sa.text(
    "select league, check_name, severity, outcome, failing_rows from etl.check_results where run_id = :run_id"
)
_WITH_LEAGUE = sa.text(
    "select c.relname from pg_attribute as a join pg_class as c on c.oid = a.attrelid"
    " where c.relnamespace = to_regnamespace('public') and c.relname = any(:names) and a.attname = 'league_id'"
    " and c.relname <> 'leagues' and not a.attisdropped"
)


def monitoring_measures(engine: sa.Engine, settings: Settings, run_id: str) -> Measures:
    """Health score and age of the newest match per league of the run's candidate; ``*`` has the lowest score.

    A check that should have run and has no result counts as one that could not run, and is named.

    Raises:
        UsageError: there is no such run, or `params/health.yaml` cannot be used.
    """
    params = read_health_params(settings.params_dir / "health.yaml")
    expected = expected_checks(engine, settings, run_id)
    with read_only(engine, schemas(run_id)[1], "public") as connection:
        facts = run_facts(connection, run_id)
        league_ids = find_league_ids(connection, settings, facts.leagues, run_id)
        counts = count_rows(connection)
        fresh = read_freshness(connection, facts.as_of)
        results = connection.execute(_RESULTS, {"run_id": run_id}).all()
    leagues: Measures = {}
    health: dict[str, tuple[float, dict[str, float]]] = {}
    for league in facts.leagues:
        league_id = league_ids[league]
        found = _findings(expected[league], {row.check_name: row for row in results if row.league == league})
        parts = score_parts(params, found, rows_of(counts, league_id), fresh.get(league_id))
        leagues[league] = {
            "health_score": measure(total_score(params, parts, found), _lost_points(parts)),
            "days_since_newest_match": _age(fresh.get(league_id)),
        }
        health[league] = leagues[league]["health_score"]["value"], {part.name: part.score for part in parts}
    scores = {league: measures["health_score"]["value"] for league, measures in leagues.items()}
    worst = [f"{league}: {score:.1f}" for league, score in sorted(scores.items(), key=lambda each: each[1])]
    leagues["*"] = {"health_score": measure(min(scores.values(), default=0.0), worst)}
    store_metrics(engine, run_id, STAGE, leagues)
    store_candidate(engine, settings, run_id, health | {"*": (leagues["*"]["health_score"]["value"], {})})
    return leagues


def health_live(engine: sa.Engine, settings: Settings, as_of: dt.date | None = None) -> dict[str, Any]:
    """The health of the live database now, as ``health --json`` prints it; the total is that of the worst league.

    Args:
        as_of: the day that counts as today; None is today in UTC.
    """
    params = read_health_params(settings.params_dir / "health.yaml")
    as_of = as_of or dt.datetime.now(dt.UTC).date()
    results = check_live(engine, settings, as_of)
    known = load_leagues(settings.params_dir)
    with read_only(engine, "public") as connection:
        ids = {
            known.canonical(row.league_id) or row.league_id: row.id
            for row in connection.execute(sa.text("select id, league_id from leagues order by id desc"))
        }
        counts = count_rows(connection)
        fresh = read_freshness(connection, as_of)
    leagues: dict[str, dict[str, Any]] = {}
    by_league: dict[str, list[Part]] = {}
    for league, league_id in sorted(ids.items()):
        found = [_finding_of(result) for result in results if result.league == league]
        by_league[league] = score_parts(params, found, rows_of(counts, league_id), fresh.get(league_id))
        score = total_score(params, by_league[league], found)
        leagues[league] = {
            "health_score": score,
            "level": level_of(params, score),
            "days_since_newest_match": fresh[league_id].age_days,
            "parts": [part.as_json() for part in by_league[league]],
        }
    score = min((each["health_score"] for each in leagues.values()), default=0.0)
    return {
        "health_score": score,
        "level": level_of(params, score),
        "leagues": leagues,
        "parts": _worst_parts(params, by_league),
    }


def count_rows(connection: sa.Connection) -> RowCounts:
    """Table -> ``leagues.id`` -> rows, of what *connection* sees; key None counts a table that no league owns."""
    names = {"names": list(IMPORTED)}
    counts: RowCounts = {}
    for table in connection.scalars(_WITH_LEAGUE, names).all():
        rows = connection.execute(sa.text(f"select league_id, count(*) from {quote(table)} group by league_id"))
        counts[table] = dict(rows.all())
    for table in ("leagues", "clubs"):
        counts[table] = {None: connection.scalar(sa.text(f"select count(*) from {quote(table)}"))}
    return counts


def rows_of(counts: Mapping[str, Mapping[int | None, int]], league_id: int | None) -> dict[str, int]:
    """Table -> rows of one league, or of all where the table has no league."""
    return {
        table: by_league.get(league_id, by_league.get(None, 0) if set(by_league) == {None} else 0)
        for table, by_league in counts.items()
    }


def _findings(expected: Mapping[str, str], results: Mapping[str, sa.Row]) -> list[Finding]:
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
            )
        )
    return found


def _finding_of(result: CheckResult) -> Finding:
    return Finding(
        check=result.check,
        table=result.table,
        dimension=result.dimension,
        severity=result.severity,
        outcome=result.outcome,
        failing_rows=result.failing_rows,
    )


def _lost_points(parts: Sequence[Part]) -> list[str]:
    return [
        f"{part.name} {part.score:.0f}: {'; '.join(part.detail) or 'no detail'}" for part in parts if part.score < 100
    ]


def _age(freshness: Freshness | None) -> dict[str, Any]:
    if freshness is None or freshness.age_days is None:
        return measure(NO_MATCH_DAYS, [freshness.told() if freshness else "the league is not in the candidate"])
    return measure(freshness.age_days, [freshness.told()])


def _worst_parts(params: HealthParams, by_league: Mapping[str, Sequence[Part]]) -> list[dict[str, Any]]:
    """Per dimension the part of the league that has least points."""
    parts = []
    for name in params.weights:
        found = [(part.score, league, part) for league, each in by_league.items() for part in each if part.name == name]
        if found:
            _, league, part = min(found, key=lambda entry: entry[:2])
            parts.append(part.as_json() | {"league": league})
    return parts
