"""Look for everything that a repair could mend with certainty; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.database.engine import read_only
from rally_etl.database.references import read_reference_params
from rally_etl.planning import operations
from rally_etl.planning.operations import REHEARSAL
from rally_etl.protection.automatic import references
from rally_etl.protection.automatic.problems import PROBLEMS, Found
from rally_etl.protection.automatic.raising import is_certain
from rally_etl.protection.automatic.standings import find_missing
from rally_etl.protection.automatic.taken_back import constraint_key, row_key, standings_key
from rally_etl.protection.constraints.keys import Finding, find_constraints
from rally_etl.protection.finding import find_orphans
from rally_etl.protection.mending.proposals import propose
from rally_etl.protection.sequences import find_behind

if TYPE_CHECKING:
    from rally_etl.settings import Settings

_FOLDED = sa.text(
    "select table_name, row_key, evidence, league from etl.repairs where run_id = :run and state = 'planned'"
    " order by number"
)


def look(engine: sa.Engine, settings: Settings, as_of: date) -> list[Found]:
    """Everything that could be mended now, whoever allows it, in the order of `PROBLEMS`.

    What is not certain is no known problem: it is asked (`rally-etl reviews`).

    Args:
        as_of: the day on which the season is judged.

    Raises:
        UsageError: a file of params cannot be read.
    """
    params = read_reference_params(settings.params_dir / "references.yaml")
    with read_only(engine, "public") as connection:
        if not connection.scalar(sa.text("select exists (select from leagues)")):
            return []  # no run is possible yet; `rally-etl constraints --repair` mends an empty database
        behind = [each for each in find_behind(connection, params) if is_certain(each)]
        found = [Found("sequences_behind", "*", each.sequence, each.told) for each in behind]
        constraints = find_constraints(connection, settings)
        found += _of_constraints(constraints)
        repairs = propose(connection, settings, find_orphans(connection, settings))
        for each in repairs:
            if problem := references.problem_of(each):
                found.append(Found(problem, each.league, references.key_of(each), each.evidence))
        found += [
            Found("standings_missing", each.league, standings_key(each.team_id), f"{each.team} has played")
            for each in find_missing(connection, settings, as_of)
        ]
    if any(each.kind == "violated" for each in constraints):
        found += _doubled(engine, settings)
    order = list(PROBLEMS)
    return sorted(found, key=lambda each: (order.index(each.problem), each.league, each.key))


def _of_constraints(found: list[Finding]) -> Iterator[Found]:
    """Constraints to add that every row keeps to, and constraints to drop."""
    violated = {(each.table, each.columns) for each in found if each.kind == "violated"}
    for each in found:
        if each.kind == "contradicted":
            yield Found("constraints_contradicted", "*", f"{each.table}: {each.name}", each.told)
        elif each.kind not in ("missing", "partial", "invalid") or each.mend.startswith("nothing"):
            continue
        elif (each.table, each.columns) not in violated:
            yield Found("constraints_missing", "*", constraint_key(each.table, each.columns), each.told)


def _doubled(engine: sa.Engine, settings: Settings) -> list[Found]:
    """Rows that a plan would make one; only the plan itself can tell what is certain, so it is made and forgotten."""
    from rally_etl.protection.constraints.plan import KIND

    operation = {"kind": "constraints", "problem": "rows_doubled", "by": "a look", "reason": "a look", "again": True}

    def planned(connection: sa.Connection) -> list[Found]:
        rows = connection.execute(_FOLDED, {"run": REHEARSAL})
        return [Found("rows_doubled", row.league, row_key(row.table_name, row.row_key), row.evidence) for row in rows]

    kinds: Mapping[str, Any] = {"constraints": KIND}
    keys = operations.leagues_of(engine, settings, operation, kinds)
    return operations.rehearse(engine, settings, operation, keys, kinds, planned)
