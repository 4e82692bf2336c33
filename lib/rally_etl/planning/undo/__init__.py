"""Take a published run back: its plan read backwards, column by column, without what was changed since."""

from rally_etl.planning.undo.plan import plan_undo
from rally_etl.planning.undo.scope import leagues_of, told
from rally_etl.planning.undo.undone import standing

__all__ = ["leagues_of", "plan_undo", "standing", "told"]
