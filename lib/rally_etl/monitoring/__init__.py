"""Monitoring: what is measured of each league, its health as one number with its parts, and what is unusual or ahead.

- Metrics: `metrics` is their table; `volumes`, `quality`, `of_runs` and `server` measure, `keeping` writes down.
- Health: `health` is the score, `health_findings` what it rests on, `health_params` the file that weighs, `advice` what
  to do about it; `freshness` says how old matches are.
- What is unusual, and what heads for a threshold: `usual` and `forecast` look at one series, `calendar` says which days
  compare, `anomalies` looks at all series of a league, `anomaly_params` is the file that says at which, `anomaly_words`
  tells; `judging` reads and writes the ledger.
- `live` looks at live, `evidence` at the candidate of a run.
"""

from __future__ import annotations

from rally_etl.monitoring.advice import advise
from rally_etl.monitoring.evidence import monitoring_measures
from rally_etl.monitoring.freshness import Freshness
from rally_etl.monitoring.health import Finding, score
from rally_etl.monitoring.health_params import level_of, read_health_params
from rally_etl.monitoring.judging import anomaly_measures
from rally_etl.monitoring.keeping import store_end
from rally_etl.monitoring.live import health_live

__all__ = [
    "Finding",
    "Freshness",
    "advise",
    "anomaly_measures",
    "health_live",
    "level_of",
    "monitoring_measures",
    "read_health_params",
    "score",
    "store_end",
]
