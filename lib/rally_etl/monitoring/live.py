"""The health of the live database now."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from rally_etl.checks.remembered import told_remembered
from rally_etl.checks.results import CheckResult
from rally_etl.checks.selection import Selection
from rally_etl.checks.suite import check_live
from rally_etl.database.engine import read_only
from rally_etl.errors import UsageError
from rally_etl.monitoring.advice import Advice, advise, advise_all
from rally_etl.monitoring.anomaly_params import read_watching
from rally_etl.monitoring.health import WORST, Finding, Score, score, worst_parts
from rally_etl.monitoring.health_findings import Around, findings_of, in_season, known_of, look_around
from rally_etl.monitoring.health_params import HealthParams, level_of, read_health_params
from rally_etl.monitoring.judging import live_anomalies
from rally_etl.monitoring.keeping import store_look
from rally_etl.planning import league_ids
from rally_etl.settings import Settings

_HAS_LEAGUES = sa.text("select to_regclass('public.leagues') is not null")


def health_live(
    engine: sa.Engine,
    settings: Settings,
    as_of: dt.date | None = None,
    *,
    league: str = "",
    fresh: bool = False,
    tell: Callable[[str], None] = lambda _text: None,
) -> dict[str, Any]:
    """The health of the live database now, as ``health --json`` prints it; the total is that of the worst league.

    A look at all leagues as of today is kept in the ledger with its metrics, for trends, and judged by past looks:
    ``unusual`` has the sentences by league.

    Args:
        as_of: the day that counts as today; None is today in UTC.
        league: key; only this one is looked at.
        fresh: ask every check anew, also where no row has changed since an earlier look.
        tell: takes a sentence on what is remembered, and on what could not be kept.

    Raises:
        UsageError: there is no such league, or params cannot be read.
    """
    started = time.perf_counter()
    params = read_health_params(settings.params_dir / "health.yaml")
    read_watching(settings.params_dir)  # a mistake in it is told before anything is looked at or kept
    today = dt.datetime.now(dt.UTC).date()
    with read_only(engine, "public", one_moment=True) as connection:
        if not connection.scalar(_HAS_LEAGUES):
            return _nothing("this database has no table leagues: it is none of Rally's, or nothing is in it yet")
        ids = league_ids(connection, settings)
        if league and league not in ids:
            raise UsageError(
                f"live has no league {league!r}; nothing was looked at\nhint: it has {', '.join(sorted(ids))}"
            )
        if not ids:
            return _nothing("there is no league in this database: nothing was imported yet")
        around = look_around(connection, settings, as_of or today)
    selection = Selection(frozenset([league] if league else []))
    results = check_live(engine, settings, as_of, selection=selection, remember=True, fresh=fresh)
    if told := told_remembered(results):
        tell(f"{told}; --fresh asks them anew")
    wanted = {key: value for key, value in sorted(ids.items()) if league in ("", key)}
    scores, advice = _scores(params, around, wanted, results)
    found = _document(params, around, wanted, scores, advice)
    if not league and as_of in (None, today):
        seconds = time.perf_counter() - started
        look, notes = store_look(engine, settings, found, results, known_of(around), as_of=today, seconds=seconds)
        found["unusual"] = live_anomalies(engine, settings, look) if look is not None else {}
        for note in notes:
            tell(note)
    return found


def _scores(
    params: HealthParams, around: Around, ids: Mapping[str, int], results: Iterable[CheckResult]
) -> tuple[dict[str, Score], dict[str, list[Advice]]]:
    by_league: dict[str, list[Finding]] = {league: [] for league in ids}
    for result in results:
        if result.league in by_league:
            by_league[result.league].append(_finding_of(result))
    scores, advice = {}, {}
    for league, league_id in ids.items():
        is_in_season = in_season(params, around, league_id)
        findings = findings_of(params, around, league, league_id, by_league[league])
        scores[league] = score(params, findings, in_season=is_in_season)
        advice[league] = advise(params, scores[league], in_season=is_in_season)
    return scores, advice


def _document(
    params: HealthParams,
    around: Around,
    ids: Mapping[str, int],
    scores: Mapping[str, Score],
    advice: Mapping[str, list[Advice]],
) -> dict[str, Any]:
    leagues = {}
    for league, scored in scores.items():
        leagues[league] = {
            "health_score": scored.score,
            "level": scored.level,
            "without_caps": scored.mean,
            "days_since_newest_match": around.fresh[ids[league]].age_days if ids[league] in around.fresh else None,
            "parts": [part.as_json() for part in scored.parts],
            "caps": [held.as_json() for held in scored.caps],
            "missing": scored.missing,
            "recommendations": [each.as_json() for each in advice[league]],
        }
    lowest = min(each.score for each in scores.values())
    return {
        "health_score": lowest,
        "level": level_of(params, lowest),
        "leagues": leagues,
        "parts": worst_parts(params, scores),
        "caps": _together(scores),
        "missing": list(dict.fromkeys(text for scored in scores.values() for text in scored.missing)),
        "recommendations": advise_all(advice),
    }


def _together(scores: Mapping[str, Score]) -> list[dict[str, Any]]:
    """The caps of all leagues, the lowest first."""
    caps = [held.as_json() | {"league": league} for league, scored in scores.items() for held in scored.caps]
    return sorted(caps, key=lambda cap: (cap["score"], cap["cap"], cap["league"]))


def _nothing(why: str) -> dict[str, Any]:
    """The document of a database of which there is nothing to say."""
    todo = {
        "check": "leagues/has_rows", "points": 100.0, "score_after": 100.0, "failing_rows": None, "rows": 0,
        "what": why, "should": "The database has leagues", "command": "rally-etl db url", "leagues": [],
        "todo": "Look at the address of the database, then import a scrape",
    }  # fmt: skip
    empty: dict[str, Any] = {"leagues": {}, "parts": [], "caps": [], "missing": [why], "recommendations": [todo]}
    return {"health_score": WORST, "level": "critical"} | empty


def _finding_of(result: CheckResult) -> Finding:
    return Finding(
        check=result.check,
        table=result.table,
        dimension=result.dimension,
        severity=result.severity,
        outcome=result.outcome,
        failing_rows=result.failing_rows,
        title=result.title,
        owner=result.owner,
        told=f"not asked: {result.error}" if result.outcome == "skipped" else "",
        todo=result.mend,
    )
