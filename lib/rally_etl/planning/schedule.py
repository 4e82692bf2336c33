"""The schedule of league matches; users' practice rows live in the same table and are never touched."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.planning import names
from rally_etl.planning.compare import Wanted, plan_changes
from rally_etl.planning.scene import Scene
from rally_etl.planning.sql import read
from rally_etl.planning.temporary import write_temporary

_COLUMNS = (
    "league_id", "match_date", "match_time", "home_team", "away_team", "home_team_id", "away_team_id", "location",
)  # fmt: skip

# A side that no active team answers to keeps its link: a team that withdrew is still the team of its meetings.
_LINKS = {name: f"coalesce(w.{name}, l.{name})" for name in ("home_team_id", "away_team_id")}


def plan_schedule(scene: Scene) -> None:
    """Plan one row per meeting; a row that the scrape does not mention stays.

    The location is spelled as the club's own name where it is known: the application joins on it exactly.
    """
    connection, binds = scene.connection, {"league": scene.league.key, "league_id": scene.league_id}
    for name in ("scheduled", "meetings"):
        connection.execute(sa.text(f"drop table if exists pg_temp.{name}"))
    _write_places(scene)
    names.write_live_names(scene, "schedule", "home_team", "away_team")
    for name in ("scheduled", "meetings"):  # one table a step, each with statistics, as for players
        connection.execute(sa.text(read(name)), binds)
        connection.execute(sa.text(f"analyze {name}"))
    for name in ("meetings_by_name", "meetings_by_team", "meetings_moved"):
        connection.execute(sa.text(read(name)))
        connection.execute(sa.text("analyze meetings"))
    meetings = "select m.*, m.live_id as id, cast(:league_id as integer) as league_id from meetings as m"
    plan_changes(
        connection,
        scene.catalog["schedule"],
        Wanted(meetings, {name: f"w.{name}" for name in _COLUMNS} | _LINKS),
        scene.league.key,
        binds,
    )


def _write_places(scene: Scene) -> None:
    """Printed location -> name of the club as the candidate has it."""
    connection = scene.connection
    known: dict[str, str] = {}
    for (name,) in connection.execute(sa.text("select name from public.clubs union all select name from clubs")):
        known.setdefault(scene.clubs.key(name), name)
    printed = connection.execute(
        sa.text("select distinct location from etl.staged_schedules where league = :league and location is not null"),
        {"league": scene.league.key},
    ).scalars()
    rows = [{"printed": place, "name": known[key]} for place in printed if (key := scene.clubs.key(place)) in known]
    write_temporary(connection, "places", rows, "printed text, name text")
