"""What a check found, and its place in the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

SAMPLE_ROWS = 100
"""Failing rows that are kept and shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check on one league.

    Attributes:
        failing_rows: None when the query could not run.
        threshold: failing rows that are tolerated.
        sample: the first failing rows, each a dictionary that JSON can hold.
    """

    check: str
    league: str
    severity: str
    dimension: str
    title: str
    outcome: str
    failing_rows: int | None = None
    threshold: float = 0.0
    seconds: float = 0.0
    error: str | None = None
    sample: list[dict[str, Any]] = field(default_factory=list)

    @property
    def table(self) -> str:
        """The table whose rows were checked."""
        return self.table_of(self.check)

    @staticmethod
    def table_of(check: str) -> str:
        """The table in the name of a check: `teams/name_is_unique`, `constraint/teams.not_null`."""
        folder, _, statement = check.partition("/")
        return statement.partition(".")[0] if folder == "constraint" else folder

    @property
    def blocks(self) -> bool:
        """Whether it keeps a league from being published: failed, or could not say."""
        return self.outcome in ("failed", "errored")

    def as_json(self) -> dict[str, Any]:
        """The entry of ``check --json``."""
        return {
            "check": self.check,
            "league": self.league,
            "outcome": self.outcome,
            "severity": self.severity,
            "dimension": self.dimension,
            "title": self.title,
            "failing_rows": self.failing_rows,
            "threshold": self.threshold,
            "seconds": round(self.seconds, 4),
            "error": self.error,
            "sample": self.sample,
        }


def outcome_of(severity: str, failing_rows: int, threshold: float) -> str:
    """Word for a query that ran."""
    if failing_rows <= threshold:
        return "passed"
    return "failed" if severity == "error" else "warned"


def write_results(engine: sa.Engine, run_id: str, results: Iterable[CheckResult]) -> None:
    """Keep the results of a run in the ledger; a second audit of the run replaces the first."""
    rows = [
        {"league": each.league, "check_name": each.check, "severity": each.severity, "outcome": each.outcome,
         "failing_rows": each.failing_rows, "threshold": each.threshold, "seconds": each.seconds, "error": each.error,
         "sample": each.sample}
        for each in results
    ]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.text("delete from etl.check_results where run_id = :run_id"), {"run_id": run_id})
        connection.execute(
            sa.text(
                "insert into etl.check_results (run_id, league, check_name, severity, outcome, failing_rows, threshold,"
                " seconds, error, sample)"
                " select :run_id, r.* from jsonb_to_recordset(cast(:rows as jsonb)) as r(league text, check_name text,"
                " severity text, outcome text, failing_rows bigint, threshold double precision,"
                " seconds double precision, error text, sample jsonb)"
            ),
            {"run_id": run_id, "rows": json.dumps(rows)},
        )
