"""What users own points at the same thing in the candidate as in live, or the evidence says where it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from rally_etl.database.catalog import read_catalog
from rally_etl.errors import RallyEtlError, UsageError
from rally_etl.planning.schema import create_plan, finish_plan, schemas
from rally_etl.protection import find_references, integration_measures, is_same_thing, read_reference_params
from rally_etl.protection.evidence import NAMES
from rally_etl.settings import Settings

RUN_ID = "20251001T060000-ab12"
PARAMS = Path(__file__).resolve().parents[2] / "params" / "references.yaml"
TEAM = {"club_id": 1, "series_id": 1, "league_id": 1, "is_active": True}
PLAYER = {"club_id": 1, "series_id": 1, "league_id": 1, "is_active": True, "team_id": 1}
MEETING = {"league_id": 1, "home_team_id": 1, "match_date": "2025-10-03"}
ROWS = {
    "leagues": [
        {"id": 1, "league_id": "SAMPLE", "league_name": "Sample"},
        {"id": 2, "league_id": "OTHER", "league_name": "Other"},
    ],
    "clubs": [{"id": 1, "name": "Lakeside", "logo_filename": "lakeside.png"}],
    "series": [{"id": 1, "name": "Chicago 12", "display_name": "Chicago 12", "league_id": 1}],
    "teams": [
        TEAM | {"id": 1, "team_name": "Lakeside - 12", "display_name": "Lakeside - 12"},
        TEAM | {"id": 2, "team_name": "Lakeside - 13", "display_name": "Lakeside - 13"},
    ],
    "players": [
        PLAYER | {"id": 1, "tenniscores_player_id": "nndz-a", "first_name": "Ann", "last_name": "Example"},
        PLAYER
        | {"id": 2, "tenniscores_player_id": "nndz-a", "first_name": "Ann", "last_name": "Example"}
        | {"team_id": 2},
    ],
    "schedule": [
        MEETING | {"id": 1, "home_team": "Lakeside Practice - Chicago 12"},
        MEETING | {"id": 2, "home_team": "Lakeside - 12", "away_team": "Lakeside - 13", "away_team_id": 2},
    ],
    "users": [{"id": 1, "email": "ann@example.org", "password_hash": "x", "is_admin": False}],
    "polls": [{"id": 1, "team_id": 1, "question": "Who?"}, {"id": 2, "team_id": 1, "question": "When?"}],
    "user_player_associations": [{"user_id": 1, "tenniscores_player_id": "nndz-a"}],
    "user_contexts": [{"user_id": 1, "league_id": 1, "team_id": 1, "series_id": 1}],
}


def put(connection: sa.Connection, table: str, rows: list[dict]) -> None:
    """Insert rows as they are."""
    connection.execute(
        sa.text(f"insert into {table} select * from jsonb_populate_recordset(null::{table}, cast(:rows as jsonb))"),
        {"rows": json.dumps(rows)},
    )


@pytest.fixture
def live(engine: sa.Engine) -> sa.Engine:
    """A league with two teams, a person in both, and a user with a poll, a practice and a context."""
    with engine.begin() as connection:
        for table, rows in ROWS.items():
            put(connection, table, rows)
        connection.execute(
            sa.text("insert into etl.runs (run_id, source, as_of) values (:run, 'x', '2025-10-01')"), {"run": RUN_ID}
        )
        for league in ("SAMPLE", "OTHER"):
            connection.execute(
                sa.text("insert into etl.run_leagues (run_id, league) values (:run, :league)"),
                {"run": RUN_ID, "league": league},
            )
    return engine


def with_plan(engine: sa.Engine, **tables: list[dict]) -> None:
    """Make the run's plan and candidate from these images; a value that is not given is the live one."""
    plan, _ = schemas(RUN_ID)
    with engine.begin() as connection:
        catalog = read_catalog(connection)
        create_plan(connection, RUN_ID, catalog)
        for table, rows in tables.items():
            live = {row["id"]: row for row in ROWS.get(table, [])}
            images = [
                {"_op": "update" if row["id"] in live else "insert", "_leagues": ["SAMPLE"]}
                | live.get(row["id"], {})
                | row
                for row in rows
            ]
            put(connection, f"{plan}.{table}", images)
        finish_plan(connection, RUN_ID, catalog)


def measured(engine: sa.Engine, settings: Settings, league: str = "SAMPLE") -> dict[str, int]:
    """Measure -> value of one league."""
    return {name: found["value"] for name, found in integration_measures(engine, settings, RUN_ID)[league].items()}


NOTHING = dict.fromkeys(NAMES, 0)


def test_empty_plan_changes_nothing(live, settings):
    """A candidate that equals live keeps every reference."""
    with_plan(live)

    assert NOTHING == measured(live, settings)


def test_respelling_is_no_move(live, settings):
    """A new season's spelling of the same team and series, under the ids they had, moves nobody."""
    with_plan(
        live,
        teams=[{"id": 1, "team_name": "Lakeside 12"}, {"id": 2, "team_name": "Lakeside 13"}],
        series=[{"id": 1, "name": "Series 12"}],
    )

    assert NOTHING == measured(live, settings)


def test_other_team_under_the_id_is_a_move(live, settings):
    """An id that becomes another team moves all that points at it: two polls, a context, a practice row."""
    with_plan(live, teams=[{"id": 1, "team_name": "Lakeside 14"}])
    found = integration_measures(live, settings, RUN_ID)

    assert 4 == found["SAMPLE"]["references_moved"]["value"]
    assert 0 == found["OTHER"]["references_moved"]["value"]
    assert (
        "polls.team_id: 2 rows of 'Lakeside - 12' would be of 'Lakeside 14'"
        in found["SAMPLE"]["references_moved"]["detail"]
    )


def hide(engine: sa.Engine, table: str, condition: str) -> None:
    """Replace a view of the candidate by one without some rows."""
    _, candidate = schemas(RUN_ID)
    with engine.begin() as connection:
        connection.execute(sa.text(f"drop view {candidate}.{table}"))
        connection.execute(
            sa.text(f"create view {candidate}.{table} as select * from public.{table} where not ({condition})")
        )


def test_missing_target_is_a_loss(live, settings):
    """User rows whose team is not in the candidate are counted and named."""
    with_plan(live)
    hide(live, "teams", "id = 1")
    found = integration_measures(live, settings, RUN_ID)["SAMPLE"]

    assert 4 == found["references_lost"]["value"]
    assert "polls.team_id: 2 rows of 'Lakeside - 12' (teams 1)" in found["references_lost"]["detail"]


def test_soft_reference_holds_while_one_row_has_the_id(live, settings):
    """A person with two memberships is still known when one of them is gone, and lost with both."""
    with_plan(live)
    hide(live, "players", "id = 1")
    one = measured(live, settings)
    hide(live, "players", "true")
    none = measured(live, settings)

    assert (0, 1) == (one["references_lost"], none["references_lost"])


def test_undeclared_user_table_is_covered(live, settings):
    """A table that nobody described counts as soon as it has a foreign key to an imported one."""
    with live.begin() as connection:
        connection.execute(
            sa.text("create table carpools (id serial primary key, team_id integer references teams(id))")
        )
        connection.execute(sa.text("insert into carpools (team_id) values (1), (1), (1)"))
    with_plan(live, teams=[{"id": 1, "team_name": "Hillcrest 3"}])

    assert 7 == measured(live, settings)["references_moved"]


def test_table_that_is_not_there_is_left_out(live, settings):
    """A database without a user table, or without a column, is measured all the same."""
    with live.begin() as connection:
        connection.execute(sa.text("drop table activity_log"))
        connection.execute(sa.text("alter table player_availability drop column player_id"))
    with_plan(live)

    assert NOTHING == measured(live, settings)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("schedule", {"id": 1, "match_time": "20:00:00"}),
        ("schedule", {"id": 1, "home_team": "Lakeside 12", "away_team": "Lakeside 13"}),
        ("schedule", {"id": 9, "league_id": 1, "home_team": "Lakeside practice", "match_date": "2025-10-09"}),
        ("clubs", {"id": 1, "logo_filename": None}),
        ("players", {"id": 1, "email": "new@example.org"}),
    ],
)
def test_planned_user_row_is_counted(live, settings, table, row):
    """A plan that would write a practice row or a column kept by hand is one too many; it is its league's."""
    with_plan(live, **{table: [row]})

    assert 1 == measured(live, settings)["user_rows_changed"]
    assert 0 == measured(live, settings, "OTHER")["user_rows_changed"]


def test_run_without_candidate_is_refused(live, settings):
    """Without a candidate nothing was compared, and that is no zero."""
    with pytest.raises(RallyEtlError, match="no candidate"):
        integration_measures(live, settings, RUN_ID)


def test_soft_reference_with_a_foreign_key_is_hard_once(live):
    """A declared reference that the database holds by a foreign key too is listed once, as hard."""
    with live.connect() as connection:
        found = [
            each for each in find_references(connection, read_reference_params(PARAMS)) if each.name == "polls.team_id"
        ]

    assert [True] == [each.is_hard for each in found]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("soft: []", "KeyError"),
        ("{", "not valid YAML"),
        (PARAMS.read_text().replace("polls, column", "polls, col"), "unknown key col"),
    ],
)
def test_wrong_params_are_refused(tmp_path, text, says):
    """A references file that lacks a part is refused with its name and a hint."""
    path = tmp_path / "references.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        read_reference_params(path)

    assert says in str(refused.value)
    assert "\nhint: " in str(refused.value)


@pytest.mark.parametrize(
    ("table", "before", "after", "same"),
    [
        ("teams", "Tennaqua - 12", "Tennaqua 12", True),
        ("teams", "LAKE FOREST  S1", "Lake Forest S1", True),
        ("teams", "Prarie Club SN (1)", "Prairie Club SN (1)", True),
        ("teams", "Tennaqua 12", "Tennaqua 13", False),
        ("teams", "Wilmette PD I 11", "Wilmette PD II 11", False),
        ("teams", "Glen Ellyn 17", "Glen Ellyn 17 SW", False),
        ("teams", "Tennaqua 12", "Winnetka 12", False),
        ("series", "Chicago 12", "Series 12", True),
        ("series", "Series 12", "Series 12 SW", False),
        ("series", "Series A", "Series B", False),
        ("clubs", "Hinsdale PC", "Hinsdale Pc", True),
        ("clubs", "Tennaqua", "Winnetka", False),
        ("players", "Ann Example", "Ann Sample", True),
        ("players", "Ann Example", "Bob Sample", False),
        ("leagues", "aptachicago", "APTA_CHICAGO", True),
        ("leagues", "NSTF", "CNSWPL", False),
    ],
)
def test_same_thing_under_two_names(table, before, after, same):
    """A spelling is the same thing; another number, ordinal, region or club is not."""
    words = read_reference_params(PARAMS).series_words

    assert same == is_same_thing(table, before, after, words)
