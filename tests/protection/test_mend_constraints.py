"""`constraints --repair`: what stands in the way becomes one or is asked about, then the key is there; and undo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import CopyOf, Filled, first
from rally_etl import planning
from rally_etl.checks import run_checks
from rally_etl.errors import UsageError
from rally_etl.identity.answers import accept
from rally_etl.operations import KINDS
from rally_etl.planning import operations
from rally_etl.protection import find_constraints, integration_measures
from rally_etl.protection.constraints import ddl
from scrapes import APTA, Import, audited, fingerprint, line, small

pytestmark = pytest.mark.slow
PRAIRIE = "insert into clubs (id, name) values (14202, 'Prairie Club'), (8711, 'Prairie-Club')"
MATCH_KEY = "unique_match_scores_tenniscores_match_id"
REPAIR = {"kind": "constraints", "by": "Ann Example", "reason": "keys"}


def without_candidate(importing: Import) -> None:
    """The small scrape; a candidate's views depend on columns that tests drop."""
    importing.forget(importing.load(small()))


@pytest.fixture(scope="module")
def small_database(filled: Filled) -> Iterator[str]:
    """The name of a database that holds the small scrape."""
    with filled(without_candidate) as name:
        yield name


@pytest.fixture
def live(copy_of: CopyOf, small_database: str) -> Import:
    """A database of the test's own that holds the small scrape."""
    return copy_of(small_database)


def plan(live: Import, operation: dict[str, Any]) -> str:
    """Begin a run without a scrape and plan it."""
    run_id = f"20251002T{next(live.numbers):06}-test"
    live.write(
        "insert into etl.runs (run_id, source, as_of, operation)"
        " values (:run, 'x', '2025-10-01', cast(:operation as jsonb))",
        run=run_id,
        operation=json.dumps(operation),
    )
    for league in operations.leagues_of(live.engine, live.settings, operation, KINDS):
        live.write("insert into etl.run_leagues (run_id, league) values (:run, :league)", run=run_id, league=league)
    planning.make_plan(live.engine, live.settings, run_id, kinds=KINDS)
    audited(live.engine, run_id)
    return run_id


def do(live: Import, operation: dict[str, Any] = REPAIR) -> str:
    """Plan, audit and publish; rows of users must be accounted for, and constraints must not be broken."""
    run_id = plan(live, operation)
    found = integration_measures(live.engine, live.settings, run_id)[APTA]
    assert {} == {name: each["detail"] for name, each in found.items() if each["value"]}
    broken = [
        result.check
        for result in run_checks(live.engine, live.settings, run_id)
        if result.check.startswith("constraint/") and result.outcome != "passed"
    ]
    assert [] == broken
    leagues = live.column("select league from etl.run_leagues where run_id = :run", run=run_id)
    planning.publish(live.engine, run_id, leagues, first=lambda connection: ddl.drop_planned(connection, run_id))
    assert [] == planning.verify(live.engine, run_id, leagues)
    assert [] == ddl.add_planned(live.engine, run_id)
    return run_id


def undo(live: Import, run_id: str) -> str:
    """Take a run back."""
    return do(live, {"kind": "undo", "run": run_id, "by": "Ann Example", "reason": "a mistake"})


def wrong(live: Import) -> list[tuple[str, str]]:
    """Kind and table of what is wrong now."""
    with live.engine.connect() as connection:
        return [(each.kind, each.table) for each in find_constraints(connection, live.settings)]


def constraints(live: Import) -> list[tuple[str, str]]:
    """Table and columns of every unique key and foreign key, valid ones alone."""
    return live.rows(
        "select cast(conrelid as regclass)::text as place, pg_get_constraintdef(oid) from pg_constraint"
        " where contype in ('u', 'f') and convalidated and connamespace = to_regnamespace('public') union all"
        " select cast(indrelid as regclass)::text, regexp_replace(pg_get_indexdef(indexrelid), '^.* USING', '')"
        " from pg_index where indisunique and indisvalid and not exists"
        " (select from pg_constraint where conindid = indexrelid)"
        " and indrelid in (select oid from pg_class where relnamespace = to_regnamespace('public')) order by 1, 2"
    )


BROKEN = {
    "dropped": f"drop index {MATCH_KEY}",
    "partial": f"drop index {MATCH_KEY};"
    f" create unique index {MATCH_KEY} on match_scores (tenniscores_match_id) where tenniscores_match_id is not null",
    "deferrable": "alter table teams drop constraint unique_team_name_per_league,"
    " add unique (league_id, team_name) deferrable",
    "what a line says": "create unique index unique_match_data_idx"
    " on match_scores (match_date, home_team, away_team, winner, scores, tenniscores_match_id);"
    " create unique index other on match_scores (match_date, home_team, away_team, winner, scores)"
    " where match_date > '2030-01-01'",
    "namesakes": "alter table players add constraint unique_name_per_league unique (first_name, last_name, league_id)",
    "series by name": "alter table series add unique (name)",
    "one team per club and series": "alter table teams drop constraint unique_team_name_per_league;"
    " alter table teams add unique (team_name, league_id)",
    "polls without key": "alter table polls drop constraint fk_polls_team_id",
    "not valid": "alter table polls drop constraint fk_polls_team_id;"
    " alter table polls add constraint fk_polls_team_id foreign key (team_id) references teams (id) not valid",
    "some rows": "drop index idx_unique_user_date_availability",
    "shared series": "alter table series drop constraint uq_series_league_name, drop constraint fk_series_league_id,"
    " drop column league_id",
}


@pytest.mark.parametrize("what", first(3, BROKEN))
def test_constraints_are_mended_and_taken_back(what, live):
    """Each way in which environments differ is mended without a change of rows; undo brings the old state back."""
    for sql in BROKEN[what].split(";"):
        live.write(sql)
    before, rows = constraints(live), fingerprint(live.engine)

    run_id = do(live)
    assert [] == wrong(live)
    assert rows == fingerprint(live.engine)

    undo(live, run_id)
    assert before == constraints(live) or what == "not valid"
    assert rows == fingerprint(live.engine)


def prairie(live: Import) -> None:
    """One club in two spellings with a team each, one team of which stands under both; notes of users on both."""
    live.write(PRAIRIE)
    live.write(
        "insert into teams (id, club_id, series_id, league_id, team_name, display_name)"
        " select n.id, n.club, s.id, s.league_id, n.name, n.name from series as s, (values"
        " (901, 14202, 'Prairie Club 12', 'Series 12'), (902, 8711, 'Prairie-Club 12', 'Series 12'),"
        " (903, 8711, 'Prairie-Club 7 SW', 'Series 7 SW')) as n(id, club, name, series) where s.name = n.series"
    )
    live.write(
        "insert into players (tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id)"
        " select 'nndz-p' || n, 'P' || n, 'Example', t.league_id, t.club_id, t.series_id, t.id"
        " from teams as t, generate_series(1, 4) as n where t.id > 900"
    )
    live.write("select setval('clubs_id_seq', 14202), setval('teams_id_seq', 903)")
    live.write("insert into club_leagues (club_id, league_id) values (14202, 1), (8711, 1)")
    live.write("insert into users (email, password_hash) values ('ann@example.org', 'x')")
    live.write(
        "insert into player_notes (player_id, creator_id, club_id, note) values"
        " ('nndz-p1', 1, 14202, 'lefty'), ('nndz-p1', 1, 8711, 'serves well')"
    )
    live.write("insert into polls (team_id, question) values (902, 'Who?'), (903, 'When?')")


def test_clubs_in_two_spellings_become_one(live):
    """Teams, players and notes of both are those of the club that stays; no user's row is lost; undo splits them."""
    prairie(live)
    before = fingerprint(live.engine)
    assert {("violated", "clubs"), ("violated", "teams")} == set(wrong(live))

    run_id = do(live)

    assert [] == wrong(live)
    assert [("lefty", 14202), ("serves well", 14202)] == live.rows("select note, club_id from player_notes order by id")
    assert [("When?", 903), ("Who?", 901)] == live.rows("select question, team_id from polls order by 1")
    assert [14202] == live.column("select distinct club_id from teams where id in (901, 903)")
    assert [False] == live.column("select is_active from teams where id = 902")
    assert [14202] == live.column("select club_id from club_leagues where club_id in (8711, 14202)")
    merged = live.rows(
        "select table_name, row_key, becomes from etl.repairs where run_id = :run and action = 'merge'"
        " and table_name <> 'players' order by 1",
        run=run_id,
    )
    assert [("clubs", "8711", "14202"), ("teams", "902", "901")] == merged

    undo(live, run_id)
    assert before == fingerprint(live.engine)


@pytest.mark.slow
def test_clubs_of_one_spelling_make_room_for_the_key(live):
    """Two rows with the very same name: the one that goes gives up its name, so that the key has room."""
    live.write("alter table clubs drop constraint clubs_name_key")
    live.write("insert into clubs (name) values ('Tennaqua')")

    do(live)

    assert [] == wrong(live)
    stays = live.column("select id from clubs where name = 'Tennaqua'")[0]
    assert [f"Tennaqua (merged into {stays})"] == live.column(
        "select name from clubs where id <> :id and name like 'Tennaqua%'", id=stays
    )


def test_teams_that_have_met_stay_two(live):
    """Two teams whose names have the same letters met each other: nothing is folded, a person is asked."""
    prairie(live)
    live.write(
        "insert into schedule (league_id, match_date, home_team, away_team, home_team_id, away_team_id)"
        " values (1, '2025-10-01', 'Prairie Club 12', 'Prairie-Club 12', 901, 902)"
    )

    run_id = do(live)

    assert [] == live.rows(
        "select * from etl.repairs where run_id = :run and action = 'merge' and table_name = 'teams'", run=run_id
    )


def twice(live: Import) -> None:
    """The whole import a second time under doubled suffixes, without the key."""
    live.write(f"drop index {MATCH_KEY}")
    columns = "league_id, match_date, home_team, away_team, home_team_id, away_team_id, home_player_1_id,"
    columns += " home_player_2_id, away_player_1_id, away_player_2_id, scores, winner"
    live.write(
        f"insert into match_scores ({columns}, tenniscores_match_id) select {columns},"
        " tenniscores_match_id || substring(tenniscores_match_id from '_Line[0-9]+$') from match_scores"
    )


def test_lines_imported_twice_are_deleted(live):
    """Copies under a doubled suffix go, the key comes, and both are taken back."""
    twice(live)
    before = fingerprint(live.engine)
    assert ("violated", "match_scores") in wrong(live)

    run_id = do(live)
    assert [] == wrong(live)
    assert [4] == live.column("select count(*) from match_scores")
    assert [4] == live.column("select count(*) from etl.repairs where run_id = :run and action = 'delete'", run=run_id)

    undo(live, run_id)
    assert before == fingerprint(live.engine)


@pytest.mark.slow
def test_same_id_twice(live):
    """The same id without a key, and the row says something else: a person is asked, and no key comes."""
    live.write(f"drop index {MATCH_KEY}")
    live.write(
        "insert into match_scores (league_id, match_date, tenniscores_match_id, scores)"
        " select league_id, match_date, tenniscores_match_id, '6-0, 6-0' from match_scores"
        " where tenniscores_match_id = 'nndz-match0_Line1'"
    )

    run_id = do(live)

    assert {("missing", "match_scores"), ("violated", "match_scores")} == set(wrong(live))
    asked = live.rows("select entity, kind, name, is_held, state from etl.reviews")
    assert [("row", "doubled", "match_scores nndz-match0_Line1", True, "open")] == asked
    assert [("match_scores", "not added: rows stand in its way")] == [key[:2] for key in live.held(run_id)]
    assert (
        "scores: 6-0, 6-0 or 6-2, 6-4; winner: home or nothing"
        in live.column("select candidates -> 0 ->> 'evidence' from etl.reviews")[0]
    )

    right = live.column("select min(id) from match_scores where tenniscores_match_id = 'nndz-match0_Line1'")[0]
    number = live.column("select number from etl.reviews")[0]
    accept(live.engine, live.settings, number, "Ann Example", "seen on paper", right)
    do(live)
    assert [] == wrong(live)
    assert [right] == live.column("select id from match_scores where tenniscores_match_id = 'nndz-match0_Line1'")


@pytest.mark.slow
def test_lines_that_differ_under_a_doubled_suffix(live):
    """A copy with another score is nobody's to delete."""
    twice(live)
    live.write("update match_scores set scores = '6-1, 6-1' where tenniscores_match_id = 'nndz-match0_Line1_Line1'")

    do(live)

    assert [5] == live.column("select count(*) from match_scores")
    assert [("violated", "match_scores")] == wrong(live)
    assert ["match_scores nndz-match0_Line1"] == live.column("select name from etl.reviews")


@pytest.mark.slow
def test_suffix_that_repeats_alone_is_written_once(live):
    """Incident 15: no copy is there, the id itself is wrong."""
    first = "tenniscores_match_id = 'nndz-match0_Line1'"
    live.write(f"update match_scores set tenniscores_match_id = 'nndz-match0_Line1_Line1_Line1' where {first}")
    before = fingerprint(live.engine)
    assert [("violated", "match_scores")] == wrong(live)

    run_id = do(live)
    assert [] == wrong(live)
    assert [1] == live.column(f"select count(*) from match_scores where {first}")

    undo(live, run_id)
    assert before == fingerprint(live.engine)


def test_player_with_two_accounts_is_asked_about(live):
    """Incident 50: who, since when and how much each wrote; no row of either changes, and the key waits."""
    live.write("alter table user_player_associations drop constraint unique_tenniscores_player_id")
    live.write(
        "insert into users (email, password_hash, first_name, last_name) values"
        " ('a@example.org', 'x', 'Ann', 'Example'), ('b@example.org', 'x', 'Ann', 'Exampel')"
    )
    live.write(
        "insert into user_player_associations (user_id, tenniscores_player_id, created_at) values"
        " (1, 'nndz-Tennaqua121', '2025-07-01'), (2, 'nndz-Tennaqua121', '2025-08-01')"
    )
    live.write("insert into polls (team_id, created_by, question) select min(id), 2, 'Who?' from teams")
    before = fingerprint(live.engine)

    do(live)

    assert before == fingerprint(live.engine)
    (review,) = live.rows("select * from etl.reviews")
    assert ("player", "doubled", True, APTA) == (review.entity, review.kind, review.is_held, review.league)
    assert [2, 1] == [each["id"] for each in review.candidates]
    assert "since 2025-08-01, 1 row written" == review.candidates[0]["evidence"]
    assert {("missing", "user_player_associations"), ("violated", "user_player_associations")} == set(wrong(live))

    with pytest.raises(UsageError, match=r"rows of users .*nothing was changed\nhint: "):
        accept(live.engine, live.settings, review.number, "Ann Example", "she said so", 1)
    live.load(small())
    assert ["open"] == live.column("select state from etl.reviews")
    live.write("delete from user_player_associations where user_id = 1")
    do(live)
    assert [] == wrong(live)
    assert ["obsolete"] == live.column("select state from etl.reviews")


@pytest.mark.slow
def test_doubled_rows_of_users_are_asked_about(live):
    """Availability twice for one day: both rows stay, the key waits, the question says what differs."""
    live.write("drop index idx_unique_user_date_availability")
    live.write("insert into users (email, password_hash) values ('a@example.org', 'x')")
    live.write(
        "insert into player_availability (player_name, match_date, availability_status, series_id, user_id)"
        " values ('Ann', '2025-10-01', 1, 1, 1), ('Ann', '2025-10-01', 2, 1, 1)"
    )
    before = fingerprint(live.engine)

    do(live)

    assert before == fingerprint(live.engine)
    assert ["row"] == live.column("select entity from etl.reviews")
    assert ["they differ in availability_status: 1 or 2"] == live.column(
        "select candidates -> 0 ->> 'evidence' from etl.reviews"
    )


@pytest.mark.slow
def test_memberships_that_stand_twice(live):
    """The very same membership twice without the key: one stays with what refers to either."""
    live.write("alter table players drop constraint unique_player_in_league_club_series")
    live.write(
        "insert into players (tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id)"
        " select tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id from players"
        " where tenniscores_player_id = 'nndz-Tennaqua121'"
    )
    first, second = live.column("select id from players where tenniscores_player_id = 'nndz-Tennaqua121' order by id")
    live.write("insert into polls (team_id, question) values ((select min(id) from teams), 'Who?')")
    live.write("insert into poll_responses (poll_id, player_id) values (1, :second)", second=second)
    before = fingerprint(live.engine)

    run_id = do(live)
    assert [] == wrong(live)
    assert [first] == live.column("select player_id from poll_responses")

    undo(live, run_id)
    assert before == fingerprint(live.engine)


def test_next_import_knows_what_was_made_one(live):
    """A membership and a club that were folded stay so: the same scrape plans nothing."""
    live.write("alter table players drop constraint unique_player_in_league_club_series")
    live.write("alter table clubs drop constraint clubs_name_key")
    live.write("insert into clubs (name) values ('Tennaqua')")
    live.write(
        "insert into players (tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id)"
        " select tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id from players"
        " where tenniscores_player_id = 'nndz-Tennaqua121'"
    )
    do(live)

    assert {} == live.changes(live.load(small()))


@pytest.mark.slow
def test_other_writers_make_an_index_impossible(live):
    """Somebody writes a double after the plan: the index that fails is taken away again, and it is said."""
    live.write(f"drop index {MATCH_KEY}")
    run_id = plan(live, REPAIR)
    planning.publish(live.engine, run_id, [APTA])
    live.write(
        "insert into match_scores (tenniscores_match_id) select tenniscores_match_id from match_scores where id = 1"
    )

    problems = ddl.add_planned(live.engine, run_id)

    assert 1 == len(problems)
    assert "could not be added" in problems[0]
    assert [] == live.rows("select indexrelid from pg_index where not indisvalid")
    assert [True] == live.column("select fault is not null and done_at is null from etl.constraint_changes")


def test_dump_of_july(live):
    """A dump without keys on match ids, schedule and polls, with series shared by name and the old keys of teams."""
    for sql in (
        f"drop index {MATCH_KEY}",
        "alter table schedule drop constraint unique_schedule_match",
        "alter table polls drop constraint fk_polls_team_id",
        "alter table series drop constraint uq_series_league_name, drop constraint fk_series_league_id,"
        " drop column league_id, add constraint series_name_key unique (name)",
        "alter table series_stats drop column updated_at",
        "alter table players drop constraint unique_player_in_league_club_series, add constraint"
        " unique_player_in_league_club_series unique (tenniscores_player_id, league_id, club_id, series_id)",
    ):
        live.write(sql)
    assert [
        ("missing", "match_scores"), ("missing", "schedule"), ("missing", "players"), ("contradicted", "players"),
        ("missing", "polls"),
    ] == wrong(live)  # fmt: skip

    do(live)

    assert [] == wrong(live)


@pytest.mark.slow
def test_line_of_another_meeting_is_no_copy(live):
    """The same courts on another day have other ids and stay."""
    scrape = small()
    scrape["match_scores"].append(line("nndz-m9_Line1", "Tennaqua 12", "Winnetka 12", Date="30-Sep-25"))
    live.load(scrape)
    rows = fingerprint(live.engine)

    do(live)

    assert rows == fingerprint(live.engine)
