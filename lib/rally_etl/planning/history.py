"""Rating history: one ``player_history`` row per person and rating point."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.planning.compare import Wanted, plan_changes
from rally_etl.planning.sql import read
from rally_etl.planning.teams import Scene

_COLUMNS = ("league_id", "player_id", "series", "date", "end_pti")


def plan_history(scene: Scene) -> None:
    """Plan the points that live does not have yet; the table has no key, so a point is found by all that it says."""
    binds = {"league": scene.league.key, "league_id": scene.league_id, "id_prefix": scene.id_prefix}
    plan_changes(
        scene.connection,
        scene.catalog["player_history"],
        Wanted(
            read("history_points"),
            {name: f"w.{name}" for name in _COLUMNS},
            join="false",
        ),
        scene.league.key,
        binds,
    )
    unknown = scene.connection.execute(
        sa.text(
            """
            select count(*) from etl.staged_player_history as s
            where s.league = :league and not exists (
                select from (select tenniscores_player_id, league_id from public.players
                             union all select tenniscores_player_id, league_id from players) as p
                where p.league_id = :league_id
                  and regexp_replace(p.tenniscores_player_id, :id_prefix, '') = s.person_key)
            """
        ),
        binds,
    ).scalar_one()
    if unknown:
        scene.held["player_history", "unknown_player", "points of persons in no roster"] += unknown
