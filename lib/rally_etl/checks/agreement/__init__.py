"""Agreements: where two files of a scrape, or two scrapes, tell the same fact, how much they tell alike."""

from __future__ import annotations

from rally_etl.checks.agreement.comparing import Compared, compare_sources
from rally_etl.checks.agreement.declared import Agreement, read_agreements
from rally_etl.checks.agreement.evidence import agreement_measures

__all__ = ["Agreement", "Compared", "agreement_measures", "compare_sources", "read_agreements"]
