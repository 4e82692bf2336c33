"""The map names every path from a row to an imported row, and says of what it leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from rally_etl.database.references import (
    Reference,
    ReferenceParams,
    find_map,
    find_references,
    read_columns,
    read_reference_params,
)
from rally_etl.errors import UsageError
from rally_etl.protection.map import count_rows, uncovered_texts

PARAMS = Path(__file__).resolve().parents[2] / "params" / "references.yaml"

# column -> what it points at: everything that users' rows say of imported ones in the schema of the fixtures
OF_USERS = """
    users.league_context leagues.id
    users.team_id teams.id
    user_contexts.league_id leagues.id
    user_contexts.team_id teams.id
    user_contexts.series_id series.id
    user_player_associations.tenniscores_player_id players.tenniscores_player_id
    player_availability.player_id players.id
    player_availability.series_id series.id
    player_availability.player_name players.first_name last_name
    polls.team_id teams.id
    poll_responses.player_id players.id
    captain_messages.team_id teams.id
    schedule.home_team_id teams.id
    schedule.league_id leagues.id
    schedule.home_team clubs.name
    schedule.home_team series.name
    saved_lineups.team_id teams.id
    saved_lineups.lineup_data players.first_name last_name
    lineup_escrow.initiator_team_id teams.id
    lineup_escrow.recipient_team_id teams.id
    lineup_escrow.initiator_lineup players.first_name last_name
    lineup_escrow.recipient_lineup players.first_name last_name
    pairing_preferences.team_id teams.id
    player_season_tracking.player_id players.tenniscores_player_id
    player_season_tracking.team_id teams.id
    player_season_tracking.league_id leagues.id
    videos.team_id teams.id
    player_notes.player_id players.tenniscores_player_id
    player_notes.club_id clubs.id
    user_instructions.series_id series.id
    user_instructions.team_id teams.id
    activity_log.player_id players.id
    activity_log.team_id teams.id
    user_session_refresh_signals.old_league_id leagues.id
    user_session_refresh_signals.new_league_id leagues.id
    pickup_games.club_id clubs.id
    pickup_games.league_id leagues.id
    food.club_id clubs.id
    beer.club_id clubs.id
"""
SEATS = [f"{side}_player_{number}_id" for side in ("home", "away") for number in (1, 2)]
MATCH = {
    "league_id": "leagues.id",
    "home_team_id": "teams.id",
    "away_team_id": "teams.id",
    "home_team": "teams.team_name",
    "away_team": "teams.team_name",
}
PLACE = {"league_id": "leagues.id", "club_id": "clubs.id", "series_id": "series.id"}
OF_IMPORTS = {
    "club_leagues": {"club_id": "clubs.id", "league_id": "leagues.id"},
    "series": {"league_id": "leagues.id"},
    "series_leagues": {"series_id": "series.id", "league_id": "leagues.id"},
    "teams": PLACE | {"team_alias": "series.name"},
    "players": PLACE | {"team_id": "teams.id"},
    "player_history": {"player_id": "players.id", "league_id": "leagues.id", "series": "series.name"},
    "match_scores": MATCH | dict.fromkeys(SEATS, "players.tenniscores_player_id"),
    "match_scores_previous_seasons": MATCH | dict.fromkeys(SEATS, "players.tenniscores_player_id"),
    "series_stats": {"league_id": "leagues.id", "series_id": "series.id", "team_id": "teams.id"}
    | {"series": "series.name", "team": "teams.team_name"},
    "schedule": MATCH | {"location": "clubs.name"},
}


@pytest.fixture
def params() -> ReferenceParams:
    return read_reference_params(PARAMS)


def paths(references: tuple[Reference, ...]) -> list[str]:
    """`table.column target.column` of each."""
    return sorted(f"{each.name} {each.target}.{each.target_column}" for each in references)


def expected_of_imports() -> list[str]:
    return sorted(
        f"{table}.{column} {target}" for table, columns in OF_IMPORTS.items() for column, target in columns.items()
    )


def test_every_path_is_in_the_map(engine, params):
    """Each reference that the schema holds, by id and by name, once for its users' and once for its imported rows."""
    with engine.connect() as connection:
        found = find_map(connection, params)

    assert sorted(line.strip() for line in OF_USERS.strip().splitlines()) == paths(found.of_users)
    assert expected_of_imports() == paths(tuple(each for each in found.references if not each.is_users))


def test_the_map_needs_no_foreign_key(engine, params):
    """A database whose keys were dropped has the same paths."""
    with engine.begin() as connection:
        before = find_map(connection, params)
        for row in connection.execute(
            sa.text("select conname, conrelid::regclass as name from pg_constraint where contype = 'f'")
        ).all():
            connection.execute(sa.text(f'alter table {row.name} drop constraint "{row.conname}"'))
        after = find_map(connection, params)

    assert any(each.is_hard for each in before.references)
    assert not any(each.is_hard for each in after.references)
    assert paths(before.references) == paths(after.references)


def test_marks_are_of_users_rows(engine, params):
    """A poll's team is fixed and required, a context's team is neither, and a match is nobody's own row."""
    with engine.connect() as connection:
        found = find_map(connection, params).references
    marks = {(each.name, each.label): (each.is_fixed, each.is_required) for each in found if each.how == "id"}

    assert (True, True) == marks["polls.team_id", "poll"]
    assert (False, False) == marks["user_contexts.team_id", "chosen team"]
    assert (True, True) == marks["schedule.home_team_id", "practice time"]
    assert (False, False) == marks["schedule.home_team_id", "scheduled match"]
    assert (True, False) == marks["lineup_escrow.recipient_team_id", "line-up exchange"]
    assert ["user_session_refresh_signals.old_league_id"] == [each.name for each in found if each.is_past]


def test_required_columns_are_fixed(params):
    """What a row is about never changes."""
    assert params.required <= params.fixed


def test_names_are_no_ids(engine, params):
    """Whoever re-points ids meets no name."""
    with engine.connect() as connection:
        assert {"id"} == {each.how for each in find_references(connection, params, with_imported=True)}


def test_key_of_two_columns_is_two_references(engine, params):
    """A foreign key on (team_id, league_id) ties both columns."""
    with engine.begin() as connection:
        connection.execute(sa.text("alter table teams add unique (id, league_id)"))
        connection.execute(
            sa.text(
                "create table carpools (id serial, team_id int, league_id int,"
                " foreign key (team_id, league_id) references teams (id, league_id))"
            )
        )
        found = find_map(connection, params)

    assert ["carpools.league_id teams.league_id", "carpools.team_id teams.id"] == paths(found.of("carpools"))
    assert all(each.is_hard and each.is_users for each in found.of("carpools"))


def test_rows_are_counted_and_told_apart(engine, params):
    """Practice rows and matches of the schedule are counted each under their own reference, empty ones beside."""
    with engine.begin() as connection:
        for statement in (
            "insert into leagues (league_id, league_name) values ('SAMPLE', 'Sample')",
            "insert into schedule (league_id, home_team) values (1, 'Lakeside Practice - Series 1'), (1, 'practice')",
            "insert into schedule (league_id, home_team, away_team) values (1, 'Lakeside 1', 'Hillcrest 1')",
            "insert into polls (question) values ('Who?')",
        ):
            connection.execute(sa.text(statement))
        counted = count_rows(connection, find_map(connection, params).references)
    found = {(each.reference.name, each.reference.label): (each.filled, each.empty) for each in counted}

    assert (2, 0) == found["schedule.league_id", "practice time"]
    assert (1, 0) == found["schedule.league_id", "scheduled match"]
    assert (0, 2) == found["schedule.home_team_id", "practice time"]
    assert (0, 1) == found["schedule.away_team_id", "scheduled match"]
    assert (0, 1) == found["polls.team_id", "poll"]


def test_schema_is_covered(engine, params):
    """Nothing of the known schema is left out, and every name in the file is one."""
    with engine.connect() as connection:
        assert [] == uncovered_texts(connection, params)
        columns = read_columns(connection)

    late = {"practice_times", "user_activity_logs"}  # tables and columns of other databases
    declared = {(each.table, each.column) for each in (*params.soft, *params.names) if each.table not in late}
    assert {("user_contexts", "active_team_id")} == declared - columns


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("create table carpools (id serial, driver text)", "table carpools "),
        ("create table carpools (id serial, team_id int)", "column carpools.team_id "),
        ("create table carpools (id serial, their_team_ids int[])", "column carpools.their_team_ids "),
        ("create table carpools (id serial, player_2_id text)", "column carpools.player_2_id "),
        ("create table carpools (id serial, team_name text)", "column carpools.team_name "),
        ("create table carpools (id int, team int references teams) partition by range (id)", None),
        ("alter table polls add column other_team_id int", "column polls.other_team_id "),
        ("alter table groups add column club_id int", "column groups.club_id "),
        ("alter table teams add column partner_team_id int", "column teams.partner_team_id "),
        ("create schema app; create table app.rides (team_id int references public.teams)", "table app.rides "),
        ("create view carpools as select 1 as team_id", None),
    ],
)
def test_what_nobody_described_is_named(engine, params, statement, says):
    """A table or column that the map leaves out is named with what to do; a view holds no rows."""
    with engine.begin() as connection:
        connection.execute(sa.text(statement))
        told = uncovered_texts(connection, params)

    assert [True] * bool(says) == [text.startswith(says) and ": " in text for text in told]


def test_empty_database_has_an_empty_map(empty_engine, params):
    """Where nothing is, nothing is missing."""
    with empty_engine.connect() as connection:
        assert () == find_map(connection, params).references
        assert [] == uncovered_texts(connection, params)


SOFT = "{table: polls, column: team_id, target: teams.id}"
NAME = "{table: teams, column: team_alias, target: series.name}"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (SOFT, "{table: polls, col: team_id, target: teams.id}", "soft: polls.None: unknown key col"),
        (SOFT, "{table: polls, target: teams.id}", "soft: polls.None: has no column"),
        (SOFT, "{table: polls, column: team_id, target: team.id}", "target team.id is no key"),
        (SOFT, "{table: polls, column: team_id, target: teams}", "target teams is no key"),
        (SOFT, "{table: polls, column: team_id, target: teams.idd}", "target teams.idd is no key"),
        (NAME, "{table: teams, column: team_alias, target: series.id}", "target series.id is no name"),
        (NAME, NAME[:-1] + ", how: letters}", "how must be name or names, not letters"),
        (NAME, NAME[:-1] + ", pattern: '^x$'}", "with one group"),
        (NAME, NAME[:-1] + ", pattern: '(x'}", "with one group"),
        ("fixed:\n  - polls.team_id", "fixed:\n  - polls.team", "fixed: polls.team is not declared"),
        ("past:\n", "gone:\n", "unknown key gone"),
        ("unrelated:\n", "unrelated:\n  - {table: polls}\n", "TypeError"),
    ],
)
def test_wrong_entry_is_named(tmp_path, old, new, says):
    """A fault of the file is said with its entry, and nothing was looked at."""
    text = PARAMS.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "references.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        read_reference_params(path)

    assert says in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\nhint: " in str(refused.value)
