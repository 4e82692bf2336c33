"""Evidence of the stage validation: how many checks should have run, how many did, and what they found."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from rally_etl.checks.constraints import candidate_constraints
from rally_etl.checks.suite import Suite, run_facts
from rally_etl.database.engine import read_only
from rally_etl.measures import Measures, measure
from rally_etl.planning.schema import schemas
from rally_etl.settings import Settings

_RESULTS = sa.text(
    "select league, check_name, severity, outcome, failing_rows, error from etl.check_results"
    " where run_id = :run_id order by check_name"
)
_TAKES_BACK_IMPORT = sa.text(
    "select exists (select from etl.runs as r join etl.runs as u on u.run_id = r.operation ->> 'run'"
    " where r.run_id = :run_id and r.operation ->> 'kind' = 'undo'"
    " and coalesce(u.operation ->> 'kind', 'guard') = 'guard')"
)
"""A repair that is taken back brings back what it had mended; an import may have brought what was mended by nobody."""


def validation_measures(engine: sa.Engine, settings: Settings, run_id: str) -> Measures:
    """Measures of the stage per league, from the ledger.

    What should have run is counted from the files and the database's constraints, not from what did run.
    """
    expected = expected_checks(engine, settings, run_id)
    with engine.connect() as connection:
        results = connection.execute(_RESULTS, {"run_id": run_id}).all()
        takes_back = connection.scalar(_TAKES_BACK_IMPORT, {"run_id": run_id})
    return {
        league: _of_league(names, [row for row in results if row.league == league], takes_back)
        for league, names in expected.items()
    }


def expected_checks(engine: sa.Engine, settings: Settings, run_id: str) -> dict[str, dict[str, str]]:
    """League of the run -> name of each check that should run for it -> its dimension."""
    suite = Suite.read(settings)
    with read_only(engine, "public") as connection:
        facts = run_facts(connection, run_id)
        constraints = candidate_constraints(connection, schemas(run_id)[0], run_id)
    of_tables = {constraint.name: constraint.dimension for constraint in constraints}
    return {league: of_tables | suite.dimensions(league) for league in facts.leagues}


def _of_league(names: Mapping[str, str], results: list[sa.Row], takes_back: bool) -> dict[str, dict]:
    expected = set(names)
    skipped = [f"{row.check_name}: {row.error}" for row in results if row.outcome == "skipped" and row.error]
    ran = {row.check_name for row in results if row.outcome != "skipped" or row.error}
    named = {
        outcome: [_told(row) for row in results if row.outcome == outcome]
        for outcome in ("failed", "errored", "warned")
    }
    was_so = [row for row in results if (row.severity, row.outcome) == ("error", "warned") and row.error]
    back = [_told(row) for row in was_so if takes_back]
    measures = {
        "checks_brought_back": measure(len(back), back),
        "checks_expected": measure(len(expected)),
        "checks_run": measure(len(ran & expected), [f"{name} did not run" for name in sorted(expected - ran)]),
        "checks_skipped": measure(len(skipped), skipped),
    }
    return measures | {f"checks_{outcome}": measure(len(texts), texts) for outcome, texts in named.items()}


def _told(row: sa.Row) -> str:
    if row.outcome == "errored":
        return f"{row.check_name}: {row.error}"
    return f"{row.check_name} ({row.failing_rows:,} rows)"
