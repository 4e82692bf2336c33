"""Standings: one ``series_stats`` row per team."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.planning import names
from rally_etl.planning.compare import Wanted, plan_changes
from rally_etl.planning.scene import Scene
from rally_etl.planning.sql import read

_COLUMNS = (
    "league_id", "series", "team", "series_id", "team_id", "points", "matches_won", "matches_lost", "matches_tied",
    "lines_won", "lines_lost", "lines_for", "lines_ret", "sets_won", "sets_lost", "games_won", "games_lost",
)  # fmt: skip


def plan_standings(scene: Scene) -> None:
    """Plan the standings as printed; CNSWPL counts half points, rounded where the live ``points`` is an integer."""
    connection, binds = scene.connection, {"league": scene.league.key, "league_id": scene.league_id}
    names.write_live_names(scene, "series_stats", "team")
    # one table a step, each with statistics, as for players
    for name in ("standings", "printed_standings", "linked_standings"):
        connection.execute(sa.text(f"drop table if exists pg_temp.{name}"))
        connection.execute(sa.text(read(name)), binds)
        connection.execute(sa.text(f"analyze {name}"))
    wanted = """
        select w.*, coalesce(p.id, l.id) as id
        from standings as w
        left join printed_standings as p on p.team_id = w.team_id
        left join linked_standings as l on l.team_id = w.team_id
        """
    plan_changes(
        connection,
        scene.catalog["series_stats"],
        Wanted(wanted, {name: f"w.{name}" for name in _COLUMNS}),
        scene.league.key,
        {},
    )
