"""A plan as a person reads it: what changes, from what to what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote
from rally_etl.errors import UsageError
from rally_etl.planning.schema import read_planned, schemas

if TYPE_CHECKING:
    import pandas as pd

UNTOLD = ("updated_at", "created_at", "_op", "_leagues")
NAMES = ("team_name", "league_name", "name", "team")
"""Columns that say what a row is, the first that it has; people and meetings are named by more than one."""


def changes(engine: sa.Engine, run_id: str, table: str, league: str | None = None, limit: int = 200) -> pd.DataFrame:
    """Changes of one table, the newest ids first.

    Returns:
        one row per change: ``operation``, ``id``, ``name`` (what the row is, "" for a pair of ids), ``what``
        (``column: before → after`` for what differs; the values of a new row). Empty when the run has no plan any more.

    Raises:
        UsageError: *table* is no imported table, and none of users that the run re-points.
    """
    import pandas as pd

    plan = schemas(run_id)[0]
    rows = []
    with engine.connect() as connection:
        planned = read_planned(connection, run_id)
        if table not in (*IMPORTED, *planned):
            names = ", ".join((*IMPORTED, *(name for name in planned if name not in IMPORTED)))
            raise UsageError(f"{table!r} is no imported table\nhint: one of {names}")
        if table in planned:
            found = connection.execute(
                sa.text(
                    f"select p._op as operation, {_key(planned[table])} as id, to_jsonb(p) as after,"
                    f" case when p._op <> 'insert' then to_jsonb(b) end as before from {quote(plan, table)} as p"
                    f" left join {quote(plan, f'{table}_before')} as b on {planned[table].same('b', 'p')}"
                    " where cast(:league as text) is null or :league = any(p._leagues)"
                    " order by p._op = 'insert', 2 desc limit :limit"
                ),
                {"league": league, "limit": limit},
            ).all()
            images = [image for row in found for image in (row.before, row.after) if image]
            teams = _teams(connection, plan, images)
            people = _people(connection, plan, images)
            rows = [
                (
                    row.operation,
                    row.id,
                    _name(row.after, teams, people),
                    _told(None if row.operation == "delete" else row.before, row.after, teams),
                )
                for row in found
            ]
    return pd.DataFrame(rows, columns=["operation", "id", "name", "what"])


def _key(table: Table) -> str:
    """SQL of what tells a row apart: its id, where the table has one."""
    columns = ", ".join(f"p.{quote(name)}" for name in table.key)
    return columns if table.key == ("id",) else f"concat_ws(', ', {columns})"


def _teams(connection: sa.Connection, plan: str, images: list[dict]) -> dict[int, str]:
    """Names of the teams that the images point at, as the plan has them, else as live has them."""
    ids = {value for image in images for name, value in image.items() if name.endswith("team_id")}
    return _read_names(connection, plan, "teams", "team_name", ids)


def _people(connection: sa.Connection, plan: str, images: list[dict]) -> dict[int, str]:
    """Names of the players whose ``player_id`` stands in the images."""
    ids = {image.get("player_id") for image in images}
    return _read_names(connection, plan, "players", "concat_ws(' ', first_name, last_name)", ids)


def _read_names(connection: sa.Connection, plan: str, table: str, name: str, ids: set[object]) -> dict[int, str]:
    known = sorted(found for found in ids if isinstance(found, int))
    if not known:
        return {}
    found = connection.execute(
        sa.text(
            f"select id, {name} as name, 1 as place from {quote('public', table)} where id = any(:ids) union all"
            f" select id, {name}, 2 from {quote(plan, table)} where id = any(:ids) order by place"
        ),
        {"ids": known},
    )
    return {row.id: row.name for row in found}


def _name(image: dict, teams: dict[int, str], people: dict[int, str]) -> str:
    """What a row is: a person with the team, a meeting with its date, a team, club, series or league."""
    if "first_name" in image:
        person = " ".join(filter(None, (image["first_name"], image.get("last_name"))))
        team = teams.get(image.get("team_id"))
        return f"{person} ({team})" if team else person
    if "home_team" in image:
        return f"{_text(image['home_team'])} v {_text(image['away_team'])} on {_text(image['match_date'])}"
    if "player_id" in image:
        return people.get(image["player_id"], "")
    return next((image[name] for name in NAMES if image.get(name)), "")


def _told(before: dict | None, after: dict, teams: dict[int, str]) -> str:
    def said(name: str, value: object) -> str:
        team = teams.get(value) if name.endswith("team_id") and isinstance(value, int) else None
        return f"{_text(value)} ({team})" if team else _text(value)

    if before is None:
        return ", ".join(
            f"{name}: {said(name, value)}"
            for name, value in after.items()
            if name not in (*UNTOLD, "id") and value is not None
        )
    return ", ".join(
        f"{name}: {said(name, before.get(name))} → {said(name, value)}"
        for name, value in after.items()
        if name not in UNTOLD and before.get(name) != value
    )


def _text(value: object) -> str:
    return "–" if value is None else value if isinstance(value, str) else json.dumps(value)
