"""Entity history against a real database: under which names everything was seen, from when to when."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from rally_etl.identity.history import record_history
from rally_etl.settings import Settings
from scrapes import APTA, Import, small

NAMES = (
    "select name, series, is_active, valid_to is null as is_now, run_id, ended_run from etl.entity_history"
    " where table_name = :table and entity_id = :id order by valid_from"
)


@pytest.fixture
def loaded(engine: sa.Engine, settings: Settings) -> Import:
    """A database that holds the small scrape, as an importer without a history left it."""
    imports = Import(engine, settings)
    imports.load(small())
    imports.write("delete from etl.entity_history")
    return imports


def record(loaded: Import, run_id: str | None) -> int:
    """Record the history of the league in a transaction of its own."""
    league_id = loaded.column("select id from leagues")[0]
    with loaded.engine.begin() as connection:
        return record_history(connection, APTA, league_id, run_id)


def test_everything_in_live_is_seen_once(loaded: Import):
    """The first recording holds every team, series, club and player; a second one without a change writes nothing."""
    found = record(loaded, None)
    rows = sum(loaded.column(f"select count(*) from {table}")[0] for table in ("teams", "series", "clubs", "players"))
    assert found == rows
    assert record(loaded, "later") == 0


def test_a_new_name_ends_the_old_one(loaded: Import):
    """A team that is renamed has two entries: the old name until the run that renamed it, and the new one."""
    record(loaded, None)
    team = loaded.column("select id from teams where team_name = 'Tennaqua 12'")[0]
    loaded.write("update teams set team_name = 'Tennaqua I 12' where id = :id", id=team)
    assert record(loaded, "a run") == 5  # the team, and its four players under the team's new name
    assert loaded.rows(NAMES, table="teams", id=team) == [
        ("Tennaqua 12", "Series 12", True, False, None, "a run"),
        ("Tennaqua I 12", "Series 12", True, True, "a run", None),
    ]


def test_a_team_that_goes_and_comes_back(loaded: Import):
    """Being switched off and on again are changes too, so that the history tells when a team played."""
    record(loaded, None)
    team = loaded.column("select id from teams where team_name = 'Winnetka 12'")[0]
    for active in (False, True):
        loaded.write("update teams set is_active = :active where id = :id", active=active, id=team)
        record(loaded, str(active))
    assert [row.is_active for row in loaded.rows(NAMES, table="teams", id=team)] == [True, False, True]


def test_a_player_is_told_with_team_and_series(loaded: Import):
    """A player's entry names the team of the membership."""
    record(loaded, None)
    row = loaded.rows("select * from etl.entity_history where table_name = 'players' order by entity_id limit 1")[0]
    player = loaded.rows(
        "select p.first_name, p.last_name, t.team_name, s.name from players p join teams t on t.id = p.team_id"
        " join series s on s.id = p.series_id where p.id = :id",
        id=row.entity_id,
    )[0]
    assert (row.name, row.team, row.series) == (f"{player[0]} {player[1]}", player[2], player[3])


def test_clubs_have_one_history_over_all_leagues(loaded: Import):
    """Leagues share clubs: their entries stand under `*`, once."""
    record(loaded, None)
    clubs = loaded.rows("select entity_id, league from etl.entity_history where table_name = 'clubs'")
    assert {league for _, league in clubs} == {"*"}
    assert len({entity for entity, _ in clubs}) == len(clubs) > 0


def test_series_without_a_league_column(loaded: Import):
    """Where series have no league (docs/databases.md) a series is the league's through its teams."""
    loaded.write("alter table series drop constraint uq_series_league_name")
    loaded.write("alter table series drop column league_id cascade")
    record(loaded, None)
    seen = loaded.column("select name from etl.entity_history where table_name = 'series' order by 1")
    assert seen == ["Series 12", "Series 7 SW"]
