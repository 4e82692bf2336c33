"""Rating history: one ``player_history`` row per person and rating point."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.planning.compare import Wanted, plan_changes
from rally_etl.planning.scene import Scene
from rally_etl.planning.sql import read
from rally_etl.planning.temporary import write_temporary

_COLUMNS = ("league_id", "player_id", "series", "date", "end_pti")


def follow_players(scene: Scene) -> None:
    """Plan that the points of persons who play in another team now go to their active row.

    The players are planned. Without it the chart of everybody who moves is empty.
    """
    plan_changes(
        scene.connection,
        scene.catalog["player_history"],
        Wanted(read("history_moved"), {"player_id": "w.player_id"}),
        scene.league.key,
        {"league_id": scene.league_id, "id_prefix": scene.id_prefix},
    )


def plan_history(scene: Scene) -> None:
    """Plan the points that live does not have yet; the table has no key, so a point is found by all that it says.

    Its series is the league's standard where it is read: a live point under another spelling is the same point.
    """
    binds = {"league": scene.league.key, "league_id": scene.league_id, "id_prefix": scene.id_prefix}
    _write_series(scene)
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
            left join person_aliases as a on a.spelling = s.person_key
            where s.league = :league and not exists (
                select from (select tenniscores_player_id, league_id from public.players
                             union all select tenniscores_player_id, league_id from players) as p
                where p.league_id = :league_id
                  and regexp_replace(p.tenniscores_player_id, :id_prefix, '') in (s.person_key, a.target))
            """
        ),
        binds,
    ).scalar_one()
    if unknown:
        scene.held["player_history", "unknown_player", "points of persons in no roster"] += unknown


def _write_series(scene: Scene) -> None:
    """Fill ``history_series``: printed series -> standard, for those of the scrape and of live that are read."""
    printed = scene.connection.execute(
        sa.text(
            "select series from etl.staged_player_history where league = :league and series is not null"
            " union select series from public.player_history where series is not null"
        ),
        {"league": scene.league.key},
    ).scalars()
    rows = [{"printed": text, "name": name} for text in printed if (name := scene.league.parse_series(text))]
    write_temporary(scene.connection, "history_series", rows, "printed text, name text")
