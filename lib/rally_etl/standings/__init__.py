"""Figures of a team in the standings, recomputed from its match lines by the rules of its league."""

from __future__ import annotations

from rally_etl.standings.figures import CLASSES, Comparison, TeamFigures, compare
from rally_etl.standings.rules import Limits, binds, load_limits

__all__ = ["CLASSES", "Comparison", "Limits", "TeamFigures", "binds", "compare", "load_limits"]
