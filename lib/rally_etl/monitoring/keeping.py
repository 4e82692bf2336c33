"""Keeping metrics: of the candidate of a run, of a look at live, and what is known when a run has ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rally_etl.checks.results import CheckResult
from rally_etl.database.engine import clean_message, read_only
from rally_etl.monitoring.freshness import Freshness
from rally_etl.monitoring.metrics import EVERYWHERE, STAGE_AFTER, Metric, store
from rally_etl.monitoring.of_runs import (
    agreement_metrics,
    duration_metrics,
    file_metrics,
    kept_metrics,
    read_results,
)
from rally_etl.monitoring.quality import (
    Health,
    freshness_metrics,
    health_metrics,
    orphan_metrics,
    rate_metrics,
)
from rally_etl.monitoring.server import server_metrics
from rally_etl.monitoring.volumes import (
    Count,
    LeagueIds,
    coverage_metrics,
    rows_of_tables,
    volume_metrics,
)
from rally_etl.naming import load_leagues
from rally_etl.planning import run_leagues
from rally_etl.planning.schema import schemas
from rally_etl.protection.orphans import Orphan
from rally_etl.settings import Settings

WHOLE_DAYS = 30
"""Looks at live are all kept for so many days; then the last one of each day is."""

_LEAGUES = sa.text("select id, league_id from leagues order by id")
_LOOK = sa.text(
    "insert into etl.looks (as_of, health_score, level, seconds) values (:as_of, :score, :level, :seconds)"
    " returning look"
)
_THIN = sa.text(
    "delete from etl.looks as l where l.at < now() - make_interval(days => :days)"
    " and exists (select from etl.looks as n where n.at > l.at and n.at < date_trunc('day', l.at) + interval '1 day')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the health rests on and metrics tell, too.

    Attributes:
        counts, fresh: as `count_tables` and `read_freshness` give them; each of them reads every match line.
        orphans: rows of users in live that lost what they are about.
    """

    counts: Sequence[Count]
    fresh: Mapping[int, Freshness]
    orphans: Sequence[Orphan]


def store_candidate(engine: sa.Engine, settings: Settings, run_id: str, health: Health, known: Known) -> list[Metric]:
    """Collect and keep the metrics of what live would be if the run were published, and of what its files held.

    Args:
        health: of each league of the run, and of `EVERYWHERE`.
        known: of the candidate.
    """
    with read_only(engine, schemas(run_id)[1], "public", one_moment=True) as connection:
        ids = _league_ids(connection, settings)
        leagues = {league: ids.get(league, []) for league in run_leagues(connection, run_id)}
        metrics = _of_rows(leagues, read_results(connection, run_id), known)
        for part in (file_metrics, agreement_metrics, kept_metrics):
            metrics += part(connection, run_id)
    metrics += health_metrics(health)
    with engine.begin() as connection:
        store(connection, metrics, run_id=run_id)
    return metrics


def store_look(
    engine: sa.Engine,
    settings: Settings,
    found: Mapping[str, Any],
    results: Iterable[CheckResult],
    known: Known,
    *,
    as_of: dt.date,
    seconds: float,
) -> tuple[int | None, list[str]]:
    """Collect the metrics of live, and keep them as a look at it.

    Args:
        found: what `health_live` answers.
        results: of all checks on live.
        known: of live.
        seconds: how long the health took to find out.

    Returns:
        number of the look, None where the ledger could not be written; and sentences on what could not be measured.
    """
    with read_only(engine, "public", one_moment=True) as connection:
        metrics = _of_rows(_league_ids(connection, settings), results, known)
        of_server, notes = server_metrics(connection)
    metrics += of_server + health_metrics(_health_of(found))
    try:
        with engine.begin() as connection:
            told = {"as_of": as_of, "score": found["health_score"], "level": found["level"], "seconds": seconds}
            look = connection.scalar(_LOOK, told)
            store(connection, metrics, look=look)
            connection.execute(_THIN, {"days": WHOLE_DAYS})
    except sa.exc.DBAPIError as error:
        return None, [*notes, f"this look at live is not kept, so no trend will show it: {clean_message(error)}"]
    return look, notes


def store_end(engine: sa.Engine, run_id: str) -> None:
    """Keep what is known when a run has ended: how long it took, and what the server says of itself then."""
    with engine.connect() as connection:
        of_server, _ = server_metrics(connection)
        metrics = duration_metrics(connection, run_id)
    with engine.begin() as connection:
        store(connection, metrics + of_server, run_id=run_id, stage=STAGE_AFTER)


def _of_rows(leagues: LeagueIds, results: Iterable[CheckResult], known: Known) -> list[Metric]:
    rows = rows_of_tables(known.counts, leagues)
    return [
        *volume_metrics(known.counts, rows, leagues),
        *coverage_metrics(known.counts, leagues),
        *rate_metrics(results, rows, leagues),
        *freshness_metrics(known.fresh, leagues),
        *orphan_metrics(known.orphans, leagues),
    ]


def _league_ids(connection: sa.Connection, settings: Settings) -> dict[str, list[int]]:
    known = load_leagues(settings.params_dir)
    found: dict[str, list[int]] = {}
    for row in connection.execute(_LEAGUES):
        found.setdefault(known.canonical(row.league_id) or row.league_id, []).append(row.id)
    return found


def _health_of(found: Mapping[str, Any]) -> Health:
    by_league = {
        league: (each["health_score"], {part["part"]: part["score"] for part in each["parts"]})
        for league, each in found["leagues"].items()
    }
    parts = {part["part"]: part["score"] for part in found["parts"]}
    return by_league | {EVERYWHERE: (found["health_score"], parts)}
