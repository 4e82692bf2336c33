"""Merging two live rows re-points what refers to the one that goes, and undo splits them again, to the last column."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conftest import CopyOf, Filled
from operating import NOTHING, do, measured, merge, plan, refused, undo
from rally_etl import planning
from rally_etl.planning.schema import read_planned
from scrapes import Import, fingerprint, line, meeting, player, small, stats

TWIN = "Tennaqua SC 12"  # the same team as Tennaqua 12, under a name that no grammar brings together


def two_rows_of_one_team(loaded: Import) -> None:
    """Players (one of them in both), matches, standings, meetings and users' rows on each."""
    loaded.load(small())
    scrape = small()
    for name in ("Tennaqua121", "other1", "other2", "other3", "other4"):
        scrape["players"].append(player(name, TWIN, Series="Series 12"))
    scrape["series_stats"].append(stats(TWIN, series="Series 12", points=3, matches={"won": 0, "lost": 1, "tied": 0}))
    seats = {f"{side} Player {n} ID": f"nndz-other{n}" for side in ("Home",) for n in (1, 2)}
    scrape["match_scores"].append(line("nndz-match7_Line1", TWIN, "Winnetka 12", Date="30-Sep-25", **seats))
    scrape["schedules"].append(meeting("09/30/2025", TWIN, "Winnetka 12", series="Series 12"))
    loaded.load(scrape)
    team, winner = ids(loaded)
    loaded.write("insert into users (email, password_hash) values ('ann@example.org', 'x'), ('bob@example.org', 'x')")
    shared, other = (
        loaded.column(
            "select id from players where team_id = :team and tenniscores_player_id = :person", team=team, person=person
        )[0]
        for person in ("nndz-Tennaqua121", "nndz-other1")
    )
    for statement in (
        "insert into polls (team_id, question) values (:team, 'Who?'), (:winner, 'When?')",
        "insert into poll_responses (poll_id, player_id) values (1, :shared), (1, :other)",
        "insert into user_contexts (user_id, league_id, team_id) values (1, 1, :team)",
        "insert into captain_messages (team_id, captain_user_id, message) values (:team, 1, 'Hello')",
        "insert into user_player_associations (user_id, tenniscores_player_id) values (1, 'nndz-other1')",
        "insert into saved_lineups (user_id, team_id, lineup_name, lineup_data) values (1, :team, 'First', '{}')",
        "insert into schedule (league_id, match_date, home_team, home_team_id)"
        " values (1, '2025-10-02', 'Tennaqua SC Practice - Series 12', :team)",
    ):
        names = {"team": team, "winner": winner, "shared": shared, "other": other}
        loaded.write(statement, **{name: value for name, value in names.items() if f":{name}" in statement})


@pytest.fixture(scope="module")
def twins_database(filled: Filled) -> Iterator[str]:
    """The name of a database with two rows of one team."""
    with filled(two_rows_of_one_team) as name:
        yield name


@pytest.fixture
def twins(copy_of: CopyOf, twins_database: str) -> Import:
    """A database of the test's own with two rows of one team."""
    return copy_of(twins_database)


def ids(importing: Import) -> tuple[int, int]:
    """The row that goes and the one that stays."""
    found = {row.team_name: row.id for row in importing.rows("select id, team_name from teams")}
    return found[TWIN], found["Tennaqua 12"]


def test_everything_that_refers_to_a_team_is_re_pointed(twins):
    """No row of any table refers to the team that went, and the names beside ids are those of the team that stays."""
    loser, winner = ids(twins)
    run_id = do(twins, merge("teams", loser, winner))

    for table, column in (
        ("match_scores", "home_team_id"), ("match_scores", "away_team_id"), ("schedule", "home_team_id"),
        ("schedule", "away_team_id"), ("series_stats", "team_id"), ("polls", "team_id"), ("user_contexts", "team_id"),
        ("captain_messages", "team_id"), ("saved_lineups", "team_id"),
    ):  # fmt: skip
        assert [] == twins.rows(f"select * from {table} where {column} = :id", id=loser), (table, column)
    assert [("Tennaqua 12", winner)] == twins.rows(
        "select home_team, home_team_id from match_scores where tenniscores_match_id = 'nndz-match7_Line1'"
    )
    assert [("Tennaqua SC Practice - Series 12", winner)] == twins.rows(
        "select home_team, home_team_id from schedule where home_team like '%Practice%'"
    )
    assert [winner, winner] == twins.column("select team_id from polls order by id")
    assert [(False, f"{TWIN} (merged into {winner})"), (True, "Tennaqua 12")] == twins.rows(
        "select is_active, team_name from teams where id in (:a, :b) order by is_active", a=loser, b=winner
    )
    kept = twins.rows("select matches_won + matches_lost from series_stats where team_id = :id", id=winner)
    assert [(2,)] == kept, "of two rows in the standings the one with more matches stays"
    tables = set(read_planned(twins.engine.connect(), run_id))
    assert {"polls", "user_contexts", "poll_responses"} <= tables
    assert not {"users", "users_contexts", "player_notes", "user_player_associations"} & tables


def test_person_in_both_teams_keeps_one_membership(twins):
    """The membership in the team that goes is switched off and what refers to it re-pointed; the others move over."""
    loser, winner = ids(twins)
    before = twins.rows(
        "select team_id, id from players where tenniscores_player_id = 'nndz-Tennaqua121' order by team_id = :id",
        id=loser,
    )
    do(twins, merge("teams", loser, winner))
    (_, kept), (_, gone) = before

    assert [(kept, True), (gone, False)] == twins.rows(
        "select id, is_active from players where tenniscores_player_id = 'nndz-Tennaqua121' order by is_active desc"
    )
    assert [kept] == twins.column("select player_id from poll_responses where id = 1")
    assert 4 == len(twins.rows("select 1 from players where team_id = :id and first_name like 'other%'", id=winner))
    assert [("players", gone, kept), ("teams", loser, winner)] == twins.rows(
        "select table_name, from_id, into_id from etl.redirects where ended_at is null order by 1"
    )


def test_merge_then_undo_is_as_before(twins):
    """Undo brings every public table back to the last column, ends redirects and aliases, and can be undone itself."""
    before = fingerprint(twins.engine)
    merged = do(twins, merge("teams", *ids(twins)))
    after = fingerprint(twins.engine)
    assert before != after

    undone = do(twins, undo(merged))
    assert before == fingerprint(twins.engine)
    assert [] == twins.rows("select * from etl.redirects where ended_at is null")
    assert [] == twins.rows("select * from etl.aliases where ended_at is null and strategy = 'merge'")

    do(twins, undo(undone))
    assert after == fingerprint(twins.engine)
    assert [2] == twins.column("select count(*) from etl.redirects where ended_at is null")
    assert [1] == twins.column("select count(*) from etl.aliases where ended_at is null and strategy = 'merge'")


def test_next_import_finds_the_team_that_stays(twins):
    """The old name is an alias: a scrape that still prints it makes no team, and none comes back."""
    loser, winner = ids(twins)
    do(twins, merge("teams", loser, winner))
    scrape = small()
    for record in (*scrape["players"], *scrape["series_stats"]):
        name = "Team" if "Team" in record else "team"
        record[name] = TWIN if record[name] == "Tennaqua 12" else record[name]
    count = twins.column("select count(*) from teams")

    twins.load({kind: scrape[kind] for kind in ("players", "series_stats")})

    assert count == twins.column("select count(*) from teams")
    assert [True] == twins.column("select is_active from teams where id = :id", id=winner)
    assert [False] == twins.column("select is_active from teams where id = :id", id=loser)


def test_what_users_said_twice_is_not_folded(twins):
    """Two line-ups of one name, one for each team: the merge names both rows and changes nothing."""
    loser, winner = ids(twins)
    twins.write(
        "insert into saved_lineups (user_id, team_id, lineup_name, lineup_data) values (1, :id, 'First', '{}')",
        id=winner,
    )

    refused(twins, merge("teams", loser, winner), "saved_lineups 1 and 2: both would be user_id 1, team_id")


@pytest.mark.parametrize(
    ("operation", "telling"),
    [
        (lambda a, b: merge("leagues", a, b), "rows of 'leagues' cannot be merged"),
        (lambda a, b: merge("teams", a, 999), "teams has no row 999"),
        (lambda a, b: merge("teams", a, a), "is one row already"),
        (lambda a, b: merge("teams", b, b + 1), "they are two teams"),
        (lambda a, b: undo("x"), "there is no run 'x'"),
    ],
)
def test_wrong_merges_are_refused(twins, operation, telling):
    """Tables without merges, rows that do not exist, one row, opponents: each has its words and a hint."""
    refused(twins, operation(*ids(twins)), telling)


def test_row_that_was_merged_is_not_merged_again(twins):
    """The message names the row to use instead."""
    loser, winner = ids(twins)
    do(twins, merge("teams", loser, winner))

    refused(twins, merge("teams", loser, winner), f"teams {loser} was merged into {winner}")


def test_clubs_are_merged_when_no_team_is_double(twins):
    """First the teams that would be one, then the clubs; what refers to the club that goes follows."""
    loser, winner = ids(twins)
    clubs = twins.rows("select club_id from teams where id in (:a, :b) order by id = :a desc", a=loser, b=winner)
    operation = merge("clubs", clubs[0].club_id, clubs[1].club_id)
    refused(twins, operation, f"rally-etl merge teams {loser} INTO {winner}")

    do(twins, merge("teams", loser, winner))
    twins.write("insert into food (date, club_id) values ('2025-10-01', :id)", id=clubs[0].club_id)
    before = fingerprint(twins.engine)
    run_id = do(twins, operation)

    assert [clubs[1].club_id] == twins.column("select club_id from food")
    assert [] == twins.rows("select 1 from teams where club_id = :id", id=clubs[0].club_id)
    assert [] == twins.rows("select 1 from club_leagues where club_id = :id", id=clubs[0].club_id)
    assert [("*", "tennaqua sc", str(clubs[1].club_id))] == twins.rows(
        "select league, spelling, target from etl.aliases where entity = 'club' and ended_at is null"
    )
    do(twins, undo(run_id))
    assert before == fingerprint(twins.engine)


def test_series_are_merged(loaded):
    """Teams, standings, points and users' rows of the series that goes are of the one that stays, by id and by name."""
    loaded.write("insert into series (name, display_name, league_id) values ('Div 12', 'Div 12', 1)")
    loser, winner = (loaded.column("select id from series where name = :n", n=n)[0] for n in ("Div 12", "Series 12"))
    loaded.write("update teams set series_id = :id, team_alias = 'Div 12' where team_name = 'Winnetka 12'", id=loser)
    loaded.write("update series_stats set series_id = :id, series = 'Div 12' where team = 'Winnetka 12'", id=loser)
    loaded.write("insert into player_history (player_id, league_id, series) values (1, 1, 'Div 12')")
    loaded.write("insert into users (email, password_hash) values ('ann@example.org', 'x')")
    loaded.write("insert into user_contexts (user_id, series_id) values (1, :id)", id=loser)
    before = fingerprint(loaded.engine)
    run_id = do(loaded, merge("series", loser, winner))

    assert [(winner, "Series 12")] == loaded.rows(
        "select series_id, team_alias from teams where team_name = 'Winnetka 12'"
    )
    assert [(winner, "Series 12")] == loaded.rows(
        "select series_id, series from series_stats where team = 'Winnetka 12'"
    )
    assert ["Series 12"] == loaded.column("select distinct series from player_history")
    assert [winner] == loaded.column("select series_id from user_contexts")
    do(loaded, undo(run_id))
    assert before == fingerprint(loaded.engine)


def test_two_ids_of_one_person_are_merged(twins):
    """Seats in matches, the account and other memberships go to the id that stays; later scrapes know the old one."""
    loser, winner = (
        twins.column("select id from players where tenniscores_player_id = :person order by id", person=person)[0]
        for person in ("nndz-other1", "nndz-Winnetka121")
    )
    before = fingerprint(twins.engine)
    run_id = do(twins, merge("players", loser, winner))

    assert ["nndz-Winnetka121"] == twins.column("select tenniscores_player_id from user_player_associations")
    assert [] == twins.rows("select 1 from match_scores where home_player_1_id = 'nndz-other1'")
    assert [False] == twins.column("select is_active from players where id = :id", id=loser)
    assert [winner] == twins.column("select player_id from poll_responses where id = 2")
    assert [("other1", "Winnetka121")] == twins.rows(
        "select spelling, target from etl.aliases where entity = 'player' and ended_at is null"
    )
    do(twins, undo(run_id))
    assert before == fingerprint(twins.engine)


def test_accounts_of_both_ids_stand_against_a_merge(twins):
    """One person with two accounts is for a person to sort out: one id belongs to one account."""
    twins.write("insert into user_player_associations values (2, 'nndz-Winnetka121')")
    loser, winner = (
        twins.column("select id from players where tenniscores_player_id = :person order by id", person=person)[0]
        for person in ("nndz-other1", "nndz-Winnetka121")
    )

    refused(twins, merge("players", loser, winner), "user_player_associations .* both would be tenniscores_player_id")


TAMPERED = {
    "another column": "update {plan}.captain_messages set message = 'x'",
    "another team": "update {plan}.polls set team_id = (select min(id) from public.teams)",
    "another row": "insert into {plan}.polls select *, 'update', array['APTA_CHICAGO'] from public.polls where id = 2;"
    " insert into {plan}.polls_before select * from public.polls where id = 2;"
    " update {plan}.polls set question = 'x' where id = 2",
    "a row less": "update {plan}.user_contexts set _op = 'delete'",
    "a practice": "update {plan}.schedule set match_date = '2025-12-24' where home_team like '%Practice%'",
    "a redirect": "insert into {plan}.new_redirects values ('teams', 1, 2, 'x', 'x')",
}


@pytest.mark.parametrize("what", TAMPERED)
def test_any_other_change_of_a_users_row_is_counted(twins, what):
    """The plan may turn the reference that the operator named into the other one, and nothing else of users' rows."""
    run_id = plan(twins, merge("teams", *ids(twins)))
    assert NOTHING == measured(twins, run_id)

    with twins.engine.begin() as connection:
        connection.exec_driver_sql(TAMPERED[what].replace("%", "%%").format(plan=planning.schemas(run_id)[0]))

    assert measured(twins, run_id)["user_rows_changed"] > 0


def test_undo_keeps_what_people_changed_since(twins):
    """A poll that was moved to another team stays there and is listed; everything else returns."""
    loser, winner = ids(twins)
    merged = do(twins, merge("teams", loser, winner))
    other = twins.column("select id from teams where team_name = 'Winnetka 12'")[0]
    twins.write("update polls set team_id = :id where id = 1", id=other)

    run_id = do(twins, undo(merged))

    assert [other] == twins.column("select team_id from polls where id = 1")
    told = f"1: team_id is {other}, the run had written {winner}"
    assert {("polls", "changed since", told): 1} == twins.held(run_id)
    assert [loser] == twins.column("select team_id from captain_messages")


def test_undo_is_refused_when_a_later_run_changed_the_same_rows(twins):
    """The later run is named: it is taken back first. What it changed of other columns does not matter."""
    loser, winner = ids(twins)
    merged = do(twins, merge("teams", loser, winner))
    other = twins.column("select id from teams where team_name = 'Winnetka 12'")[0]
    twins.write("delete from match_scores where home_team_id = :a and away_team_id = :b", a=winner, b=other)
    twins.write("delete from match_scores where home_team_id = :b and away_team_id = :a", a=winner, b=other)
    twins.write("delete from schedule where :a in (home_team_id, away_team_id)", a=winner)
    again = do(twins, merge("teams", winner, other))

    refused(
        twins, undo(merged), f"run {again} has changed .* after run {merged}; nothing was planned\nhint: undo {again}"
    )
