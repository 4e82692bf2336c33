"""Rosters: one live row per person and team."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.planning import persons
from rally_etl.planning.compare import Wanted, plan_changes
from rally_etl.planning.scene import Scene
from rally_etl.planning.sql import read
from rally_etl.records.values import NO_ID

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
    "captain_status": (
        "case when w.captain then 'true' when w.captain is false then 'false'"
        " else coalesce(l.captain_status, 'false') end"
    ),
    "career_wins": "coalesce(w.career_wins, l.career_wins, 0)",
    "career_losses": "coalesce(w.career_losses, l.career_losses, 0)",
    "career_matches": "coalesce(w.career_wins + w.career_losses, l.career_matches, 0)",
    "career_win_percentage": "coalesce(w.career_win_percentage, l.career_win_percentage, 0)",
    "is_active": "true",
}


def plan_players(scene: Scene) -> None:
    """Plan the memberships of a complete roster file; an active one that it does not hold is deactivated.

    Grain: one row per person and team (in one league 532 persons play in two or three teams). Persons who are known
    under another id are recognised (`persons`); how each row was found goes to the plan's table ``identified``.
    """
    connection = scene.connection
    binds = {"league": scene.league.key, "league_id": scene.league_id, "id_prefix": scene.id_prefix}
    persons.write_person_aliases(scene)
    # One table a step, each with statistics: in one statement the planner would take every step for a handful of rows.
    _create(scene, "members", {"league": scene.league.key})
    connection.execute(sa.text("alter table members add column spelling text"))
    persons.apply_aliases(scene)
    _count_repeated(scene)
    _create(scene, "live_members", {"league_id": scene.league_id, "id_prefix": scene.id_prefix})
    persons.set_substitutes_aside(scene)
    persons.recognise(scene)
    persons.ask_again(scene)
    _set_nobodies_aside(scene)
    for name in ("found_members", "known_persons"):
        _create(scene, name, {})
    # new rows get their ids here, so that what is said about each of them is said about its id
    sequence = scene.catalog["players"].sequence
    _create(scene, "placed_members", {}, new_id=f"nextval('{sequence}')" if sequence else "cast(null as integer)")
    for key in scene.catalog["players"].unique_keys:
        if {"tenniscores_player_id", "club_id", "series_id"} <= set(key.columns) and "team_id" not in key.columns:
            for player_id in connection.execute(sa.text(read("squeezed_members"))).scalars():
                scene.held["players", f"unique key {key.name} has no room", player_id] += 1
    members = "select m.*, m.live_id as id, cast(:league_id as integer) as league_id from placed_members as m"
    wanted = Wanted(members, _VALUES, new_id="w.new_id" if sequence else None)
    plan_changes(connection, scene.catalog["players"], wanted, scene.league.key, binds)
    _create(scene, "waiting_persons", {"league": scene.league.key, "is_waiting": bool(scene.waiting)})
    _create(scene, "gone_members", {"protected": sorted(scene.protected)})
    gone = Wanted("select id from gone_members", {"is_active": "false"})
    plan_changes(connection, scene.catalog["players"], gone, scene.league.key, {})
    _create(scene, "earlier_teams", {})
    connection.execute(sa.text(read("identified_members")), {"league": scene.league.key})


def _create(scene: Scene, name: str, binds: dict[str, object], **parts: str) -> None:
    """Make the temporary table of one step, with statistics; *parts* are put into its SQL."""
    scene.connection.execute(sa.text(f"drop table if exists pg_temp.{name}"))
    scene.connection.execute(sa.text(read(name).format(**parts)), binds)
    scene.connection.execute(sa.text(f"analyze {name}"))


def _set_nobodies_aside(scene: Scene) -> None:
    """Hold members whose id is a filler of the scraper, unless they were recognised by their names."""
    for name in scene.connection.execute(sa.text(read("nobodies")), {"no_id": NO_ID}).scalars():
        scene.held["players", "the scraper found no id", name] += 1


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
