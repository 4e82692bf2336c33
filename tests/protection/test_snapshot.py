"""A snapshot brings the database back, whatever a command did to it, and loses nothing that users wrote meanwhile."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from conftest import MakeDatabase, first, project
from rally_etl.database.engine import connect
from rally_etl.database.url import psql_url
from rally_etl.errors import RallyEtlError, UsageError
from rally_etl.protection import read_reference_params
from rally_etl.protection.snapshots.difference import differences
from rally_etl.protection.snapshots.fingerprints import fingerprint, whole
from rally_etl.protection.snapshots.restore import Restored, restore
from rally_etl.protection.snapshots.snapshot import Snapshot, drop, find, left_behind, take

pytestmark = pytest.mark.slow
RUN_ID = "20251001T060000-ab12"
RECREATE = Path(__file__).parent / "legacy/recreate.py"
PARAMS = read_reference_params(Path(__file__).resolve().parents[2] / "params" / "references.yaml")

# A league of six teams and twenty-four players, and what their users have written.
ROWS = """
    insert into leagues (id, league_id, league_name) values (101, 'SAMPLE', 'Sample');
    insert into clubs (id, name, logo_filename) values (101, 'Lakeside', 'lakeside.png'), (102, 'Hillside', null);
    insert into series (id, name, display_name, league_id)
        select 100 + n, 'Chicago ' || n, 'Chicago ' || n, 101 from generate_series(1, 3) as n;
    insert into teams (id, club_id, series_id, league_id, team_name, display_name)
        select 100 + n, 101 + n % 2, 101 + n % 3, 101, 'Team ' || n, 'Team ' || n from generate_series(1, 6) as n;
    insert into players (id, tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id, pti)
        select 100 + n, 'nndz-' || n, 'P' || n, 'Example', 101, t.club_id, t.series_id, t.id, n / 3.0
        from generate_series(1, 24) as n join teams as t on t.id = 101 + n % 6;
    insert into match_scores (id, league_id, match_date, home_team_id, away_team_id, winner, tenniscores_match_id)
        select 100 + n, 101, date '2025-10-01' + n, 101 + n % 6, 101 + (n + 1) % 6, 'home', 'nndz-match' || n
        from generate_series(1, 40) as n;
    insert into schedule (id, league_id, match_date, home_team, away_team, home_team_id, away_team_id)
        select 100 + n, 101, date '2025-10-01' + n, 'Team ' || n, 'Team ' || n + 1, 100 + n, 101 + n
        from generate_series(1, 5) as n;
    insert into schedule (id, league_id, match_date, home_team, home_team_id)
        select 200 + n, 101, date '2025-11-01' + n, 'Lakeside Practice - Chicago', 100 + n
        from generate_series(1, 5) as n;
    insert into users (id, email, password_hash, notification_prefs, team_id)
        select n, 'u' || n || '@example.org', 'secret', '{"a": 1.0}', 101 from generate_series(1, 4) as n;
    insert into user_player_associations (user_id, tenniscores_player_id)
        select n, 'nndz-' || n from generate_series(1, 4) as n;
    insert into user_contexts (user_id, league_id, team_id, series_id)
        select n, 101, 100 + n, 101 from generate_series(1, 4) as n;
    insert into polls (id, team_id, created_by, question) select n, 100 + n, 1, 'When?' from generate_series(1, 4) as n;
    insert into poll_choices (id, poll_id, choice_text)
        select n, 1 + n % 4, 'Day ' || n from generate_series(1, 8) as n;
    insert into poll_responses (id, poll_id, choice_id, player_id)
        select n, 1 + n % 4, n, 100 + n from generate_series(1, 8) as n;
    insert into captain_messages (id, team_id, captain_user_id, message)
        select n, 100 + n, 1, 'Bring balls' from generate_series(1, 4) as n;
    insert into player_availability (id, player_name, match_date, series_id, player_id, user_id)
        select n, 'P' || n, timestamptz '2025-10-03 00:00:00+00', 101, 100 + n, n from generate_series(1, 4) as n;
    insert into saved_lineups (id, user_id, team_id, lineup_name, lineup_data)
        select n, n, 101, 'First', '{"court1": ["P1"]}' from generate_series(1, 4) as n;
    insert into videos (id, name, url, team_id) select n, 'v', 'u', 100 + n from generate_series(1, 4) as n;
    create table notices (body json, level integer);  -- nothing tells its rows apart
    insert into notices values ('{"a": 1}', 1), ('{"a": 1}', 1), ('{"b": 2}', 2);
    create table courts (
        id integer generated always as identity primary key, name text collate "C" not null,
        told text generated always as (upper(name)) stored, team_id integer);
    alter table courts add constraint courts_team_id_fkey foreign key (team_id) references teams (id) not valid;
    insert into courts (name, team_id) values ('a', 101), ('b', 102);
    create function stamp() returns trigger language plpgsql as $$
        begin new.display_name = new.display_name || '!'; return new; end $$;
    create trigger teams_stamp before insert or update on teams for each row execute function stamp();
    create view roster as select t.team_name, p.last_name from teams as t join players as p on p.team_id = t.id;
    create view roster_size as select team_name, count(*) as number from roster group by 1;
    """

DAMAGES = (
    "delete from poll_responses where id % 2 = 0",
    "update polls set team_id = null",
    "update teams set team_name = team_name || ' x' where id < 104",
    "truncate captain_messages",
    "truncate teams cascade",
    "delete from schedule",
    "drop table teams cascade",
    "drop table polls cascade",
    "drop table courts",
    "alter table polls drop constraint if exists fk_polls_team_id",
    "alter table players drop constraint if exists unique_player_in_league_club_series",
    "alter table videos drop constraint if exists videos_pkey cascade",
    "alter table saved_lineups drop column lineup_data",
    "alter table captain_messages add column mood text default 'x'",
    "alter table player_availability alter column notes type varchar(10)",
    "alter table clubs alter column name drop not null",
    "alter table polls alter column question set default 'Who?'",
    "alter table videos rename to films",
    "alter table user_contexts rename to was; create table user_contexts as select * from was limit 1",
    "alter table clubs rename to x; alter table series rename to clubs; alter table x rename to series",
    "drop table saved_lineups; create table saved_lineups (id text, user_id integer, note text)",
    "drop table if exists courts cascade; create table courts (id integer primary key, name text)",
    "create unique index too_strict on poll_choices (poll_id, choice_text)",
    "alter table players add constraint too_strict check (pti >= 0)",
    "drop index if exists idx_players_starting_pti",
    "drop trigger if exists teams_stamp on teams",
    "drop function stamp() cascade",
    "alter table teams disable trigger teams_stamp",
    "drop view roster cascade",
    "create or replace view roster_size as select 'x'::varchar(255) as team_name, 1::bigint as number",
    "select setval('polls_id_seq', 1, false)",
    "alter table polls alter column id drop default; drop sequence polls_id_seq",
    "update notices set level = 3 where level = 2; insert into notices values ('{}', 7)",
    "update users set notification_prefs = '{\"a\": 1.00}'",
    "create table polls_backup (id integer references polls (id)); insert into polls_backup select id from polls",
    "grant select on polls to public",
    "set session_replication_role = replica; delete from clubs; update teams set club_id = 7",
    "drop schema public cascade; create schema public",
)  # fmt: skip


@pytest.fixture(scope="module")
def filled_database(
    make_database: MakeDatabase, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The name of a database with the league, made once and copied."""
    with make_database(template_database) as url:
        engine = connect(project(tmp_path_factory.mktemp("filled"), url), application_name="rally-etl tests")
        with engine.begin() as connection:
            connection.exec_driver_sql(ROWS, execution_options={"no_parameters": True})
            for table in ("polls", "teams", "players", "schedule"):
                connection.exec_driver_sql(f"select setval('{table}_id_seq', (select max(id) from {table}))")
        engine.dispose()
        yield sa.make_url(url).database


@pytest.fixture
def live(make_database: MakeDatabase, filled_database: str, tmp_path: Path) -> Iterator[sa.Engine]:
    """Sessions to a copy of the database with the league."""
    with make_database(filled_database) as url:
        engine = connect(project(tmp_path, url), application_name="rally-etl tests")
        yield engine
        engine.dispose()


def write(engine: sa.Engine, *statements: str) -> None:
    """Run statements in one transaction, as another program would."""
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
    engine.dispose()  # what a statement sets for its session ends with it


def column(engine: sa.Engine, statement: str) -> list:
    """The first column of a query."""
    with engine.connect() as connection:
        return list(connection.scalars(sa.text(statement)))


def is_back(engine: sa.Engine, snapshot: Snapshot, restored: Restored) -> None:
    """Rows and make of every table are those of the snapshot, but for a foreign key that could not be proven."""
    with engine.connect() as connection:
        assert snapshot.fingerprint == restored.fingerprint
        assert snapshot.fingerprint == whole(fingerprint(connection, "public", snapshot.tables))
        assert [] == [each for each in differences(connection, snapshot) if each.state != "new"]


def test_snapshot_is_what_was_there(live):
    """A copy holds every row, is read again by another process, and nothing is different from it."""
    snapshot = take(live, RUN_ID, params=PARAMS)

    with live.connect() as connection:
        assert snapshot == find(connection, RUN_ID)
        assert [] == differences(connection, snapshot)
        assert [RUN_ID] == left_behind(connection)
        assert snapshot.fingerprints == fingerprint(connection, "public", snapshot.tables)
    assert (24, 10, 3) == tuple(snapshot.rows[name] for name in ("players", "schedule", "notices"))
    assert 24 == column(live, "select count(*) from guard_20251001t060000_ab12.players")[0]
    drop(live, RUN_ID)
    assert [] == column(live, "select nspname from pg_namespace where nspname like 'guard%'")


@pytest.mark.parametrize("damage", first(8, DAMAGES))
def test_every_damage_is_seen_and_mended(live, damage):
    """Whatever one statement did is told, and restoring takes it back to the row and to the constraint."""
    snapshot = take(live, RUN_ID, params=PARAMS)
    write(live, damage)
    with live.connect() as connection:
        seen = differences(connection, snapshot)

    restored = restore(live, snapshot, keep_added=False)

    is_back(live, snapshot, restored)
    # views and where sequences stand are mended, but are no difference of a table
    assert seen or "view" in damage or "setval" in damage
    assert 6 == len(column(live, "select number from roster_size"))
    assert ["Team 1"] == column(live, "select display_name from teams where id = 101")


@pytest.mark.parametrize("seed", first(2, range(8)))
def test_damages_together_are_mended(live, seed):
    """Several damages, one after the other, as far as each still finds what it wants to break."""
    snapshot = take(live, RUN_ID, params=PARAMS)
    chosen = random.Random(seed).sample(DAMAGES[:-1], 6)
    for damage in chosen:
        try:
            write(live, damage)
        except sa.exc.DBAPIError:
            live.dispose()  # an earlier one has taken it away already

    is_back(live, snapshot, restore(live, snapshot, keep_added=False))


@pytest.mark.parametrize(
    "options",
    first(2, [[], ["--drop-table", "teams"], ["--per-row"], ["--die-at", "9"], ["--reset-ids"], ["--few"],
              ["--delete-users-rows", "--edit-clubs"]]),
    ids=" ".join,
)  # fmt: skip
def test_importer_of_the_old_kind_is_taken_back(live, options):
    """Whatever it re-issued, deleted, committed half-way or dropped, the snapshot comes back, no id is given again."""
    snapshot = take(live, RUN_ID, params=PARAMS)
    url = psql_url(live.url.render_as_string(hide_password=False))
    done = subprocess.run(
        [sys.executable, RECREATE, *options], env=os.environ | {"DATABASE_URL": url}, capture_output=True, text=True
    )
    assert ("--die-at" in options) == bool(done.returncode), done.stderr
    with live.connect() as connection:
        assert differences(connection, snapshot)
    given = column(live, "select max(id) from teams") if "--drop-table" not in options else [106]

    is_back(live, snapshot, restore(live, snapshot))

    assert column(live, "select nextval('teams_id_seq')")[0] > max(given[0] or 0, 106)


def test_snapshot_taken_of_a_broken_database_comes_back_broken(live):
    """Rows that a foreign key should have refused come back as they were; the key is back unproven, as is said."""
    write(live, "set session_replication_role = replica; delete from teams where id = 103")
    snapshot = take(live, RUN_ID, params=PARAMS)
    write(live, "delete from polls where id = 1")

    restored = restore(live, snapshot)

    assert [3] == column(live, "select id from polls where team_id = 103")
    assert any("fk_polls_team_id of polls is back without proof" in note for note in restored.notes)


def test_reader_sees_before_or_after(live):
    """Programs that read all the time see the damage or the snapshot, and never an error or something between."""
    snapshot = take(live, RUN_ID, params=PARAMS)
    write(live, "delete from poll_responses; delete from captain_messages; drop table saved_lineups")
    asked = sa.text(
        "select (select count(*) from poll_responses), (select count(*) from captain_messages),"
        " (select count(*) from pg_tables where schemaname = 'public' and tablename = 'saved_lineups'),"
        " (select count(*) from polls)"
    )
    seen, errors, is_over = set(), [], threading.Event()

    def read() -> None:
        try:
            while not is_over.is_set():
                with live.connect() as connection:
                    seen.add(tuple(connection.execute(asked).one()))
        except sa.exc.DBAPIError as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    restored = restore(live, snapshot)
    is_over.set()
    for reader in readers:
        reader.join()

    assert [] == errors
    assert seen <= {(0, 0, 0, 4), (8, 4, 1, 4)}
    is_back(live, snapshot, restored)


def test_rows_that_users_add_meanwhile_are_kept(live):
    """A poll with its choices, a practice, an account: they stay, and everything else is as it was."""
    snapshot = take(live, RUN_ID, params=PARAMS)
    write(
        live,
        "update polls set team_id = null; delete from captain_messages where id = 1",
        "insert into users (id, email, password_hash) values (9, 'new@example.org', 'secret')",
        "insert into polls (id, team_id, created_by, question) values (9, 105, 9, 'New?')",
        "insert into poll_choices (id, poll_id, choice_text) values (19, 9, 'Yes')",
        "insert into schedule (id, league_id, match_date, home_team, home_team_id)"
        " values (209, 101, '2025-12-01', 'Lakeside Practice - Chicago', 104)",
        "insert into schedule (id, league_id, match_date, home_team, away_team)"
        " values (210, 101, '2025-12-02', 'a', 'b')",
    )

    restored = restore(live, snapshot)

    kept = {table.table: table.kept for table in restored.tables if table.kept}
    assert {"users": 1, "polls": 1, "poll_choices": 1, "schedule": 1} == kept
    assert snapshot.fingerprint == restored.fingerprint
    assert [105] == column(live, "select team_id from polls where id = 9")
    assert [209] == column(live, "select id from schedule where match_date >= '2025-12-01'")
    assert 4 == column(live, "select count(*) from polls where team_id = 100 + id")[0]


def test_rows_that_cannot_stay_are_set_aside_with_their_image(live):
    """What refers to ids that go, to an id that meant another team, or is in the way: nothing is lost in silence."""
    snapshot = take(live, RUN_ID, params=PARAMS)
    write(
        live,
        "insert into teams (id, club_id, series_id, league_id, team_name, display_name)"
        " values (907, 101, 101, 101, 'Team 7', 'x')",
        "update teams set team_name = 'Another' where id = 102",
        "delete from player_availability where id = 1",
        "delete from polls where id = 4",
        "insert into polls (id, team_id, created_by, question) values (50, 907, 1, 'Of a team that goes?')",
        "insert into poll_choices (id, poll_id, choice_text) values (51, 50, 'goes with it')",
        "insert into captain_messages (id, team_id, captain_user_id, message) values (52, 102, 1, 'To whom?')",
        "insert into player_availability (id, player_name, match_date, series_id, player_id, user_id, notes)"
        " values (53, 'P1', '2025-10-03 00:00:00+00', 101, 101, 1, 'again')",
        "insert into polls (id, team_id, created_by, question) values (54, 104, 1, 'When?')",
        "update users set first_name = 'Changed' where id = 2",
        "insert into notices values ('{\"new\": 1}', 9)",
    )

    restored = restore(live, snapshot)

    is_back(live, snapshot, restored)
    why = {(each.table, each.row): each.why for each in restored.set_aside}
    assert "teams 907, which it refers to, is not in the snapshot" == why["polls", "50"]
    assert "polls 50, which it refers to, is not in the snapshot" == why["poll_choices", "51"]
    assert "teams 102 was Team 2, is Another" == why["captain_messages", "52"]
    assert "a row of the snapshot has its key idx_unique_user_date_availability" == why["player_availability", "53"]
    assert "it was changed since" == why["users", "2"]
    assert "nothing tells the rows of this table apart" in why.values()
    assert ("polls", "54") not in why, "the poll that went, written again under another number"
    images = {each.row: each.image for each in restored.set_aside if each.table == "users"}
    assert "Changed" == images["2"]["first_name"]
    assert "password_hash" not in images["2"]
    assert restored.set_aside_rows == column(live, "select count(*) from etl.guard_rows")[0] == len(why)


def test_practices_written_again_and_again_do_not_stay(live):
    """A command that inserts the same sessions over and over leaves none of its copies; a new practice stays once."""
    snapshot = take(live, RUN_ID, params=PARAMS)
    again = (
        "insert into schedule (league_id, match_date, home_team, home_team_id)"
        " select league_id, match_date + {days}, home_team, home_team_id from guard_20251001t060000_ab12.schedule"
        " cross join generate_series(1, 300) where home_team ilike '%practice%' and id {ids}"
    )
    write(live, again.format(days=0, ids="> 0"), again.format(days=90, ids="= 201"))

    restored = restore(live, snapshot)

    assert {("schedule", 1, 1799, 0)} == {(t.table, t.kept, t.removed, t.set_aside) for t in restored.tables}
    assert 6 == column(live, "select count(*) from schedule where home_team ilike '%practice%'")[0]


def test_added_row_in_the_way_of_what_comes_back_gives_way(live):
    """Where a row that could stay breaks what the table was made of, none stays, and that is said."""
    snapshot = take(live, RUN_ID, params=PARAMS)
    write(
        live,
        "alter table player_availability drop constraint valid_availability_status",
        "insert into player_availability (id, player_name, match_date, availability_status, series_id)"
        " values (9, 'P9', '2025-10-04 00:00:00+00', 7, 101)",
    )

    restored = restore(live, snapshot)

    is_back(live, snapshot, restored)
    assert any("no row that was added since is kept" in note for note in restored.notes)
    assert ["9"] == [each.row for each in restored.set_aside]


def test_named_tables_come_with_what_they_refer_to(live):
    """`--tables polls`: its targets are copied too, other tables stay as the command leaves them."""
    snapshot = take(live, RUN_ID, tables=["poll_choices"], params=PARAMS)
    assert {"poll_choices", "polls", "users", "teams", "leagues"} <= set(snapshot.tables)
    assert "captain_messages" not in snapshot.tables
    write(live, "drop table poll_choices cascade", "delete from captain_messages where id = 1")

    restore(live, snapshot)

    assert 8 == column(live, "select count(*) from poll_choices")[0]
    assert 3 == column(live, "select count(*) from captain_messages")[0]
    drop(live, RUN_ID)
    with pytest.raises(UsageError, match="no table nobody in schema public; nothing was copied"):
        take(live, RUN_ID, tables=["nobody"])


def test_tables_that_are_not_let_go_are_left_alone(live):
    """A program that holds a table is named after the wait, and nothing was restored."""
    snapshot = take(live, RUN_ID, params=PARAMS)
    write(live, "delete from polls where id = 1", "drop table videos")
    before = column(live, "select count(*) from poll_choices")

    with live.connect() as other, other.begin():
        other.exec_driver_sql("set application_name = 'the other program'")
        other.exec_driver_sql("update teams set team_alias = 'x'")
        with pytest.raises(
            RallyEtlError, match=r"the other program \(server process \d+\) did not .*nothing was restored"
        ):
            restore(live, snapshot, wait_s=0.3)
        other.rollback()
    live.dispose()

    assert before == column(live, "select count(*) from poll_choices")
    is_back(live, snapshot, restore(live, snapshot))


def test_owner_of_the_tables_can_restore(live):
    """Nothing that is done needs a superuser."""
    write(
        live,
        "create role keeper login; grant create on database " + live.url.database + " to keeper",
        "grant all on schema public, etl to keeper; grant all on all tables in schema etl to keeper",
        "do $$ declare t record; begin for t in select c.relname, c.relkind from pg_class c where relnamespace ="
        " 'public'::regnamespace and relkind in ('r', 'v') loop execute format('alter table %I owner to keeper',"
        " t.relname); end loop; end $$",
        "alter function stamp() owner to keeper; alter schema public owner to keeper",
    )
    keeper = sa.create_engine(live.url.set(username="keeper"))
    try:
        snapshot = take(keeper, RUN_ID, params=PARAMS)
        write(
            keeper,
            "delete from polls; drop table teams cascade; alter table users add column x integer;"
            " update clubs set name = name || 'x'",
        )
        is_back(keeper, snapshot, restore(keeper, snapshot))
    finally:
        keeper.dispose()
        write(live, "drop owned by keeper cascade; drop role keeper")
