"""Monitoring: the health of a league as one number with its parts, and how old its newest match is."""

from __future__ import annotations

from rally_etl.measures import store_metrics
from rally_etl.monitoring.evidence import health_live, monitoring_measures
from rally_etl.monitoring.freshness import Freshness, read_freshness
from rally_etl.monitoring.health import (
    Finding,
    HealthParams,
    Part,
    level_of,
    read_health_params,
    score_parts,
    total_score,
)
from rally_etl.monitoring.keeping import store_candidate, store_end, store_look
from rally_etl.monitoring.unusual import anomaly_measures, live_anomalies

__all__ = [
    "Finding",
    "Freshness",
    "HealthParams",
    "Part",
    "anomaly_measures",
    "health_live",
    "level_of",
    "live_anomalies",
    "monitoring_measures",
    "read_freshness",
    "read_health_params",
    "score_parts",
    "store_candidate",
    "store_end",
    "store_look",
    "store_metrics",
    "total_score",
]
