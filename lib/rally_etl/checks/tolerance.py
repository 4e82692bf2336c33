"""What a run without a scrape may leave as it found it: results beside those of live."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sqlalchemy as sa

from rally_etl.checks.results import CheckResult
from rally_etl.checks.running import RunFacts

OF_CONSTRAINTS = "constraint/"
"""How the names of checks begin that ask for what the live tables' own constraints demand."""

BROUGHT_BACK = "rows that were live before come back"
NO_WORSE = "live fails it already, on as many rows or more"
"""Why something that fails is only a warning."""

_LEFT_AS_IT_WAS = sa.text(
    "select check_name, cast(threshold as bigint) from etl.check_results"
    " where run_id = :run_id and league = :league and severity = 'error' and outcome = 'warned' and error is not null"
)


def tolerated(connection: sa.Connection, facts: RunFacts, league: str) -> dict[str, int]:
    """Check -> failing rows that the run may leave as they are."""
    told = {"league": league, "run_id": facts.run_id}
    return {} if facts.is_import else dict(connection.execute(_LEFT_AS_IT_WAS, told).all())


def as_brought_back(results: Iterable[CheckResult]) -> list[CheckResult]:
    """The results of a way back: what fails is a warning, but for what the tables' constraints demand."""
    return [
        replace(result, outcome="warned", threshold=result.failing_rows or 0, error=BROUGHT_BACK)
        if result.outcome == "failed" and not result.check.startswith(OF_CONSTRAINTS)
        else result
        for result in results
    ]


def no_worse_than(live: Iterable[CheckResult], results: Iterable[CheckResult]) -> list[CheckResult]:
    """The results with those as warnings that live fails on as many rows or more."""
    in_live = {(result.check, result.league): result.failing_rows or 0 for result in live}
    return [
        replace(result, outcome="warned", threshold=in_live[result.check, result.league], error=NO_WORSE)
        if result.outcome == "failed" and in_live.get((result.check, result.league), -1) >= (result.failing_rows or 0)
        else result
        for result in results
    ]
