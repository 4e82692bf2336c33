"""Metrics that the ledger tells of a run: what its files held, what was kept aside, what agreed, how long it took."""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa

from rally_etl.checks.results import CheckResult
from rally_etl.monitoring.metrics import EVERYWHERE, Metric

_FILES = sa.text(
    "select league, kind, records, coalesce(quarantined, 0) as quarantined, coalesce(faults, 0) as faults"
    " from etl.source_files where run_id = :run and records is not null order by league, kind"
)
_VOLUMES = sa.text(
    "select league, kind, series, sum(row_count) as row_count from etl.volumes"
    " where run_id = :run group by 1, 2, 3 order by 1, 2, 3"
)
_AGREEMENTS = sa.text(
    "select league, name, agreeing, compared from etl.agreements"
    " where run_id = :run and compared > 0 and outcome not in ('errored', 'skipped') order by league, name"
)
_KEPT = sa.text(
    "select sum(same + renamed + repointed) as kept,"
    " sum(same + renamed + repointed + changed + gone + lost + moved + emptied) as were"
    " from etl.accounts where run_id = :run and moment = 'candidate'"
)
_CHECKED = sa.text(
    "select league, check_name, severity, outcome, failing_rows from etl.check_results where run_id = :run"
)
_STAGES = sa.text(
    "select stage, extract(epoch from finished_at - started_at) as seconds from etl.stages"
    " where run_id = :run and started_at is not null and finished_at is not null order by ordinal"
)


def file_metrics(connection: sa.Connection, run_id: str) -> list[Metric]:
    """`records`, `quarantined`, `damaged` and `records_of_series` of each league and kind that the run has read."""
    found = []
    total: dict[str, Counter[str]] = {}
    for row in connection.execute(_FILES, {"run": run_id}):
        counts = Counter(records=row.records, quarantined=row.quarantined, damaged=row.faults)
        found += _of_file(row.league, row.kind, counts)
        total.setdefault(row.league, Counter()).update(counts)
    for league, counts in total.items():
        found += _of_file(league, "", counts)
    whole: dict[tuple[str, str], int] = {}
    for row in connection.execute(_VOLUMES, {"run": run_id}):
        whole[row.league, row.kind] = whole.get((row.league, row.kind), 0) + int(row.row_count)
        subject = f"{row.kind}/{row.series}"
        found.append(Metric(league=row.league, metric="records_of_series", subject=subject, value=int(row.row_count)))
    found += [
        Metric(league=league, metric="records_of_series", subject=kind, value=count)
        for (league, kind), count in whole.items()
    ]
    return found


def agreement_metrics(connection: sa.Connection, run_id: str) -> list[Metric]:
    """`agreement` of each league and pair of sources that was compared."""
    return [
        Metric(league=row.league, metric="agreement", subject=row.name, value=row.agreeing / row.compared)
        for row in connection.execute(_AGREEMENTS, {"run": run_id})
    ]


def kept_metrics(connection: sa.Connection, run_id: str) -> list[Metric]:
    """`kept`: of the users' rows and references before the run, those that are and mean the same in its candidate."""
    row = connection.execute(_KEPT, {"run": run_id}).one()
    return [Metric(league=EVERYWHERE, metric="kept", value=float(row.kept / row.were))] if row.were else []


def read_results(connection: sa.Connection, run_id: str) -> list[CheckResult]:
    """The results of the run's checks, without samples."""
    return [
        CheckResult(
            check=row.check_name,
            severity=row.severity,
            dimension="",
            title="",
            league=row.league,
            outcome=row.outcome,
            failing_rows=row.failing_rows,
        )
        for row in connection.execute(_CHECKED, {"run": run_id})
    ]


def duration_metrics(connection: sa.Connection, run_id: str) -> list[Metric]:
    """`duration` of each stage that has ended, and of all of them: a run may wait for days between two of its steps."""
    seconds = {row.stage: float(row.seconds) for row in connection.execute(_STAGES, {"run": run_id})}
    if seconds:
        seconds[""] = sum(seconds.values())
    return [
        Metric(league=EVERYWHERE, metric="duration", subject=stage, value=value) for stage, value in seconds.items()
    ]


def _of_file(league: str, kind: str, counts: Counter[str]) -> list[Metric]:
    """Of a file without records no share is known."""
    records = counts["records"]
    found = [Metric(league=league, metric="records", subject=kind, value=records)]
    for name in ("quarantined", "damaged") if records else ():
        found.append(Metric(league=league, metric=name, subject=kind, value=counts[name] / records))
    return found
