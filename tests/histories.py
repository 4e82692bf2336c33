"""A past in the ledger: runs of some leagues over weeks, with what they measured and what became of them."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

LEAGUES = {"APTA_CHICAGO": 17_500, "CNSWPL": 2_800, "NSTF": 500}
"""League -> match lines of a season."""
FIRST = dt.date(2025, 5, 10)
NEW_SEASON = dt.date(2025, 8, 27)
FILES = {"players": "players", "match_scores": "match_scores", "series_stats": "series_stats", "schedule": "schedules"}
"""Table -> the kind of file that its rows come from; teams have none of their own."""
STAGES = ("baseline", "import", "validation", "integration", "monitoring", "gate")
OF_A_LEAGUE = {"teams": 0.03, "players": 0.4, "schedule": 0.27, "match_scores": 1.0, "series_stats": 0.03}
"""Table -> its rows, as a share of the match lines of a season."""


def write_history(
    connection: sa.Connection,
    runs: int,
    leagues: Mapping[str, int] = LEAGUES,
    *,
    first: dt.date = FIRST,
    every_days: int = 7,
    refused: Mapping[int, str] | None = None,
) -> list[str]:
    """Write runs, one every so many days, the oldest first; answer their ids.

    All are published but those of *refused*, where one league brings a third less, is unhealthy and stays as it was.
    The first run on or after the new season waits for approval, and gets it.

    Args:
        refused: number of a run, from 0 on -> the league that is refused there.
    """
    chance = random.Random(7)
    refused = refused or {}
    run_ids, metrics, states, runs_rows, files, stages = [], [], [], [], [], []
    for number in range(runs):
        as_of = first + dt.timedelta(days=number * every_days)
        run_id = f"{as_of:%Y%m%d}t0600_{number:04x}"
        run_ids.append(run_id)
        at = f"{as_of} 06:00:00Z"
        bad = refused.get(number, "")
        is_new = as_of >= NEW_SEASON > as_of - dt.timedelta(days=every_days)
        decision = "NO-GO" if bad else "HOLD" if is_new else "GO"
        runs_rows.append({"run_id": run_id, "at": at, "as_of": f"{as_of}", "decision": decision})
        for league, size in leagues.items():
            state = "refused" if league == bad else "verified"
            word = {"refused": "NO-GO"}.get(state, "HOLD" if is_new else "GO")
            states.append({"run_id": run_id, "league": league, "state": state, "decision": word})
            files.append({"run_id": run_id, "league": league, "season": 2025 + (as_of >= NEW_SEASON)})
            found = _measured(chance, size, as_of, is_bad=league == bad)
            metrics += [{"run_id": run_id, "league": league, "stage": "metrics"} | each for each in found]
        seconds = {stage: round(3 + 2 * place + chance.random(), 2) for place, stage in enumerate(STAGES)}
        timed = [("duration", stage, value) for stage, value in seconds.items()]
        timed.append(("duration", "", sum(seconds.values())))
        metrics += [
            {"run_id": run_id, "league": "*", "stage": "after"} | _metric(*each) for each in timed
        ]  # fmt: skip
        healths = [each["value"] for each in metrics[-400 * len(leagues) :]
                   if each["run_id"] == run_id and each["metric"] == "health"]  # fmt: skip
        metrics.append({"run_id": run_id, "league": "*", "stage": "metrics"} | _metric("health", "", min(healths)))
        stages += [{"run_id": run_id, "stage": stage, "ordinal": place} for place, stage in enumerate(STAGES, start=1)]
    for table, rows in (
        ("runs", runs_rows), ("leagues", states), ("files", files), ("stages", stages), ("metrics", metrics),
    ):  # fmt: skip
        for part in _parts(rows):
            connection.execute(_INSERTS[table], {"rows": json.dumps(part)})
    return run_ids


def write_anomaly(connection: sa.Connection, run_id: str, league: str, metric: str, **named: Any) -> None:
    """Write what the monitoring of a run found unusual; `subject`, `value`, `low`, `high` and `told` as *named*."""
    connection.execute(
        _ANOMALY,
        {"run_id": run_id, "league": league, "metric": metric, "subject": "", "kind": "anomaly"} | named,
    )


def _measured(chance: random.Random, size: int, as_of: dt.date, *, is_bad: bool) -> Iterator[dict[str, Any]]:
    played = max(0.02, ((as_of - NEW_SEASON).days % 364) / 250)  # of the season; its last day is long over in May
    share = min(1.0, played)
    less = 0.66 if is_bad else 1.0
    for table, part in OF_A_LEAGUE.items():
        grown = share if table == "match_scores" else 1 + 0.004 * chance.random()
        live = (1 if as_of >= NEW_SEASON else 0) + share if table == "match_scores" else 1.0
        yield _metric("rows", table, round(size * part * live))
        if file := FILES.get(table):
            yield _metric("records", file, round(size * part * grown * less))
    yield _metric("health", "", round(chance.uniform(95.5, 98.5) - (23 if is_bad else 0), 2))
    for part, low in (("completeness", 94), ("uniqueness", 99), ("validity", 96), ("consistency", 95)):
        yield _metric("health_part", part, round(chance.uniform(low, low + 1) - (30 if is_bad else 0), 2))
    yield _metric("coverage", "teams with a schedule", round(chance.uniform(0.97, 0.99), 4))
    yield _metric("coverage", "players with a team", round(chance.uniform(0.995, 1), 4))
    yield _metric("orphans", "", 0)
    yield _metric("days_behind", "", chance.choice([0, 0, 0, 1, 2]))
    yield _metric("days_since_match", "", chance.choice([1, 2, 3]) + (40 if 5 <= as_of.month <= 7 else 0))


def _metric(metric: str, subject: str, value: float) -> dict[str, Any]:
    return {"metric": metric, "subject": subject, "value": value}


def _parts(rows: Sequence[dict[str, Any]], size: int = 20_000) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _insert(sql: str, columns: str) -> sa.TextClause:
    return sa.text(f"{sql} from jsonb_to_recordset(cast(:rows as jsonb)) as r({columns})")


_INSERTS = {
    "runs": _insert(
        "insert into etl.runs (run_id, started_at, finished_at, source, as_of, status, decision, health_score, report)"
        " select run_id, at, at + interval '40 s', 'scrapes/' || as_of, as_of, 'completed', decision, 97,"
        " 'reports/' || run_id || '/index.html'",
        "run_id text, at timestamptz, as_of date, decision text",
    ),
    "leagues": _insert(
        "insert into etl.run_leagues (run_id, league, state, decision, published_at, plan_counts)"
        " select run_id, league, state, decision, case when state = 'verified' then now() end,"
        ' cast(\'{"match_scores": {"insert": 84, "update": 2, "unchanged": 300}}\' as jsonb)',
        "run_id text, league text, state text, decision text",
    ),
    "files": _insert(
        "insert into etl.source_files (run_id, league, kind, path, sha256, records, staged, quarantined, season)"
        " select run_id, league, 'match_scores', league || '/match_scores.json', md5(run_id || league), 300, 300, 0,"
        " season",
        "run_id text, league text, season integer",
    ),
    "stages": _insert(
        "insert into etl.stages (run_id, stage, ordinal, status, started_at, finished_at)"
        " select run_id, stage, ordinal, 'completed', now(), now() + interval '3 s'",
        "run_id text, stage text, ordinal integer",
    ),
    "metrics": _insert(
        "insert into etl.metrics (run_id, league, stage, metric, subject, value)"
        " select run_id, league, stage, metric, subject, value",
        "run_id text, league text, stage text, metric text, subject text, value double precision",
    ),
}
_ANOMALY = sa.text(
    "insert into etl.anomalies (run_id, league, kind, metric, subject, value, expected, low, high, runs, told)"
    " values (:run_id, :league, :kind, :metric, :subject, :value, (cast(:low as double precision) + :high) / 2, :low,"
    " :high, 12, :told)"
)
