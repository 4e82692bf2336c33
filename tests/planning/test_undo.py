"""An undo brings back what was before a run, keeps what was changed since, and says what it keeps and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count

import pytest
import sqlalchemy as sa

from conftest import first, project
from operating import do, merge, plan, refused, undo
from rally_etl import planning
from rally_etl.checks import run_checks
from rally_etl.database.engine import connect
from rally_etl.errors import PlanIsStale, UsageError
from rally_etl.planning.schema import schemas
from scrapes import APTA, Import, changed, fingerprint, line, player, small, stats, write

SKOKIE = "(select id from teams where team_name = 'Skokie 12')"
NEW = "(select id from players where tenniscores_player_id = 'nndz-new')"


@dataclass(slots=True)
class Shared:
    """One database for all tests of the module; a test that leaves other rows in it costs the next one a new copy."""

    new: Callable[[], Import]
    importing: Import | None = None
    before: dict[str, str] = field(default_factory=dict)

    def clean(self) -> Import:
        """The database with the small scrape and a user."""
        if self.importing is None or fingerprint(self.importing.engine) != self.before:
            self.importing = self.new()
            self.before = fingerprint(self.importing.engine)
        return self.importing


@pytest.fixture(scope="module")
def shared(make_database, small_database, tmp_path_factory) -> Iterator[Shared]:
    """Copies of the small database, made when they are needed."""
    with ExitStack() as stack:

        def new() -> Import:
            url = stack.enter_context(make_database(small_database))
            settings = project(tmp_path_factory.mktemp("undo"), url)
            engine = connect(settings, application_name="rally-etl tests")
            stack.callback(engine.dispose)
            importing = Import(engine, settings, count(1000))
            importing.write("insert into users (email, password_hash) values ('ann@example.org', 'x')")
            return importing

        yield Shared(new)


@pytest.fixture
def users(shared: Shared) -> Import:
    """The shared database as it was before the first test."""
    return shared.clean()


def leave(live: Import, run_id: str, *statements: str) -> None:
    """Remove what users wrote, then take a run back, and that undo's kept rows with it."""
    for statement in statements:
        live.write(statement)
    do(live, undo(run_id))


def reasons(live: Import, run_id: str) -> dict[tuple[str, str], str]:
    """(Table, reason) -> the rows that stay, in words without the numbers that differ between runs."""
    found: dict[tuple[str, str], list[str]] = {}
    for kind, reason, name in live.held(run_id):
        found.setdefault((kind, reason), []).append(re.sub(r"\d+ \(", "# (", re.sub(r"^\d+", "#", name)))
    return {key: "; ".join(sorted(names)) for key, names in found.items()}


def states(live: Import, run_id: str) -> list[tuple[str, str]]:
    return [
        tuple(row)
        for row in live.rows(
            "select state, cause from etl.state_changes where run_id = :run order by number", run=run_id
        )
    ]


def test_import_is_taken_back_and_brought_back(users):
    """Every table as before the run, then as after it, ids too; the same scrape then changes nothing."""
    before = fingerprint(users.engine)
    run_id = users.load(changed())
    after = fingerprint(users.engine)
    undone = do(users, undo(run_id))

    assert before == fingerprint(users.engine)
    assert {} == users.held(undone)
    assert "undone" == users.column("select state from etl.run_leagues where run_id = :run", run=run_id)[0]
    assert {} == users.changes(plan_only(users, small()))

    again = do(users, undo(undone))
    assert after == fingerprint(users.engine)
    assert {} == users.changes(plan_only(users, changed()))
    told = "(Ann Example: a mistake)"
    assert [("verified", f"run {again} took back what had undone it {told}")] == states(users, run_id)[-1:]
    assert [("undone", f"run {again} took it back {told}")] == states(users, undone)[-1:]

    do(users, undo(again))
    assert before == fingerprint(users.engine)
    assert ["undone", "verified", "undone"] == [states(users, each)[-1][0] for each in (run_id, undone, again)]


def plan_only(live: Import, scrape) -> str:
    """Plan a scrape and publish nothing."""
    return live.plan(scrape)


@pytest.mark.slow
def test_same_scrape_after_an_undo_is_imported_again(users):
    """What it brings is new to live: it gets ids that nothing had before, and can be taken back like the first."""
    first = users.load(changed())
    team = users.column(f"select {SKOKIE}")[0]
    undone = do(users, undo(first))
    again = users.load(changed())

    assert users.column(f"select {SKOKIE}")[0] > team
    assert [] == users.rows("select 1 from etl.entity_history where entity_id = :id and table_name = 'teams'"
                            " and valid_to is null", id=team)  # fmt: skip
    assert {} == users.changes(plan_only(users, changed()))
    refused(users, undo(undone), f"run {again} has changed .* after run {undone}.*\nhint: undo {again} first")
    leave(users, again)


REFERRING = {
    "a poll": ("insert into polls (team_id, question) values ({SKOKIE}, 'Who?')", "delete from polls", "teams"),
    "an availability": (
        "insert into player_availability (player_name, match_date, series_id, player_id)"
        " values ('x', '2025-10-01T00:00:00Z', 1, {NEW})",
        "delete from player_availability",
        "players",
    ),
    "an account": (
        "insert into user_player_associations (user_id, tenniscores_player_id) values (1, 'nndz-new')",
        "delete from user_player_associations",
        "players",
    ),
    "a practice": (
        "insert into schedule (league_id, match_date, home_team, home_team_id)"
        " values (1, '2025-10-02', 'Skokie Practice - Series 12', {SKOKIE})",
        "delete from schedule where home_team like '%Practice%'",
        "teams",
    ),
    "a name in a line-up": (
        "insert into saved_lineups (user_id, team_id, lineup_name, lineup_data)"
        """ values (1, 1, 'First', '{{"courts"\\: [{{"player"\\: "new Example"}}]}}')""",
        "delete from saved_lineups",
        "players",
    ),
    "a menu": (
        "insert into food (date, club_id) select '2025-10-01', id from clubs where name = 'Skokie'",
        "delete from food",
        "clubs",
    ),
}


@pytest.mark.parametrize("what", first(1, REFERRING))
def test_row_that_a_user_refers_to_stays_and_is_listed(users, what):
    """By id, by printed id, by name: it stays with what it belongs to, switched off; once nobody refers, it can go."""
    insert, remove, table = REFERRING[what]
    before = fingerprint(users.engine)
    run_id = users.load(changed())
    users.write(insert.format(SKOKIE=SKOKIE, NEW=NEW))
    written = fingerprint(users.engine)
    undone = do(users, undo(run_id))

    told = reasons(users, undone)
    assert (table, "a user's row refers to it") in told
    after = fingerprint(users.engine)
    user_tables = set(written) - set(before) | {name for name in written if written[name] == before[name]}
    assert {name: written[name] for name in ("users", "polls", "food", "saved_lineups")} == {
        name: after[name] for name in ("users", "polls", "food", "saved_lineups")
    }
    assert user_tables
    if table == "clubs":
        assert [] == users.rows(f"select {SKOKIE} where {SKOKIE} is not null")
    else:
        assert [False] == users.column("select is_active from teams where team_name = 'Skokie 12'")
        assert "clubs" in {kept for kept, _ in told}, "what a row belongs to stays with it"
        kept = users.column("select is_active from players where tenniscores_player_id = 'nndz-new'")
        assert ([False] if table == "players" else []) == kept
        assert ", switched off" in told[table, "a user's row refers to it"]
    users.write(remove)
    do(users, undo(undone))
    do(users, undo(run_id))
    assert before == fingerprint(users.engine)


@pytest.mark.slow
def test_club_with_a_logo_stays(users):
    """What somebody has added to a new row is theirs: the row stays and is listed with what was changed."""
    run_id = users.load(changed())
    users.write("update clubs set logo_filename = 'skokie.png' where name = 'Skokie'")
    undone = do(users, undo(run_id))

    assert {("clubs", "changed since"): "#: logo_filename is skokie.png, the run had written nothing"} == reasons(
        users, undone
    )
    assert ["skokie.png"] == users.column("select logo_filename from clubs where name = 'Skokie'")
    assert [] == users.rows("select 1 from teams where team_name = 'Skokie 12'")
    do(users, undo(undone))
    users.write("update clubs set logo_filename = null where name = 'Skokie'")
    leave(users, run_id)


@pytest.mark.slow
def test_columns_are_taken_back_one_by_one(users):
    """Of one row the column that somebody has changed stays, the other returns, and so does the time of its change."""
    before = users.rows("select * from players where tenniscores_player_id = 'nndz-Tennaqua121'")[0]
    scrape = small()
    scrape["players"][0] |= {"PTI": "12.5", "Wins": "9"}
    run_id = users.load(scrape)
    users.write("update players set wins = 8 where id = :id", id=before.id)
    undone = do(users, undo(run_id))

    after = users.rows("select * from players where id = :id", id=before.id)[0]
    assert before._asdict() | {"wins": 8} == after._asdict()
    assert {("players", "changed since"): "#: wins is 8, the run had written 9"} == reasons(users, undone)
    users.write("update players set wins = 1 where id = :id", id=before.id)


def test_later_run_that_refers_to_it_is_named(users):
    """Matches of a later scrape stand on the team that would go: that run is undone first, then this one."""
    run_id = users.load(changed())
    scrape = changed()
    scrape["match_scores"].append(
        line("nndz-match8_Line1", "Winnetka 12", "Skokie 12", Date="07-Oct-25", **{"Away Player 1 ID": "nndz-new"})
    )
    later = users.load(scrape)
    row = users.column("select id from match_scores where tenniscores_match_id = 'nndz-match8_Line1'")[0]
    person = users.column(f"select {NEW}")[0]

    refused(
        users,
        undo(run_id),
        f"rows of run {later} point at what run {run_id} made: match_scores {row} at players {person}"
        rf" \(away_player_1_id\); nothing was planned\nhint: undo {later} first",
    )
    do(users, undo(later))
    leave(users, run_id)


@pytest.mark.slow
def test_later_run_that_changed_the_same_column_is_named(users):
    """The same column of one row: refused with its name; another column of that row: taken back, that one stays."""
    scrape = small()
    scrape["players"][0] |= {"PTI": "12.5"}
    run_id = users.load(scrape)
    scrape["players"][0] |= {"Wins": "7"}
    other = users.load(scrape)
    scrape["players"][0] |= {"PTI": "11.5"}
    same = users.load(scrape)
    player_id = users.column("select id from players where tenniscores_player_id = 'nndz-Tennaqua121'")[0]

    refused(users, undo(run_id), rf"run {same} has changed players {player_id} \(pti\) after run {run_id};")
    do(users, undo(same))
    do(users, undo(run_id))
    assert [(7, 40.5)] == [
        (row.wins, float(row.pti)) for row in users.rows("select wins, pti from players where id = :id", id=player_id)
    ]
    refused(users, undo(same), f"(?s)run {same} is taken back already by run .*`rally-etl undo .*` brings it back")
    do(users, undo(other))
    users.write(
        "update players set updated_at = (select created_at from players where id = :id) where id = :id", id=player_id
    )


@pytest.mark.slow
def test_row_of_another_program_stays(users):
    """A meeting that nobody planned stands on the new team: both stay, and the list says who refers."""
    run_id = users.load(changed())
    users.write(
        "insert into schedule (league_id, match_date, home_team, away_team, home_team_id, away_team_id)"
        f" values (1, '2025-12-01', 'Skokie 12', 'Winnetka 12', {SKOKIE}, 2)"
    )
    undone = do(users, undo(run_id))

    told = reasons(users, undone)
    assert "(Skokie 12): schedule" in told["teams", "another program's row refers to it"]
    assert [1] == users.column("select count(*) from schedule where match_date = '2025-12-01'")
    do(users, undo(undone))
    leave(users, run_id, "delete from schedule where match_date = '2025-12-01'")


@pytest.mark.slow
def test_merge_since_is_named(users):
    """A merge into a team that the run made has made it matter: it is taken back first."""
    run_id = users.load(changed())
    users.write(
        "insert into teams (club_id, series_id, league_id, team_name, display_name)"
        " select club_id, series_id, league_id, 'Skokie SC 12', 'x' from teams where team_name = 'Skokie 12'"
    )
    twin, team = (
        users.column("select id from teams where team_name = :n", n=n)[0] for n in ("Skokie SC 12", "Skokie 12")
    )
    merged = do(users, merge("teams", twin, team))

    refused(users, undo(run_id), f"run {merged} .*{team}.*nothing was planned\nhint: undo {merged} first")
    do(users, undo(merged))
    forget = "delete from {} where {} = 'Skokie SC 12'"
    leave(users, run_id, forget.format("teams", "team_name"), forget.format("etl.entity_history", "name"))


def test_half_an_undo_is_none(users):
    """A trigger that raises at the last table: live, states, history and aliases stand as before, and it says so."""
    run_id = users.load(changed())
    before = fingerprint(users.engine)
    history = users.rows("select * from etl.entity_history order by 1, 2, 3, valid_from")
    undone = plan(users, undo(run_id))
    users.write(
        "create function stop_it() returns trigger language plpgsql as"
        " $$ begin raise exception 'disk is full' using errcode = '23514'; end $$"
    )
    users.write("create trigger stop_it before update on schedule for each row execute function stop_it()")
    try:
        with pytest.raises(PlanIsStale, match=r"disk is full.*nothing was written"):
            users.publish(undone)
        assert before == fingerprint(users.engine)
        assert history == users.rows("select * from etl.entity_history order by 1, 2, 3, valid_from")
        assert "undone" != users.column("select state from etl.run_leagues where run_id = :run", run=run_id)[0]
    finally:
        users.write("drop trigger stop_it on schedule")
        users.write("drop function stop_it()")
    do(users, undo(run_id))


def test_what_users_wrote_after_the_plan_stops_the_undo(users):
    """No foreign key guards an availability: the publish looks itself, in the transaction that deletes."""
    run_id = users.load(changed())
    undone = plan(users, undo(run_id))
    users.write(
        "insert into player_availability (player_name, match_date, series_id, player_id)"
        f" values ('x', '2025-10-01T00:00:00Z', 1, {NEW})"
    )
    before = fingerprint(users.engine)

    with pytest.raises(PlanIsStale, match=r"player_availability.player_id: 1 row\); nothing was written"):
        users.publish(undone)
    assert before == fingerprint(users.engine)
    leave(users, run_id, "delete from player_availability")


def test_ids_are_lost_only_as_the_undone_run_made_them(users):
    """Rule 3 is measured: a delete of a row that the run did not make, or a row under a used id, is counted."""
    run_id = users.load(changed())
    undone = plan(users, undo(run_id))
    found = planning.import_measures(users.engine, users.settings, undone)[APTA]
    assert (0, 0, 0) == tuple(found[name]["value"] for name in ("ids_lost", "ids_reused", "rows_unaccounted"))
    schema = schemas(undone)[0]
    with users.engine.begin() as connection:
        for statement in (
            f"insert into {schema}.teams select *, 'delete', array['APTA_CHICAGO'] from teams where id = 1",
            f"insert into {schema}.teams_before select * from teams where id = 1",
            f"insert into {schema}.teams select *, 'insert', array['APTA_CHICAGO'] from teams where id = 2",
        ):
            connection.execute(sa.text(statement))

    found = planning.import_measures(users.engine, users.settings, undone)[APTA]
    assert (1, 1) == tuple(found[name]["value"] for name in ("ids_lost", "ids_reused"))
    do(users, undo(run_id))


def test_what_holds_with_a_run_ends_with_its_undo(users):
    """Aliases of the run and of the rows that go, names and questions; the undo of the undo brings them back."""
    run_id = users.load(changed())
    team = users.column(f"select {SKOKIE}")[0]
    for spelling, target, by in (("skokie sc 12", team, None), ("the first", 1, run_id)):
        users.write(
            "insert into etl.aliases (league, entity, spelling, target, strategy, confidence, evidence, run_id)"
            " values ('APTA_CHICAGO', 'team', :spelling, :target, 'review', 1, 'x', :by)",
            spelling=spelling, target=str(target), by=by,
        )  # fmt: skip
    users.write(
        "insert into etl.reviews (league, entity, kind, spelling, name, is_held, first_run, last_run)"
        " values ('APTA_CHICAGO', 'team', 'similar', 'x', 'X', false, :run, :run)",
        run=run_id,
    )

    def holding() -> tuple[list, list, list]:
        return (
            users.column("select spelling from etl.aliases where ended_at is null order by 1"),
            users.column("select state from etl.reviews where spelling = 'x'"),
            users.column(
                "select distinct name from etl.entity_history"
                " where valid_to is null and name like '%Skokie%' order by 1"
            ),
        )

    held = holding()
    assert (
        ["skokie sc 12", "the first"] == held[0][-2:]
        and ["open"] == held[1]
        and {"Skokie", "Skokie 12"} <= set(held[2])
    )
    undone = do(users, undo(run_id))
    assert ([], ["obsolete"], []) == holding()
    again = do(users, undo(undone))
    assert held == holding()
    do(users, undo(again))
    users.write("delete from etl.aliases")
    users.write("delete from etl.reviews")


@pytest.mark.slow
def test_rows_leave_before_what_they_leave_is_deleted(users):
    """A name goes back that a row of the run has: meetings return, the new team goes, then the old one is renamed."""
    run_id = users.load(changed())
    plan_schema = schemas(run_id)[0]
    before = fingerprint(users.engine)
    # as if the run had renamed a team, given its name to the new one, and moved a meeting to that
    for statement in (
        "update teams set team_name = 'Winnetka A 12' where team_name = 'Winnetka 12'",
        "update teams set team_name = 'Winnetka 12' where team_name = 'Skokie 12'",
        "update schedule set away_team_id = (select id from teams where team_name = 'Winnetka 12')"
        " where away_team = 'Winnetka 12'",
    ):
        users.write(statement)
    for statement in (
        f"update {plan_schema}.teams set team_name = 'Winnetka 12' where team_name = 'Skokie 12'",
        f"insert into {plan_schema}.teams select *, 'update', array['APTA_CHICAGO'] from teams"
        " where team_name = 'Winnetka A 12'",
        f"insert into {plan_schema}.teams_before select * from teams where team_name = 'Winnetka A 12'",
        f"update {plan_schema}.teams_before set team_name = 'Winnetka 12' where team_name = 'Winnetka A 12'",
        f"insert into {plan_schema}.schedule_before select * from schedule as s where away_team = 'Winnetka 12'"
        f" and not exists (select from {plan_schema}.schedule as p where p.id = s.id)",
        f"insert into {plan_schema}.schedule select *, 'update', array['APTA_CHICAGO'] from schedule as s"
        f" where away_team = 'Winnetka 12' and not exists (select from {plan_schema}.schedule as p where p.id = s.id)",
        f"update {plan_schema}.schedule_before set away_team_id ="
        " (select id from teams where team_name = 'Winnetka A 12') where away_team = 'Winnetka 12'",
        f"update {plan_schema}.schedule set away_team_id = (select id from teams where team_name = 'Winnetka 12')"
        " where away_team = 'Winnetka 12'",
    ):
        users.write(statement)
    undone = plan(users, undo(run_id))
    users.publish(undone)

    assert before["users"] == fingerprint(users.engine)["users"]
    assert [] == users.rows("select 1 from teams where team_name in ('Skokie 12', 'Winnetka A 12')")


def test_one_league_of_an_import(users):
    """The other league's rows stay, with the club that both need; that goes with the last of them."""
    before = fingerprint(users.engine)
    folder = write(users.settings.root / "two", changed())
    west = {
        "players": [player("west", "Skokie S2B", Series="S2B", League="NSTF", Club="Skokie")],
        "series_stats": [stats("Skokie S2B", series="S2B", league_id="NSTF")],
    }
    run_id = users.load(write(folder, west, "NSTF"))
    after = fingerprint(users.engine)
    undone = do(users, undo(run_id) | {"leagues": [APTA]})

    assert [(APTA, False), ("NSTF", True)] == sorted(
        (row.league, row.state != "undone")
        for row in users.rows("select league, state from etl.run_leagues where run_id = :run", run=run_id)
    )
    assert ["Skokie S2B"] == users.column("select team_name from teams where team_name like 'Skokie%'")
    assert [1] == users.column("select count(*) from clubs where name = 'Skokie'")
    assert before["match_scores"] == fingerprint(users.engine)["match_scores"]
    assert [APTA] == users.column("select league from etl.run_leagues where run_id = :run", run=undone)
    last = do(users, undo(run_id))
    assert before == fingerprint(users.engine)
    refused(
        users, undo(undone), f"of run {undone} would point at .*, which run {last} has removed;.*\nhint: undo {last}"
    )
    do(users, undo(last))
    do(users, undo(undone))
    assert after == fingerprint(users.engine)
    do(users, undo(run_id))
    assert before == fingerprint(users.engine)


def test_first_import_is_taken_back(users):
    """Nothing of the league is left; the checks ask about it under the id that it had, and none fails to run."""
    before = fingerprint(users.engine)
    first_run = users.column("select min(run_id) from etl.runs")[0]
    undone = plan(users, undo(first_run))
    results = run_checks(users.engine, users.settings, undone)

    assert results and {"passed"} == {result.outcome for result in results}
    assert [0] == users.column(f"select count(*) from {schemas(undone)[1]}.leagues")
    told = planning.headlines(users.engine, undone, APTA)[0]
    assert re.fullmatch(r"\d+ rows that the run had made are removed", told)
    users.publish(undone)
    assert [0] == users.column("select count(*) from leagues")
    do(users, undo(undone))
    assert before == fingerprint(users.engine)


WRONG = {
    "nonsense": ({"run": "nonsense"}, "there is no run 'nonsense'"),
    "planned only": (
        {"run": "{planned}"},
        "has published nothing; nothing was planned\nhint: there is nothing to undo",
    ),
    "no such league": (
        {"run": "{run}", "leagues": ["NSTF"]},
        "has no league NSTF; .*hint: its leagues are APTA_CHICAGO",
    ),
    "as a whole": (
        {"run": "{undo}", "leagues": [APTA]},
        "published as a whole, and is taken back as a whole; .*--league",
    ),
    "again": ({"run": "{run}"}, "is taken back already by run {undo} .*hint: `rally-etl undo {undo}` brings it back"),
}


def test_what_cannot_be_undone_says_why(users):
    """No such run, nothing published, another league, an operation by league, a second time: each in its words."""
    run_id = users.load(changed())
    undone = do(users, undo(run_id))
    names = {"run": run_id, "undo": undone, "planned": users.plan(small())}
    for name, (operation, telling) in WRONG.items():
        asked = undo("") | {
            key: value.format(**names) if isinstance(value, str) else value for key, value in operation.items()
        }
        with pytest.raises(UsageError, match=re.compile(telling.format(**names), re.DOTALL)):
            plan(users, asked)
            pytest.fail(name)
