"""Monitoring: the health of a league as one number with its parts, and how old its newest match is."""

from __future__ import annotations

from rally_etl.measures import store_metrics
from rally_etl.monitoring.advice import Advice, advise
from rally_etl.monitoring.evidence import monitoring_measures
from rally_etl.monitoring.freshness import Freshness, read_freshness
from rally_etl.monitoring.health import Finding, Part, Score, score
from rally_etl.monitoring.health_params import HealthParams, level_of, read_health_params
from rally_etl.monitoring.keeping import store_candidate, store_end, store_look
from rally_etl.monitoring.live import health_live
from rally_etl.monitoring.unusual import anomaly_measures, live_anomalies

__all__ = [
    "Advice",
    "Finding",
    "Freshness",
    "HealthParams",
    "Part",
    "Score",
    "advise",
    "anomaly_measures",
    "health_live",
    "level_of",
    "live_anomalies",
    "monitoring_measures",
    "read_freshness",
    "read_health_params",
    "score",
    "store_candidate",
    "store_end",
    "store_look",
    "store_metrics",
]
