"""From staged rows to a plan, a candidate and a publish."""

from rally_etl.planning.changes import changes
from rally_etl.planning.headlines import headlines
from rally_etl.planning.measures import baseline_measures, import_measures, league_ids, run_leagues
from rally_etl.planning.plan import make_plan
from rally_etl.planning.publish import Published, publish
from rally_etl.planning.rehearsal import rehearse_undo
from rally_etl.planning.rehearsed import undo_measures
from rally_etl.planning.schema import drop_run, schemas
from rally_etl.planning.verify import verify

__all__ = [
    "Published",
    "baseline_measures",
    "changes",
    "drop_run",
    "headlines",
    "import_measures",
    "league_ids",
    "make_plan",
    "publish",
    "rehearse_undo",
    "run_leagues",
    "schemas",
    "undo_measures",
    "verify",
]
