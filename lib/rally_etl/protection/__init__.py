"""Protection of what users wrote: what it points at, what became of it, how it is mended, whoever imports."""

from __future__ import annotations

from rally_etl.database.references import Reference, ReferenceParams, find_references, read_reference_params
from rally_etl.planning.operations import Kind
from rally_etl.protection.automatic.raising import KIND as SEQUENCES
from rally_etl.protection.automatic.standings import KIND as STANDINGS
from rally_etl.protection.baseline import baseline_measures, check_params
from rally_etl.protection.constraints.keys import find_constraints
from rally_etl.protection.constraints.plan import KIND as CONSTRAINTS
from rally_etl.protection.evidence import integration_measures
from rally_etl.protection.finding import find_orphans
from rally_etl.protection.guard.plan import KIND as GUARD
from rally_etl.protection.identity import is_same_thing
from rally_etl.protection.live import verify_users
from rally_etl.protection.memory import note_users
from rally_etl.protection.mending.plan import KIND as ORPHANS
from rally_etl.protection.stored.plan import KIND as RESTORE

KINDS: dict[str, Kind] = {
    "orphans": ORPHANS,
    "constraints": CONSTRAINTS,
    "sequences": SEQUENCES,
    "standings": STANDINGS,
    "guard": GUARD,
    "restore": RESTORE,
}
"""What protection can do without a scrape: mend references, mend constraints, raise sequences, compute standings, take
over what a guarded command made, go back to a snapshot."""

__all__ = [
    "KINDS",
    "Reference",
    "ReferenceParams",
    "baseline_measures",
    "check_params",
    "find_constraints",
    "find_orphans",
    "find_references",
    "integration_measures",
    "is_same_thing",
    "note_users",
    "read_reference_params",
    "verify_users",
]
