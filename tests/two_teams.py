"""Two leagues with two teams in live, and a run that plans what a test says."""

from __future__ import annotations

import datetime as dt
import json

import sqlalchemy as sa

from rally_etl.database.catalog import read_catalog
from rally_etl.planning.schema import create_plan, finish_plan, schemas

RUN_ID = "20251001T060000-ab12"
AS_OF = dt.date(2025, 10, 1)
TEAM = {"club_id": 1, "series_id": 1, "league_id": 1, "is_active": True}
ROWS = {
    "leagues": [
        {"id": 1, "league_id": "SAMPLE", "league_name": "Sample"},
        {"id": 2, "league_id": "OTHER", "league_name": "Other"},
    ],
    "clubs": [{"id": 1, "name": "Lakeside"}, {"id": 2, "name": "Hillcrest"}],
    "series": [{"id": 1, "name": "Series 1", "display_name": "Series 1", "league_id": 1}],
    "club_leagues": [{"id": club, "club_id": club, "league_id": 1} for club in (1, 2)],
    "series_leagues": [{"id": 1, "series_id": 1, "league_id": 1}],
    "teams": [
        TEAM | {"id": 1, "team_name": "Lakeside 1", "display_name": "Lakeside 1"},
        TEAM | {"id": 2, "team_name": "Hillcrest 1", "display_name": "Hillcrest 1", "club_id": 2},
    ],
}


def put(connection: sa.Connection, table: str, rows: list[dict]) -> None:
    """Insert rows as they are."""
    connection.execute(
        sa.text(f"insert into {table} select * from jsonb_populate_recordset(null::{table}, cast(:rows as jsonb))"),
        {"rows": json.dumps(rows)},
    )


def planned_teams(engine: sa.Engine) -> None:
    """Put two leagues, two teams and a run with an empty plan into the database."""
    with engine.begin() as connection:
        for table, rows in ROWS.items():
            put(connection, table, rows)
        connection.execute(
            sa.text("insert into etl.runs (run_id, source, as_of) values (:run, 'x', :as_of)"),
            {"run": RUN_ID, "as_of": AS_OF},
        )
        for league in ("SAMPLE", "OTHER"):
            connection.execute(
                sa.text("insert into etl.run_leagues (run_id, league) values (:run, :league)"),
                {"run": RUN_ID, "league": league},
            )
    with_plan(engine)


def with_plan(engine: sa.Engine, league: str = "SAMPLE", **tables: list[dict]) -> None:
    """Make the run's plan and candidate anew from these images; an id that is live is an update."""
    plan, _ = schemas(RUN_ID)
    with engine.begin() as connection:
        catalog = read_catalog(connection)
        create_plan(connection, RUN_ID, catalog)
        # A plan made another way could hold what this project's plan tables refuse.
        connection.execute(sa.text(f"alter table {plan}.teams alter column club_id drop not null"))
        for table, rows in tables.items():
            live = set(connection.scalars(sa.text(f"select id from {table}")))
            extra = {"_leagues": [league]}
            put(
                connection,
                f"{plan}.{table}",
                [{"_op": "update" if row["id"] in live else "insert"} | extra | row for row in rows],
            )
        finish_plan(connection, RUN_ID, catalog)


def outcomes(results: list, league: str = "SAMPLE") -> dict[str, str]:
    """Check -> outcome of one league."""
    return {result.check: result.outcome for result in results if result.league == league}


def team(number: int, name: str, **changed: object) -> dict:
    """The image of a team."""
    return TEAM | {"id": number, "team_name": name, "display_name": name} | changed
