"""Rosters: one live row per person and team."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.planning.compare import Wanted, plan_changes
from rally_etl.planning.sql import read
from rally_etl.planning.teams import Scene

_VALUES = {
    "tenniscores_player_id": "coalesce(l.tenniscores_player_id, w.live_player_id, w.player_id)",
    "first_name": "w.first_name",
    "last_name": "w.last_name",
    "league_id": "w.league_id",
    "club_id": "w.club_id",
    "series_id": "w.series_id",
    "team_id": "w.team_id",
    # an empty PTI or career field says "not scraped", never "none" (incident 36)
    "pti": "coalesce(w.pti, l.pti)",
    "wins": "coalesce(w.wins, l.wins, 0)",
    "losses": "coalesce(w.losses, l.losses, 0)",
    "win_percentage": "coalesce(w.win_percentage, l.win_percentage, 0)",
    "captain_status": "case when w.captain then 'true' else 'false' end",
    "career_wins": "coalesce(w.career_wins, l.career_wins, 0)",
    "career_losses": "coalesce(w.career_losses, l.career_losses, 0)",
    "career_matches": "coalesce(w.career_wins + w.career_losses, l.career_matches, 0)",
    "career_win_percentage": "coalesce(w.career_win_percentage, l.career_win_percentage, 0)",
    "is_active": "true",
}


def plan_players(scene: Scene) -> None:
    """Plan the memberships of a complete roster file; an active one that it does not hold is deactivated.

    Grain: one row per person and team (in one league 532 persons play in two or three teams).
    """
    connection = scene.connection
    binds = {"league": scene.league.key, "league_id": scene.league_id, "id_prefix": scene.id_prefix}
    # One table a step, each with statistics: in one statement the planner would take every step for a handful of rows.
    for name in ("members", "live_members", "found_members", "known_persons", "placed_members"):
        connection.execute(sa.text(f"drop table if exists pg_temp.{name}"))
        connection.execute(sa.text(read(name)), binds if name in ("members", "live_members") else {})
        connection.execute(sa.text(f"analyze {name}"))
    _count_repeated(scene)
    for key in scene.catalog["players"].unique_keys:
        if {"tenniscores_player_id", "club_id", "series_id"} <= set(key.columns) and "team_id" not in key.columns:
            for player_id in connection.execute(sa.text(read("squeezed_members"))).scalars():
                scene.held["players", f"unique key {key.name} has no room", player_id] += 1
    members = "select m.*, m.live_id as id, cast(:league_id as integer) as league_id from placed_members as m"
    plan_changes(connection, scene.catalog["players"], Wanted(members, _VALUES), scene.league.key, binds)
    gone = """
        select id from live_members as l
        where l.is_active and not exists (select from placed_members as m where m.live_id = l.id)
        """
    plan_changes(connection, scene.catalog["players"], Wanted(gone, {"is_active": "false"}), scene.league.key, {})


def _count_repeated(scene: Scene) -> None:
    """Count roster records beyond one per membership, so that staged = planned + held + repeated."""
    repeated = scene.connection.execute(
        sa.text(
            """
            select (
                select count(*) from etl.staged_players as s
                join names as n on n.league = s.league and n.kind = 'players'
                    and n.printed = s.team and n.series = coalesce(s.series, '')
                where s.league = :league and n.team_id is not null
            ) - (select count(*) from members)
            """
        ),
        {"league": scene.league.key},
    ).scalar_one()
    if repeated:
        scene.held["players", "repeated", "a person printed again in the same team"] += repeated
