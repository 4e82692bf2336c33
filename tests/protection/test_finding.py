"""Orphans of every kind are found where they are, and nowhere else."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from rally_etl.database.engine import read_only
from rally_etl.errors import UsageError
from rally_etl.protection.finding import find_orphans
from rally_etl.protection.orphans import Orphan
from rally_etl.settings import Settings

APTA, NSTF = 1, 2
ROWS = {
    "leagues": [
        {"id": APTA, "league_id": "APTA_CHICAGO", "league_name": "APTA Chicago"},
        {"id": NSTF, "league_id": "NSTF", "league_name": "NSTF"},
    ],
    "clubs": [{"id": 1, "name": "Tennaqua"}, {"id": 2, "name": "Winnetka"}],
    "series": [
        {"id": 1, "name": "Series 12", "display_name": "Series 12", "league_id": APTA},
        {"id": 2, "name": "Series 13", "display_name": "Series 13", "league_id": APTA},
        {"id": 3, "name": "Series 1", "display_name": "Series 1", "league_id": NSTF},
    ],
    "club_leagues": [{"club_id": 1, "league_id": 1}, {"club_id": 2, "league_id": 1}, {"club_id": 1, "league_id": 2}],
    "series_leagues": [
        {"series_id": 1, "league_id": 1},
        {"series_id": 2, "league_id": 1},
        {"series_id": 3, "league_id": 2},
    ],
    "teams": [
        {"id": number, "club_id": club, "series_id": series, "league_id": league, "team_name": name}
        | {"display_name": name, "is_active": True}
        for number, club, series, league, name in (
            (11, 1, 1, APTA, "Tennaqua 12"),
            (12, 2, 1, APTA, "Winnetka 12"),
            (13, 1, 2, APTA, "Tennaqua 13"),
            (14, 1, 3, NSTF, "Tennaqua S1"),
        )
    ],
    "players": [
        {"id": number, "tenniscores_player_id": f"nndz-{first}", "first_name": first, "last_name": last}
        | {"team_id": team, "club_id": club, "series_id": series, "league_id": league, "is_active": True}
        for number, first, last, team, club, series, league in (
            (101, "Ann", "Arbor", 11, 1, 1, APTA),
            (102, "Bob", "Birch", 11, 1, 1, APTA),
            (103, "Cleo", "Cedar", 12, 2, 1, APTA),
            (104, "Dan", "Dogwood", 13, 1, 2, APTA),
            (105, "Eve", "Elm", 14, 1, 3, NSTF),
        )
    ],
    "match_scores": [
        {"id": 1, "league_id": APTA, "match_date": "2025-09-23", "home_team": "Tennaqua 12", "home_team_id": 11}
        | {"away_team": "Winnetka 12", "away_team_id": 12, "home_player_1_id": "nndz-Ann", "winner": "home"}
        | {"home_player_2_id": "nndz-Bob", "away_player_1_id": "nndz-Cleo", "scores": "6-1, 6-1"}
        | {"tenniscores_match_id": "nndz-M1_Line1"}
    ],
    "series_stats": [
        {"league_id": APTA, "series": "Series 12", "series_id": 1, "team": "Tennaqua 12", "team_id": 11, "points": 3}
    ],
    "schedule": [
        {"id": 1, "league_id": APTA, "match_date": "2025-09-23", "home_team": "Tennaqua 12", "home_team_id": 11}
        | {"away_team": "Winnetka 12", "away_team_id": 12},
        {"id": 2, "league_id": APTA, "match_date": "2025-09-25", "match_time": "19:00", "home_team_id": 11}
        | {"home_team": "Tennaqua Practice - Series 12"},
    ],
    "users": [
        {"id": number, "email": f"{number}@example.org", "password_hash": "x", "is_admin": False, "league_context": 1}
        for number in (1, 2, 3)
    ],
    "user_player_associations": [
        {"user_id": 1, "tenniscores_player_id": "nndz-Ann"},
        {"user_id": 2, "tenniscores_player_id": "nndz-Bob"},
    ],
    "user_contexts": [{"user_id": 1, "league_id": 1, "team_id": 11, "series_id": 1}],
    "polls": [{"id": number, "team_id": 11, "created_by": 1, "question": f"Day {number}?"} for number in range(1, 9)],
    "poll_choices": [{"id": 1, "poll_id": 1, "choice_text": "Monday"}],
    "poll_responses": [{"id": 1, "poll_id": 1, "choice_id": 1, "player_id": 102}],
    "captain_messages": [{"id": 1, "team_id": 11, "captain_user_id": 1, "message": "Hats on."}],
    "player_availability": [
        {"id": 1, "player_name": "Ann Arbor", "match_date": "2025-09-23T00:00:00Z", "availability_status": 1}
        | {"series_id": 1, "player_id": 101, "user_id": 1}
    ],
    "saved_lineups": [{"id": 1, "user_id": 1, "team_id": 11, "lineup_name": "First", "lineup_data": "{}"}],
    "player_season_tracking": [{"id": 1, "player_id": "nndz-Ann", "team_id": 11, "league_id": 1, "season_year": 2025}],
}


def put(connection: sa.Connection, table: str, rows: list[dict]) -> None:
    """Insert rows with the columns they name; the others get their defaults."""
    for row in rows:
        names = ", ".join(row)
        connection.execute(
            sa.text(
                f"insert into {table} ({names}) select {names}"
                f" from jsonb_populate_record(null::{table}, cast(:row as jsonb))"
            ),
            {"row": json.dumps(row)},
        )


def break_it(engine: sa.Engine, *statements: str) -> None:
    """Run statements with foreign keys and triggers off, as a careless importer does."""
    with engine.begin() as connection:
        connection.execute(sa.text("set local session_replication_role = replica"))
        for statement in statements:
            connection.execute(sa.text(statement))


@pytest.fixture
def live(engine: sa.Engine) -> sa.Engine:
    """Two leagues, four teams, and what users attached to them: nothing is wrong with it."""
    with engine.begin() as connection:
        for table, rows in ROWS.items():
            put(connection, table, rows)
    return engine


def found(engine: sa.Engine, settings: Settings, *kinds: str) -> list[Orphan]:
    """Orphans of these kinds, or of all."""
    with read_only(engine, "public") as connection:
        return find_orphans(connection, settings, kinds=kinds or None)


def places(orphans: list[Orphan]) -> list[tuple[str, str, str, str]]:
    """Kind, table, row and column of each."""
    return [(each.kind, each.table, each.row, each.column) for each in orphans]


def test_whole_database_has_no_orphans(live, settings):
    """Where every reference is right, nothing is found."""
    assert [] == found(live, settings)


def test_unknown_kind_is_refused(live, settings):
    """A kind that there is not is a mistake of the caller."""
    with pytest.raises(UsageError, match="lonely is no kind"):
        found(live, settings, "lonely")


@pytest.mark.parametrize(
    ("statement", "place", "told"),
    [
        (
            "update polls set team_id = 62014 where id = 2",
            ("polls", "2", "team_id"),
            'poll 2 ("Day 2?") points at team',
        ),
        ("update schedule set home_team_id = 99 where id = 2", ("schedule", "2", "home_team_id"), "practice time 2"),
        ("update player_availability set player_id = 9", ("player_availability", "1", "player_id"), "Ann Arbor"),
        ("update poll_responses set player_id = 9", ("poll_responses", "1", "player_id"), "player 9"),
        ("update user_contexts set series_id = 9", ("user_contexts", "1", "series_id"), "series 9"),
        ("update users set league_context = 9 where id = 2", ("users", "2", "league_context"), "league 9"),
        (
            "update user_player_associations set tenniscores_player_id = 'gone' where user_id = 2",
            ("user_player_associations", "2, gone", "tenniscores_player_id"),
            "player gone",
        ),
        ("update players set team_id = 9 where id = 105", ("players", "105", "team_id"), "player in a team 105"),
        ("update match_scores set away_team_id = 9", ("match_scores", "1", "away_team_id"), "team 9"),
        ("update match_scores set away_player_1_id = 'x'", ("match_scores", "1", "away_player_1_id"), "player x"),
        ("update schedule set away_team_id = 9 where id = 1", ("schedule", "1", "away_team_id"), "team 9"),
        ("update series_stats set team_id = 9", ("series_stats", "1", "team_id"), "team 9"),
    ],
)
def test_dangling_reference_is_found(live, settings, statement, place, told):
    """One reference to nothing is one orphan, and the sentence says which row and which value."""
    break_it(live, statement)

    dangling = found(live, settings, "dangling")

    assert [("dangling", *place[:1], *place[1:])] == places(dangling)
    assert told in dangling[0].told


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("update polls set team_id = null where id = 3", ("polls", "3", "team_id")),
        ("update schedule set home_team_id = null where id = 2", ("schedule", "2", "home_team_id")),
    ],
)
def test_reference_that_must_not_be_empty_is_found(live, settings, statement, place):
    """A poll of no team is found although nobody remembers its team."""
    break_it(live, statement)

    emptied = found(live, settings, "emptied")

    assert [("emptied", *place)] == places(emptied)
    assert emptied[0].had is None
    assert "must have one" in emptied[0].told


def remember(engine: sa.Engine, table: str, key: str, names: dict[str, str] | None = None) -> None:
    """Keep the rows of a table as the ledger does when it notes them."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into etl.user_rows (table_name, row_key, image, row_hash)"
                f" select '{table}', {key}, to_jsonb(u) || jsonb_build_object('_names', cast(:names as jsonb)), 0"
                f" from {table} as u"
            ),
            {"names": json.dumps(names or {})},
        )


def test_reference_that_was_emptied_is_found_with_what_it_had(live, settings):
    """A context that lost its team is found, with the team's id and name; one that never had a team is none."""
    break_it(live, "insert into user_contexts (user_id, league_id) values (2, 1)")
    remember(live, "user_contexts", "cast(user_id as text)", {"team_id": "Tennaqua 12"})
    break_it(live, "update user_contexts set team_id = null")

    emptied = found(live, settings, "emptied")

    assert [("emptied", "user_contexts", "1", "team_id")] == places(emptied)
    assert ("11", "Tennaqua 12", "APTA_CHICAGO") == (emptied[0].had, emptied[0].name, emptied[0].league)


def test_dangling_reference_says_what_the_id_was(live, settings):
    """History names the team that an id stood for, and until when."""
    break_it(
        live,
        "insert into etl.entity_history (table_name, entity_id, league, name, series, is_active, valid_from, valid_to)"
        " values ('teams', 62014, 'APTA_CHICAGO', 'Tennaqua 12', 'Series 12', true, '2025-07-01', '2025-08-06')",
        "update polls set team_id = 62014 where id = 2",
    )

    (orphan,) = found(live, settings, "dangling")

    assert 'poll 2 ("Day 2?") points at team 62014, which was Tennaqua 12 (Series 12) until 2025-08-06' == orphan.told
    assert ("Tennaqua 12", "Series 12", "Tennaqua", "APTA_CHICAGO") == (
        orphan.name,
        orphan.series,
        orphan.club,
        orphan.league,
    )
