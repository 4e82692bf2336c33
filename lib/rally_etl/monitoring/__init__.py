"""Monitoring: what is measured of each league, its health as one number with its parts, and what is unusual or ahead.

- Metrics: `metrics` is their table; `counting`, `collecting`, `of_runs` and `server` measure, `keeping` writes down.
- Health: `gathering` has what a score rests on beside the checks, `health` the score, `advice` what to do about it,
  `health_params` the file that weighs; `freshness` says how old matches are.
- What is unusual, and what heads for a threshold: `usual` and `forecast` look at one series, `calendar` says which days
  compare, `anomalies` looks at all series of a league, `wording` tells, `watching` is the file that says of which;
  `unusual` reads and writes the ledger.
- `live` looks at live, `evidence` at the candidate of a run.
"""

from __future__ import annotations

from rally_etl.monitoring.advice import advise
from rally_etl.monitoring.evidence import monitoring_measures
from rally_etl.monitoring.freshness import Freshness
from rally_etl.monitoring.health import Finding, score
from rally_etl.monitoring.health_params import level_of, read_health_params
from rally_etl.monitoring.keeping import store_end
from rally_etl.monitoring.live import health_live
from rally_etl.monitoring.unusual import anomaly_measures

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
