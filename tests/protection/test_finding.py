"""Orphans of every kind are found where they are, and nowhere else."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from rally_etl.database.engine import read_only
from rally_etl.database.references import read_reference_params
from rally_etl.errors import UsageError
from rally_etl.protection.finding import count_gone, find_orphans
from rally_etl.protection.memory import note_users
from rally_etl.protection.orphans import Orphan
from rally_etl.sample.attachments import attach
from rally_etl.sample.season import write
from rally_etl.settings import Settings
from scrapes import Import

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
    """A context that lost its team with the team is found; one that its user emptied is none."""
    break_it(live, "insert into user_contexts (user_id, league_id, team_id) values (2, 1, 12)")
    remember(live, "user_contexts", "cast(user_id as text)", {"team_id": "Tennaqua 12"})
    break_it(live, "update user_contexts set team_id = null", "update teams set id = 88 where id = 11")

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


def history(table: str, number: int, name: str, since: str, until: str | None, **changes: str | None) -> str:
    """A statement that records one sighting."""
    row = {"valid_to": until, "league": "APTA_CHICAGO", "series": "Series 12", "run_id": None} | changes
    values = ", ".join("null" if value is None else f"'{value}'" for value in row.values())
    return (
        f"insert into etl.entity_history (table_name, entity_id, name, is_active, valid_from, {', '.join(row)})"
        f" values ('{table}', {number}, '{name}', true, '{since}', {values})"
    )


def test_repair_that_moves_two_teams_rows_to_one_team_is_found(live, settings):
    """Practices of two teams that a repair re-pointed to a third one are told apart by what each pointed at."""
    break_it(
        live,
        "drop table if exists practice_times",
        "create table practice_times (id serial primary key, team_id integer, day_of_week text)",
        "insert into practice_times (id, team_id, day_of_week) values (1, 11, 'Monday'), (2, 14, 'Friday')",
    )
    remember(live, "practice_times", "cast(id as text)", {"team_id": "a name"})
    break_it(live, "update practice_times set team_id = 12")

    moved = found(live, settings, "moved")

    assert [("moved", "practice_times", "1", "team_id"), ("moved", "practice_times", "2", "team_id")] == places(moved)
    assert [("12", "11"), ("12", "14")] == [(each.was, each.had) for each in moved]
    assert "points at team 12, which is Winnetka 12, and pointed at team 11" in moved[0].told


def test_id_given_to_another_team_is_found_by_memory(live, settings):
    """A poll's id stays while its team's becomes another one; a new spelling of the same team is none."""
    remember(live, "polls", "cast(id as text)", {"team_id": "Tennaqua 12"})
    break_it(live, "update teams set team_name = 'Tennaqua - 12' where id = 11")
    assert [] == found(live, settings, "moved")

    break_it(live, "update teams set team_name = 'Glen Ellyn 17 SW' where id = 11")
    moved = found(live, settings, "moved")

    assert 8 == len(moved)
    assert ("polls", "11", "11", "Tennaqua 12") == (moved[0].table, moved[0].was, moved[0].had, moved[0].name)
    assert moved[0].told.endswith("was Tennaqua 12 when last seen and is Glen Ellyn 17 SW now")


@pytest.mark.parametrize(("run_id", "count"), [(None, 1), ("20250901T060000-aaaa", 0)])
def test_id_given_to_another_team_is_found_by_history(live, settings, run_id, count):
    """Without memory, a row written before the id changed hands is found, unless a run has renamed the team."""
    break_it(
        live,
        history("teams", 11, "Hinsdale PC I 7 SW", "2025-07-01", "2025-08-06", series="Series 7 SW"),
        history("teams", 11, "Tennaqua 12", "2025-08-06", None, run_id=run_id),
        "update polls set created_at = '2025-06-01' where id = 4",
    )

    moved = found(live, settings, "moved")

    assert [("moved", "polls", "4", "team_id")] * count == places(moved)
    told = "which was Hinsdale PC I 7 SW (Series 7 SW) until 2025-08-06 and is Tennaqua 12 now"
    assert [True] * count == [told in each.told for each in moved]


def test_practice_of_another_team_than_its_text_is_found(live, settings):
    """The text of a practice names its club and series: another team's id is wrong, another spelling is not."""
    break_it(live, "update series set name = 'Chicago 12' where id = 1")
    assert [] == found(live, settings, "moved")

    break_it(live, "update schedule set home_team_id = 12 where id = 2")
    (moved,) = found(live, settings, "moved")

    assert ("schedule", "2", "home_team_id", "12") == (moved.table, moved.row, moved.column, moved.was)
    assert ("Tennaqua", "Series 12") == (moved.club, moved.series)


@pytest.mark.parametrize(("player", "count"), [(101, 0), (102, 1)])
def test_availability_of_somebody_else_is_found(live, settings, player, count):
    """The player of an availability bears the name that it says."""
    break_it(live, f"update player_availability set player_id = {player}")

    moved = found(live, settings, "moved")

    assert [("moved", "player_availability", "1", "player_id")] * count == places(moved)
    assert ["Ann Arbor"] * count == [each.name for each in moved]


def test_availability_of_a_relative_is_found(live, settings):
    """Two people share a part of their name; the one whose whole name it is must be meant."""
    break_it(
        live,
        "update players set last_name = 'Arbor' where id = 102",
        "update player_availability set player_id = 102",
    )

    assert [("moved", "player_availability", "1", "player_id")] == places(found(live, settings, "moved"))


def test_rows_that_went_in_numbers_are_found(live, settings):
    """Practices that an importer deleted are found; one poll that its captain deleted is not, nor its votes."""
    break_it(
        live,
        "insert into schedule (id, league_id, match_date, match_time, home_team, home_team_id) select 10 + n, 1,"
        " date '2025-10-01' + n, '19:00', 'Tennaqua Practice - Series 12', 11 from generate_series(1, 4) as n",
        "insert into poll_responses (id, poll_id, player_id) select 10 + n, 1, 200 + n from generate_series(1, 5) as n",
    )
    for table in ("schedule", "polls", "poll_responses"):
        remember(live, table, "cast(id as text)", {"home_team_id": "Tennaqua 12"})
    break_it(live, "delete from etl.user_rows where table_name = 'schedule' and row_key = '1'")
    break_it(live, "delete from polls where id = 1", "delete from poll_responses where poll_id = 1")
    assert [] == found(live, settings, "gone")

    break_it(live, "delete from schedule where away_team is null")
    gone = found(live, settings, "gone")

    assert {"schedule"} == {each.table for each in gone}
    assert ["2", "11", "12", "13", "14"] == [each.row for each in gone]
    assert "is gone: 5 of 5 rows of schedule are gone" in gone[0].told
    assert ("Tennaqua 12", "Tennaqua", "Series 12") == (gone[0].name, gone[0].club, gone[0].series)
    with read_only(live, "public") as connection:
        assert {"polls": 1, "poll_responses": 6} == count_gone(connection, settings)


def test_rows_of_one_team_that_went_in_numbers_are_found(live, settings):
    """Five practices of one team are gone, few among those of all teams."""
    break_it(
        live,
        "insert into schedule (id, league_id, match_date, match_time, home_team, home_team_id) select 10 + n, 1,"
        " date '2025-10-01' + n, '19:00', 'Practice', case when n <= 5 then 12 else 13 end"
        " from generate_series(1, 60) as n",
    )
    remember(live, "schedule", "cast(id as text)")
    break_it(live, "delete from schedule where home_team_id = 12")

    gone = found(live, settings, "gone")

    assert 5 == len(gone)
    assert "5 of 5 rows of schedule of team 12 are gone" in gone[0].told


def test_dropped_table_takes_all_its_rows(live, settings):
    """A table that somebody dropped is missed row by row."""
    remember(live, "captain_messages", "cast(id as text)", {"team_id": "Tennaqua 12"})
    remember(live, "polls", "cast(id as text)", {"team_id": "Tennaqua 12"})
    break_it(live, "drop table poll_responses", "drop table poll_choices", "drop table polls")

    gone = found(live, settings, "gone")

    assert [("polls", str(number)) for number in range(1, 9)] == [(each.table, each.row) for each in gone]


@pytest.mark.parametrize(
    ("statement", "places_found"),
    [
        (
            "update match_scores set home_team_id = null, away_team_id = null",
            [("match_scores", "1", "away_team_id"), ("match_scores", "1", "home_team_id")],
        ),
        ("update schedule set away_team_id = null where id = 1", [("schedule", "1", "away_team_id")]),
        ("update series_stats set series_id = null", [("series_stats", "1", "series_id")]),
        ("update players set team_id = null where id = 103", [("players", "103", "team_id")]),
        ("update match_scores set home_team_id = null, home_team = 'BYE'", []),
        ("update players set team_id = null, is_active = false where id = 103", []),
    ],
)
def test_row_that_names_a_team_without_its_id_is_found(live, settings, statement, places_found):
    """An imported row says which team it is of; BYE is no team, and who left has none."""
    break_it(live, statement)

    assert [("unlinked", *place) for place in places_found] == places(found(live, settings, "unlinked"))


@pytest.mark.parametrize(
    ("statements", "places_found"),
    [
        (["update match_scores set home_team_id = 13"], [("match_scores", "1", "home_team_id")]),
        (["update schedule set home_team_id = 13 where id = 1"], [("schedule", "1", "home_team_id")]),
        (["update series_stats set team_id = 14"], [("series_stats", "1", "team_id")]),
        (["update players set team_id = 14 where id = 101"], [("players", "101", "team_id")]),
        (["update match_scores set home_team = 'Tennaqua twelve'"], []),
        (
            [
                "update teams set team_name = 'Tennaqua 21' where id = 11",
                "update teams set team_name = 'Tennaqua 12' where id = 13",
                history("teams", 11, "Tennaqua 12", "2025-07-01", "2025-08-06"),
            ],
            [],
        ),
    ],
)
def test_row_of_another_team_than_it_names_is_found(live, settings, statements, places_found):
    """A text that is exactly another team's name is that team's; a name that the team had before is its own."""
    break_it(live, *statements)

    assert [("mislinked", *place) for place in places_found] == places(found(live, settings, "mislinked"))


@pytest.mark.parametrize(
    ("statement", "kind", "place"),
    [
        ("delete from club_leagues where club_id = 2", "unpaired", ("club_leagues", "2, 1", "")),
        ("delete from series_leagues where series_id = 3", "unpaired", ("series_leagues", "3, 2", "")),
        (
            "insert into teams (id, club_id, series_id, league_id, team_name, display_name)"
            " values (15, 2, 2, 1, 'Winnetka 13', 'Winnetka 13')",
            "unspoken",
            ("teams", "15", ""),
        ),
        ("update teams set series_id = 3 where id = 13", "unspoken", ("teams", "13", "series_id")),
        (
            "insert into user_player_associations values (3, 'nndz-Ann')",
            "doubled",
            ("user_player_associations", "1, nndz-Ann", "tenniscores_player_id"),
        ),
        (
            "insert into schedule (id, league_id, match_date, match_time, home_team, home_team_id)"
            " values (9, 1, '2025-09-25', '19:00', 'Tennaqua Practice - Series 12', 11)",
            "doubled",
            ("schedule", "2", ""),
        ),
        (
            "insert into match_scores (id, league_id, match_date, home_team, home_team_id, away_team, away_team_id,"
            " home_player_1_id, home_player_2_id, away_player_1_id, winner, scores, tenniscores_match_id)"
            " select 9, league_id, match_date, home_team, home_team_id, away_team, away_team_id, home_player_1_id,"
            " home_player_2_id, away_player_1_id, winner, scores, tenniscores_match_id || '_Line1' from match_scores",
            "doubled",
            ("match_scores", "1", ""),
        ),
    ],
)
def test_pairs_teams_and_doubles_are_found(live, settings, statement, kind, place):
    """What a junction lacks, an active team that nothing speaks of or of another league, one thing in two rows."""
    if kind == "doubled":
        break_it(live, "alter table user_player_associations drop constraint if exists unique_tenniscores_player_id")
    break_it(live, statement)

    assert [(kind, *place)] == places(found(live, settings, kind))


def test_leagues_limit_what_is_found(live, settings):
    """An orphan of another league is left out; one of which no league is known is not."""
    break_it(live, "update user_contexts set team_id = 99", "update polls set team_id = 99 where id = 1")
    break_it(live, "update players set team_id = 99 where league_id = 2")

    with read_only(live, "public") as connection:
        seen = find_orphans(connection, settings, kinds=("dangling",), leagues=("APTA_CHICAGO",))

    assert [("polls", "*"), ("user_contexts", "APTA_CHICAGO")] == [(each.table, each.league) for each in seen]


@pytest.mark.parametrize(
    "statements",
    [
        ["drop schema etl cascade"],
        ["drop table series_leagues", "alter table series drop column league_id"],
        ["drop table club_leagues", "alter table player_availability drop column user_id"],
        ["alter table user_player_associations drop constraint user_player_associations_pkey"],
        ["drop table polls cascade", "drop table poll_choices cascade", "alter table schedule drop column match_time"],
        ["alter table polls drop column created_at", "alter table teams drop column is_active"],
    ],
)
def test_other_shapes_of_the_database_are_searched(live, settings, statements):
    """A ledger, junction, key or column that a database lacks is no fault, and no reason to find something."""
    break_it(live, *statements)

    assert [] == found(live, settings)


def test_person_of_match_lines_is_found_once(live, settings):
    """One finding per person, however many lines; an id that a scraper made up was never anybody's."""
    break_it(
        live,
        "update match_scores set home_player_1_id = 'nndz-Zoe', away_player_1_id = 'nndz-FALLBACK_ABC'",
        "insert into match_scores (id, league_id, away_player_2_id) values (9, 1, 'nndz-Zoe')",
    )

    (orphan,) = found(live, settings, "dangling")

    assert ("1", "home_player_1_id", "nndz-Zoe") == (orphan.row, orphan.column, orphan.was)
    assert "plays in 2 match lines" in orphan.told


@pytest.mark.slow
def test_sample_season_has_no_orphans(engine, settings, tmp_path):
    """Three weeks of the sample season with users of every kind: whatever a run does, nobody loses anything by it."""
    importing = Import(engine, settings)
    params = read_reference_params(settings.params_dir / "references.yaml")
    for week in write(tmp_path / "season"):
        importing.load(week)
        attach(engine, users_per_team=2)
        with engine.begin() as connection:
            note_users(connection, params)
        assert [] == found(engine, settings)


def test_team_that_a_row_without_an_id_names_is_spoken_of(live, settings):
    """Its rows have lost their ids: that is what has to be mended, and the team is none too many."""
    break_it(
        live,
        "insert into teams (id, club_id, series_id, league_id, team_name, display_name)"
        " values (15, 2, 2, 1, 'Winnetka 13', 'Winnetka 13')",
        "insert into series_stats (league_id, series, team) values (1, 'Series 13', 'Winnetka 13')",
    )

    assert [] == places(found(live, settings, "unspoken"))
