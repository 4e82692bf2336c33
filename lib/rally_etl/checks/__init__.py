"""Checks: SQL queries that return the rows that are wrong, run on the candidate before anybody sees it."""

from __future__ import annotations

from rally_etl.checks.evidence import validation_measures
from rally_etl.checks.files import Check, read_check, read_checks, require_proofs
from rally_etl.checks.results import CheckResult
from rally_etl.checks.running import RunFacts, run_check
from rally_etl.checks.suite import (
    audit,
    blocking_failures,
    blocking_on_live,
    check_candidate,
    check_live,
    run_checks,
)

__all__ = [
    "Check",
    "CheckResult",
    "RunFacts",
    "audit",
    "blocking_failures",
    "blocking_on_live",
    "check_candidate",
    "check_live",
    "read_check",
    "read_checks",
    "require_proofs",
    "run_check",
    "run_checks",
    "validation_measures",
]
