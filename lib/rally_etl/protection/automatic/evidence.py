"""Evidence of the stage integration: how much of an automatic repair a person has to approve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.engine import read_only
from rally_etl.measures import Measures, counted, measure
from rally_etl.planning import run_leagues
from rally_etl.planning.operations import of_run
from rally_etl.protection.automatic.policy import FILE
from rally_etl.protection.automatic.problems import PROBLEMS

if TYPE_CHECKING:
    from rally_etl.settings import Settings

_ROWS = sa.text(
    "select table_name, count(distinct row_key) as row_count from etl.repairs"
    " where run_id = :run and state = 'planned' group by 1 order by 1"
)
_CONSTRAINTS = sa.text(
    "select table_name, count(*) as row_count from etl.constraint_changes where run_id = :run group by 1 order by 1"
)


def repair_measures(engine: sa.Engine, settings: Settings, run_id: str) -> Measures:
    """``repairs_to_approve``: all that an automatic repair mends where a person has to approve, else 0."""
    with read_only(engine) as connection:
        operation = of_run(connection, run_id) or {}
        leagues = run_leagues(connection, run_id)
        found = measure(*_to_approve(connection, run_id, operation)) if "problem" in operation else measure(0)
    return {league: {"repairs_to_approve": found} for league in leagues}


def _to_approve(connection: sa.Connection, run_id: str, operation: Mapping[str, Any]) -> tuple[int, list[str]]:
    """How many rows, constraints or sequences, and why a person is asked; 0 where nobody is."""
    name = operation["problem"]
    is_about_rows = PROBLEMS[name].one != "constraint"
    planned = dict(connection.execute(_ROWS if is_about_rows else _CONSTRAINTS, {"run": run_id}).all())
    total = sum(planned.values())
    said = f"params/{FILE} ({operation['params_sha256'][:12]})"
    much = counted(total, PROBLEMS[name].one)
    if operation["needs_approval"]:
        return total, [f"{name}: {much}; {said} asks for an approval"]
    if total > operation["at_most"]:
        return total, [f"{name}: {much}; {said} lets at most {operation['at_most']:,} be mended without asking"]
    for table, count in planned.items():
        if operation["share"] is None or not is_about_rows:
            continue
        rows = connection.scalar(sa.text(f"select count(*) from {quote('public', table)}")) or 1
        if count > operation["share"] * rows and count > 1:
            allowed = f"{said} lets {operation['share']:.0%} be mended without asking"
            return total, [f"{name}: {much}, {count / rows:.0%} of {table}; {allowed}"]
    return 0, []
