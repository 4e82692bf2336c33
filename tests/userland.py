"""A league of two teams with what a handful of users wrote, and a few words to change it with."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from conftest import REPOSITORY
from rally_etl.database.references import ReferenceParams, read_reference_params

RUN_ID = "20251001T060000-ab12"
TEAM = {"club_id": 1, "series_id": 1, "league_id": 1, "is_active": True}
PLAYER = {"club_id": 1, "series_id": 1, "league_id": 1, "is_active": True, "team_id": 1}
PRACTICE = {"league_id": 1, "home_team": "Lakeside Practice - Series 12", "home_team_id": 1}
ROWS: dict[str, list[dict[str, Any]]] = {
    "leagues": [{"id": 1, "league_id": "SAMPLE", "league_name": "Sample"}],
    "clubs": [{"id": 1, "name": "Lakeside"}],
    "series": [{"id": 1, "name": "Series 12", "display_name": "Series 12", "league_id": 1}],
    "club_leagues": [{"id": 1, "club_id": 1, "league_id": 1}],
    "teams": [
        TEAM | {"id": 1, "team_name": "Lakeside 12", "display_name": "Lakeside 12"},
        TEAM | {"id": 2, "team_name": "Hillcrest 3", "display_name": "Hillcrest 3"},
    ],
    "players": [
        PLAYER | {"id": 1, "tenniscores_player_id": "nndz-a", "first_name": "Ann", "last_name": "Example"},
        PLAYER | {"id": 2, "tenniscores_player_id": "nndz-b", "first_name": "Bob", "last_name": "Sample", "team_id": 2},
    ],
    "schedule": [
        PRACTICE | {"id": 1, "match_date": "2025-10-03"},
        PRACTICE | {"id": 2, "match_date": "2025-10-10"},
        {"id": 3, "league_id": 1, "match_date": "2025-10-04", "home_team": "Lakeside 12", "away_team": "Hillcrest 3",
         "home_team_id": 1, "away_team_id": 2},
    ],
    "users": [
        {"id": 1, "email": "ann@example.org", "password_hash": "secret", "is_admin": False, "league_context": 1},
        {"id": 2, "email": "bob@example.org", "password_hash": "secret", "is_admin": False},
    ],
    "user_player_associations": [{"user_id": 1, "tenniscores_player_id": "nndz-a"}],
    "user_contexts": [{"user_id": 1, "league_id": 1, "team_id": 1, "series_id": 1}],
    "player_availability": [
        {"id": 1, "player_name": "Ann Example", "match_date": "2025-10-03T00:00:00Z", "availability_status": 1,
         "series_id": 1, "player_id": 1, "user_id": 1},
    ],
    "polls": [
        {"id": 1, "team_id": 1, "created_by": 1, "question": "Who?"},
        {"id": 2, "team_id": 2, "created_by": 2, "question": "When?"},
    ],
    "poll_choices": [{"id": 1, "poll_id": 1, "choice_text": "Monday"}],
    "poll_responses": [{"id": 1, "poll_id": 1, "choice_id": 1, "player_id": 1}],
    "captain_messages": [{"id": 1, "team_id": 1, "captain_user_id": 1, "message": "Bring balls"}],
    "system_settings": [{"id": 1, "key": "season", "value": "2025"}],
}  # fmt: skip
SERIAL = ("leagues", "clubs", "series", "teams", "players", "schedule", "users", "polls", "captain_messages")


def params() -> ReferenceParams:
    """The project's own."""
    return read_reference_params(REPOSITORY / "params" / "references.yaml")


def fill(engine: sa.Engine) -> None:
    """Write `ROWS`, and a run of the league."""
    with engine.begin() as connection:
        for table, rows in ROWS.items():
            put(connection, table, rows)
        for table in SERIAL:
            connection.execute(sa.text(f"select setval('{table}_id_seq', (select max(id) from {table}))"))
        for statement in (
            "insert into etl.runs (run_id, source, as_of) values (:run, 'x', '2025-10-01')",
            "insert into etl.run_leagues (run_id, league, league_id) values (:run, 'SAMPLE', 1)",
        ):
            connection.execute(sa.text(statement), {"run": RUN_ID})


def put(connection: sa.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert rows as they are; what is not given has its default."""
    for row in rows:
        columns = ", ".join(row)
        connection.execute(
            sa.text(
                f"insert into {table} ({columns}) select {columns}"
                f" from jsonb_populate_record(null::{table}, cast(:row as jsonb))"
            ),
            {"row": json.dumps(row)},
        )


def write(engine: sa.Engine, *statements: str) -> None:
    """Execute statements in one transaction, foreign keys and triggers off, as an old importer does."""
    with engine.begin() as connection:
        connection.execute(sa.text("set local session_replication_role = replica"))
        for statement in statements:
            connection.execute(sa.text(statement))


def column(engine: sa.Engine, sql: str) -> list[Any]:
    """First column of a query."""
    with engine.connect() as connection:
        return list(connection.scalars(sa.text(sql)))
