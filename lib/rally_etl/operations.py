"""Everything that a run can do without a scrape."""

from __future__ import annotations

from rally_etl import planning, protection

KINDS = {**planning.operations.KINDS, **protection.KINDS}
"""Kind of ``etl.runs.operation`` -> how it is told, which leagues it concerns, how it is planned."""
