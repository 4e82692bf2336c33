"""Migrations of the ledger, and Rally's tables."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from rally_etl.database.migrations import migrate
from rally_etl.database.schema import init
from rally_etl.errors import RallyEtlError


@pytest.fixture
def folder(tmp_path):
    """A folder with two migrations, the first full of percent signs."""
    place = tmp_path / "ledger"
    place.mkdir()
    first = "create table etl.a (x text check (x not like 'b%'));\ninsert into a select format('%s %%', 1);"
    (place / "0001_a.sql").write_text(first)
    (place / "0002_b.sql").write_text("create table b (x int);")
    (place / "notes.txt").write_text("no migration")
    return place


def scalar(engine: sa.Engine, sql: str) -> object:
    """Answer one value."""
    with engine.connect() as connection:
        return connection.scalar(sa.text(sql))


def test_migrations_run_once_in_order(empty_engine, folder):
    """Files are applied in the order of their numbers, in schema etl; a second call applies nothing."""
    assert ["0001_a.sql", "0002_b.sql"] == migrate(empty_engine, folder)
    assert [] == migrate(empty_engine, folder)
    assert "1 %" == scalar(empty_engine, "select x from etl.a")
    assert scalar(empty_engine, "select to_regclass('etl.b')")


def test_changed_migration_is_refused(empty_engine, folder):
    """A file that changed after it was applied stops everything, new files too; line ends do not count."""
    migrate(empty_engine, folder)
    (folder / "0002_b.sql").write_bytes(b"create table b (x int);")
    assert [] == migrate(empty_engine, folder)
    (folder / "0002_b.sql").write_text("create table b (x bigint);")
    (folder / "0003_c.sql").write_text("create table c (x int);")

    with pytest.raises(RallyEtlError, match=r"0002_b.sql \(changed\)"):
        migrate(empty_engine, folder)

    assert scalar(empty_engine, "select to_regclass('etl.c')") is None


def test_missing_migration_is_refused(empty_engine, folder):
    """A database that is ahead of the program is not worked on."""
    migrate(empty_engine, folder)
    (folder / "0002_b.sql").unlink()

    with pytest.raises(RallyEtlError, match=r"0002_b.sql \(gone\)"):
        migrate(empty_engine, folder)


def test_failing_migration_leaves_nothing(empty_engine, folder):
    """A file is applied whole or not at all; the files before it stay applied, and the next call goes on."""
    (folder / "0002_b.sql").write_text("create table b (x int); select 1 / 0;")
    with pytest.raises(sa.exc.DBAPIError, match="division by zero"):
        migrate(empty_engine, folder)
    assert scalar(empty_engine, "select to_regclass('etl.b')") is None

    (folder / "0002_b.sql").write_text("create table b (x int);")

    assert ["0002_b.sql"] == migrate(empty_engine, folder)


def test_two_at_once_apply_each_file_once(empty_engine):
    """Processes that start together wait for each other."""
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: init(empty_engine), range(3)))

    assert 1 == sum(one.rally_tables for one in made)
    assert 1 == len([one for one in made if one.migrations])
    assert scalar(empty_engine, "select count(*) from etl.migrations") == scalar(
        empty_engine, "select count(distinct name) from etl.migrations"
    )


def test_database_of_rally_is_taken_as_it_is(empty_engine):
    """One core table is enough to know a database as Rally's; nothing is made beside it."""
    with empty_engine.begin() as connection:
        connection.execute(sa.text("create table teams (id int)"))

    assert not init(empty_engine).rally_tables
    assert scalar(empty_engine, "select to_regclass('public.leagues')") is None


def test_player_in_both_teams_of_a_club_and_series(engine):
    """One person may be a member of "… I 11" and "… II 11" of the same club and series."""
    with engine.begin() as connection:
        connection.execute(
            sa.text("""
            insert into leagues (league_id, league_name) values ('L', 'L');
            insert into clubs (name) values ('C');
            insert into series (name, display_name, league_id) values ('S', 'S', 1);
            insert into teams (club_id, series_id, league_id, team_name, display_name)
            values (1, 1, 1, 'C I 11', ''), (1, 1, 1, 'C II 11', '');
            insert into players (tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id)
            values ('x', 'A', 'B', 1, 1, 1, 1), ('x', 'A', 'B', 1, 1, 1, 2);
        """)
        )

    assert 2 == scalar(engine, "select count(*) from players")
