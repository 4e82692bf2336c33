"""Standings: one ``series_stats`` row per team."""

from __future__ import annotations

from rally_etl.planning import names
from rally_etl.planning.compare import Wanted, plan_changes
from rally_etl.planning.sql import read
from rally_etl.planning.teams import Scene

_COLUMNS = (
    "league_id", "series", "team", "series_id", "team_id", "points", "matches_won", "matches_lost", "matches_tied",
    "lines_won", "lines_lost", "lines_for", "lines_ret", "sets_won", "sets_lost", "games_won", "games_lost",
)  # fmt: skip


def plan_standings(scene: Scene) -> None:
    """Plan the standings as printed; CNSWPL counts half points, rounded where the live ``points`` is an integer."""
    names.write_live_names(scene, "series_stats", "team")
    plan_changes(
        scene.connection,
        scene.catalog["series_stats"],
        Wanted(read("series_stats"), {name: f"w.{name}" for name in _COLUMNS}),
        scene.league.key,
        {"league": scene.league.key, "league_id": scene.league_id},
    )
