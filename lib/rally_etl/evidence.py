"""From a stage's measures to evidence, and from the evidence of five notebooks to a decision."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from rally_etl import scraps
from rally_etl.errors import EvidenceMissing
from rally_etl.measures import store_metrics

if TYPE_CHECKING:
    import sqlalchemy as sa

    from rally_etl.settings import Settings

STAGES_BEFORE_GATE = ("baseline", "import", "validation", "integration", "monitoring")
DECISIONS = ("GO", "HOLD", "NO-GO")  # a decision's place is its number in the gate's evidence


def measure(stage: str, engine: sa.Engine, settings: Settings, run_id: str) -> dict:
    """Take the measures of a stage: league -> measure -> value and detail, which calls persons by their id.

    Raises:
        EvidenceMissing: the stage has no measures of its own.
    """
    from rally_etl.reporting.executed import Scrub
    from rally_etl.reporting.persons import Persons

    found = _measures_of(stage)(engine, settings, run_id)
    return Scrub.of(settings, engine.url, Persons(engine, run_id)).values(found)


def decide(engine: sa.Engine, settings: Settings, run_id: str) -> dict:
    """Read the sealed evidence of the notebooks before the gate, decide per league, and answer the gate's own measures.

    Evidence that cannot be read is not passed on, which the gate answers with NO-GO.
    """
    from rally_etl import gate

    found = {}
    for number, stage in enumerate(STAGES_BEFORE_GATE, start=1):
        path = settings.reports_dir / run_id / f"{number:02d}_{stage}.ipynb"
        with contextlib.suppress(EvidenceMissing):
            found[stage] = scraps.read(path, stage=stage, run_id=run_id)
    decided = gate.decide(engine, settings, run_id, found)
    return {
        league: {
            "decision": {
                "value": DECISIONS.index(one["decision"]),
                "detail": [one["decision"], *(str(reason.get("message", "")) for reason in one["reasons"])],
            }
        }
        for league, one in decided.items()
    }


def keep(document: dict, engine: sa.Engine) -> None:
    """Copy sealed evidence to the ledger, where trends are drawn from.

    With the baseline go the rows of each table, a report's "before" once the live tables have moved on.
    """
    leagues = {league: dict(measures) for league, measures in document["leagues"].items()}
    if document["stage"] == "baseline":
        from rally_etl.database.engine import read_only
        from rally_etl.reporting import recorded

        with read_only(engine, "public") as connection:
            for row in recorded.rows_per_league(connection):
                leagues.setdefault(row["league"], {})[f"rows.{row['table']}"] = {"value": row["rows"]}
    store_metrics(engine, document["run_id"], document["stage"], leagues)


def _measures_of(stage: str) -> Callable[..., dict]:
    if stage == "baseline":
        from rally_etl.protection import baseline_measures as take
    elif stage == "import":
        from rally_etl.planning import import_measures as take
    elif stage == "validation":
        from rally_etl.checks import validation_measures
        from rally_etl.checks.agreement import agreement_measures
        from rally_etl.checks.standings_evidence import standings_measures

        take = _together(validation_measures, standings_measures, agreement_measures)
    elif stage == "integration":
        from rally_etl.features import feature_measures
        from rally_etl.planning import undo_measures
        from rally_etl.protection import integration_measures
        from rally_etl.protection.automatic.evidence import repair_measures

        take = _together(integration_measures, feature_measures, undo_measures, repair_measures)
    elif stage == "monitoring":
        from rally_etl.monitoring import anomaly_measures, monitoring_measures

        take = _together(monitoring_measures, anomaly_measures)  # the second reads the metrics that the first keeps
    else:
        raise EvidenceMissing(f"stage {stage} has no measures of its own")
    return take


def _together(*parts: Callable[..., dict]) -> Callable[..., dict]:
    """The measures of several parts of a stage as one; each part is called with engine, settings and run."""

    def take(engine: sa.Engine, settings: Settings, run_id: str) -> dict:
        found: dict[str, dict] = {}
        for part in parts:
            for league, measures in part(engine, settings, run_id).items():
                found[league] = found.get(league, {}) | measures
        return found

    return take
