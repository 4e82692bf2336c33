"""The table of metrics: what is measured of each league, per run and per look at live, and what was measured before."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import sqlalchemy as sa

from rally_etl.errors import RallyEtlError, UsageError

EVERYWHERE = "*"
"""Stands for the league where a metric is of the database or the run as a whole."""

Unit = Literal["rows", "records", "share", "days", "points", "bytes", "seconds", "milliseconds", "connections"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a metric is: how it is told, in which unit, and which way is bad.

    Attributes:
        subject: what the subject names (`table`, `series`, ...); "" where the metric has none.
        worse: the direction that a person wants to hear of; `both` where either is odd.
        absent: what it says that a subject has no row at a time. "": nothing. `zero`: 0, for zeros are not stored,
            where the total was measured. `gone`: of a part (`teams/Series 7`), 0 from the first time that it was
            there, where its whole (`teams`) was measured.
    """

    told: str
    unit: Unit
    subject: str = ""
    worse: Literal["up", "down", "both"] = "both"
    absent: Literal["", "zero", "gone"] = ""


KINDS: dict[str, Kind] = {
    "rows": Kind(told="rows", unit="rows", subject="table", worse="down"),
    "rows_active": Kind(told="rows in use", unit="rows", subject="table", worse="down"),
    "rows_of_series": Kind(told="rows of a series", unit="rows", subject="table/series", worse="down", absent="gone"),
    "records": Kind(told="records of a scraped file", unit="records", subject="kind", worse="down"),
    "records_of_series": Kind(
        told="rows of a series in a file", unit="records", subject="kind/series", worse="down", absent="gone"
    ),
    "quarantined": Kind(told="records kept aside", unit="share", subject="kind", worse="up"),
    "damaged": Kind(told="records kept aside that are damaged", unit="share", subject="kind", worse="up"),
    "check_rate": Kind(told="rows that fail a check", unit="share", subject="check", worse="up", absent="zero"),
    "orphans": Kind(
        told="users' rows that lost what they are about", unit="rows", subject="reference", worse="up", absent="zero"
    ),
    "kept": Kind(told="users' rows that mean what they meant", unit="share", worse="down"),
    "agreement": Kind(told="facts that two sources tell alike", unit="share", subject="agreement", worse="down"),
    "coverage": Kind(told="rows that have what belongs to them", unit="share", subject="what", worse="down"),
    "days_since_match": Kind(told="age of the newest match", unit="days", worse="up"),
    "days_since_due": Kind(told="age of the newest match that was due", unit="days", worse="both"),
    "days_behind": Kind(told="matches behind the schedule", unit="days", worse="up"),
    "health": Kind(told="health score", unit="points", worse="down"),
    "health_part": Kind(told="health of a dimension", unit="points", subject="dimension", worse="down"),
    "database_size": Kind(told="size of the database", unit="bytes", worse="up"),
    "dead_rows": Kind(told="dead rows", unit="share", subject="table", worse="up"),
    "connections": Kind(told="open connections", unit="connections", worse="up"),
    "cache_hits": Kind(told="blocks found in memory", unit="share", worse="down"),
    "slowest_statement": Kind(told="mean time of the slowest statement", unit="milliseconds", worse="up"),
    "duration": Kind(told="duration of a stage", unit="seconds", subject="stage", worse="up"),
}
"""Every metric there is, by name. The subject `""` is the total over the subjects, where there is one.

`docs/metrics.md` says of each where it comes from.
"""

STAGE = "metrics"
"""Stands for the stage of what is measured here, beside the measures that notebooks glue under their own."""
STAGE_AFTER = "after"
"""The same for what is known only when the run has ended: durations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number: of a league (or `EVERYWHERE`), a metric of `KINDS`, and a subject."""

    league: str
    metric: str
    value: float
    subject: str = ""
    detail: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One metric of one league and subject at one run or look.

    Attributes:
        at: when it was measured (UTC); `as_of`: the day it stands for.
        is_good: it became live, so it may say what is usual.
    """

    at: dt.datetime
    as_of: dt.date
    value: float
    is_good: bool
    run_id: str | None = None
    look: int | None = None


def store(
    connection: sa.Connection,
    metrics: Iterable[Metric],
    *,
    run_id: str | None = None,
    look: int | None = None,
    stage: str = STAGE,
) -> None:
    """Keep the metrics of a run or of a look; a second call for the same run or look and stage replaces the first.

    Raises:
        RallyEtlError: a metric of the stages that trends are drawn from is none of `KINDS`, or a value is no number.
    """
    metrics = list(metrics)
    for each in metrics:
        if stage in (STAGE, STAGE_AFTER) and each.metric not in KINDS:
            raise RallyEtlError(f"there is no metric {each.metric}; nothing was stored\nhint: add it to KINDS")
        if not math.isfinite(each.value):
            raise RallyEtlError(
                f"{each.metric} {each.subject} of {each.league} is {each.value}, which is no number; nothing was stored"
                "\nhint: leave out what cannot be measured"
            )
    key = {"run": run_id, "look": look, "stage": stage}
    connection.execute(_FORGET, key)
    connection.execute(_STORE, key | {"rows": json.dumps(_folded(metrics), allow_nan=False)})


def read_history(
    connection: sa.Connection,
    league: str,
    metrics: Sequence[str],
    *,
    looks: bool = False,
    runs: int = 400,
) -> dict[tuple[str, str], list[Point]]:
    """Metric and subject -> its points over the newest *runs* of a league, the oldest first.

    What is not stored since it is 0 (`Kind.absent`) is there, as 0.

    Args:
        looks: looks at live too; without, only runs that brought a scrape.

    Raises:
        UsageError: there is no such metric.
    """
    if unknown := set(metrics) - KINDS.keys():
        raise UsageError(
            f"there is no metric {sorted(unknown)[0]}; nothing was read\nhint: there are {', '.join(KINDS)}"
        )
    found: dict[tuple[str, str], list[Point]] = {}
    unknown: dict[tuple[str, dt.datetime], list[str]] = {}
    binds = {"league": league, "metrics": list(metrics), "looks": looks, "runs": runs}
    rows = connection.execute(_HISTORY, binds)
    for metric, subject, at, as_of, value, is_good, run_id, look, named in rows:
        point = Point(at=at, as_of=as_of, value=value, is_good=is_good, run_id=run_id, look=look)
        found.setdefault((metric, subject), []).append(point)
        if named:
            unknown[metric, at] = named
    for (metric, subject), points in found.items():
        whole = whole_of(metric, subject)
        if whole is not None:
            there = {point.at for point in points}
            first = min(there) if KINDS[metric].absent == "gone" else None
            points += [
                replace(measured, value=0.0)
                for measured in found.get((metric, whole), ())
                if measured.at not in there
                and (first is None or measured.at > first)
                and subject not in unknown.get((metric, measured.at), ())
            ]
            points.sort(key=lambda point: point.at)
    return found


def _folded(metrics: Iterable[Metric]) -> list[dict[str, Any]]:
    """Rows of the table: the parts of a whole are in its row, where it has one."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for each in metrics:
        row = {"league": each.league, "metric": each.metric, "subject": each.subject, "value": float(each.value)}
        rows[each.league, each.metric, each.subject] = row | {"detail": each.detail, "parts": {}}
    for (league, metric, subject), row in list(rows.items()):
        whole = whole_of(metric, subject)
        if whole is not None and (league, metric, whole) in rows:
            del rows[league, metric, subject]
            value = int(row["value"]) if row["value"].is_integer() else row["value"]
            rows[league, metric, whole]["parts"][subject.removeprefix(f"{whole}/") if whole else subject] = value
    return [row | {"parts": row["parts"] or None} for row in rows.values()]


def whole_of(metric: str, subject: str) -> str | None:
    """The subject whose row tells that this one was measured, of a metric where a missing row says something.

    None of a subject that is itself a whole, and of metrics where a missing row says nothing.
    """
    absent = KINDS[metric].absent if metric in KINDS else ""
    whole = subject.partition("/")[0] if absent == "gone" else ""
    return whole if absent and subject != whole else None


def metrics_document(connection: sa.Connection, run_id: str) -> dict[str, Any]:
    """The metrics of a run as `metrics.json` of its report has them: one object each, with unit and meaning."""
    rows = connection.execute(_OF_RUN, {"run": run_id, "stages": [STAGE, STAGE_AFTER]}).all()
    return {
        "run_id": run_id,
        "as_of": connection.scalar(_AS_OF, {"run": run_id}),
        "metrics": [
            {
                "league": row.league,
                "metric": row.metric,
                "subject": row.subject,
                "value": row.value,
                "unit": KINDS[row.metric].unit,
                "told": KINDS[row.metric].told,
                "detail": row.detail,
            }
            for row in rows
            if row.metric in KINDS
        ],
    }


_OF_RUN = sa.text(
    "select league, metric, subject, value, detail from etl.metric_history"
    " where run_id = :run and stage = any(:stages) order by league, metric, subject"
)
_AS_OF = sa.text("select cast(as_of as text) from etl.runs where run_id = :run")
_FORGET = sa.text(
    "delete from etl.metrics where stage = :stage and (run_id = cast(:run as text) or look = cast(:look as bigint))"
)
_STORE = sa.text(
    "insert into etl.metrics (run_id, look, league, stage, metric, subject, value, detail, parts)"
    " select cast(:run as text), cast(:look as bigint), r.league, :stage, r.metric, r.subject, r.value, r.detail,"
    " r.parts"
    " from jsonb_to_recordset(cast(:rows as jsonb))"
    " as r(league text, metric text, subject text, value double precision, detail jsonb, parts jsonb)"
)
_HISTORY = sa.text(
    """
    with newest as (
        select distinct coalesce(r.started_at, l.at) as at
        from etl.metrics as m
        left join etl.runs as r on r.run_id = m.run_id
        left join etl.looks as l on l.look = m.look
        where m.league = :league and m.metric = any(:metrics) and m.stage in ('metrics', 'after')
            and (r.run_id is not null and r.operation is null or m.look is not null and :looks)
        order by at desc limit :runs)
    select
        h.metric, h.subject, h.at, h.as_of, h.value, h.is_good, h.run_id, h.look,
        case when h.subject = '' then h.detail end as unknown
    from etl.metric_history as h
    where h.league = :league and h.metric = any(:metrics) and h.stage in ('metrics', 'after')
        and (h.is_import or h.look is not null and :looks) and h.at >= (select min(at) from newest)
    order by h.metric, h.subject, h.at
    """
)
