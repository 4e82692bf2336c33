"""Ids that an importer has issued anew are found again by names and persons, never by the ids themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from conftest import Filled
from rally_etl.protection.guard.reissued import ENTITIES, Reissued, map_ids
from scrapes import TEAMS, Import, player, small, stats

OFF = "set session_replication_role = replica"


def with_picture(importing: Import) -> None:
    """The small scrape twice: live, and as it is before anything happens to it."""
    importing.load(small())
    importing.write("create schema guard_x")
    for table in ENTITIES:
        importing.write(f"create table guard_x.{table} as select * from public.{table}")


@pytest.fixture(scope="module")
def small_database(filled: Filled) -> Iterator[str]:
    """The name of a database with the small scrape and its picture; `loaded` copies it."""
    with filled(with_picture) as name:
        yield name


def happens(loaded: Import, *statements: str) -> Reissued:
    """Somebody runs statements without foreign keys; what has become of the ids?"""
    with loaded.engine.begin() as connection:
        connection.execute(sa.text(OFF.replace("set ", "set local ")))
        for statement in statements:
            connection.execute(sa.text(statement))
    with loaded.engine.connect() as connection:
        return map_ids(connection, loaded.settings, "guard_x", "public")


def tally(found: Reissued) -> dict[str, tuple[int, int, int, int]]:
    """Table -> kept, reissued, unsure, dropped."""
    return {row["table"]: (row["kept"], row["reissued"], row["unsure"], row["dropped"]) for row in found.counts()}


def test_nothing_happened(loaded):
    """Every id stands for what it stood for."""
    found = happens(loaded)

    assert {table: (size, 0, 0, 0) for table, (size, *_) in tally(found).items()} == tally(found)
    assert found.rate == 1 and found.entities > 20 and not found.is_unsure and not found.persons


MOVE = "update {} set id = id + 1000"


def test_every_row_is_made_anew(loaded):
    """All ids are others, and each is found; none is preserved."""
    parents = [
        "update teams set club_id = club_id + 1000, series_id = series_id + 1000, league_id = league_id + 1000",
        "update series set league_id = league_id + 1000",
        "update players set club_id = club_id + 1000, series_id = series_id + 1000, league_id = league_id + 1000,"
        " team_id = team_id + 1000",
    ]
    found = happens(loaded, *parents, *(MOVE.format(table) for table in ENTITIES))

    assert found.preserved == 0 and found.rate == 0
    assert {table: (0, size, 0, 0) for table, (_, size, *_) in tally(found).items()} == tally(found)
    assert all(new == old + 1000 for pairs in found.tables.values() for old, new in pairs.ids.items())


def test_ids_that_were_given_to_other_things_are_not_kept(loaded):
    """After a reset of the sequence the same numbers stand for other teams: two of them are swapped."""
    rows = loaded.rows("select id, team_name from teams order by id")
    first, last = rows[0].id, rows[-1].id
    found = happens(
        loaded,
        f"update teams set id = -1 where id = {first}",
        f"update teams set id = {first} where id = {last}",
        f"update teams set id = {last} where id = -1",
        f"update players set team_id = case team_id when {first} then {last} else {first} end"
        f" where team_id in ({first}, {last})",
    )

    pairs = found.tables["teams"]
    assert {first: last, last: first} == {old: new for old, new in pairs.ids.items() if old != new}
    assert pairs.preserved == len(rows) - 2
    assert found.tables["players"].preserved == len(found.tables["players"].before)


def test_team_under_another_spelling_is_found_by_the_grammar_and_by_its_players(loaded):
    """`Tennaqua - 12` is read as the same team; a name that says nothing is found by who plays in it."""
    first, second, *_ = TEAMS
    found = happens(
        loaded,
        f"update teams set id = id + 500, team_name = 'Tennaqua - 12' where team_name = '{first}'",
        f"update teams set id = id + 500, team_name = 'Northbrook 12' where team_name = '{second}'",
        f"update players set team_id = team_id + 500 where team_id in"
        f" (select id from guard_x.teams where team_name in ('{first}', '{second}'))",
    )

    pairs = found.tables["teams"]
    how = {pairs.before[old]["team_name"]: pairs.how[old] for old in pairs.before}
    assert how[first] == "key" and how[second] == "roster"
    assert tally(found)["players"] == (len(found.tables["players"].before), 0, 0, 0)


def test_what_is_gone_is_dropped_and_what_could_be_two_is_unsure(loaded):
    """A deleted team has no counterpart; of two new rows with one name neither is taken."""
    first, second, *_ = TEAMS
    loaded.write("alter table teams drop constraint unique_team_name_per_league")
    found = happens(
        loaded,
        f"delete from teams where team_name = '{second}'",
        "insert into teams (id, club_id, series_id, league_id, team_name, display_name)"
        " select id + n, club_id, series_id, league_id, team_name, team_name"
        " from teams, generate_series(700, 701) as n"
        f" where team_name = '{first}'",
        f"delete from teams where id < 700 and team_name = '{first}'",
    )

    pairs = found.tables["teams"]
    assert list(pairs.dropped.values()) == [second]
    assert [len(others) for others in pairs.unsure.values()] == [2] and found.is_unsure
    assert not pairs.added, "what may be a known team is no new one"


def test_person_keeps_the_row_of_the_team_and_another_printed_id_is_the_same_person(loaded):
    """Two memberships of one person stay apart; a prefix in front of the id changes nothing but how it is printed."""
    _, second, *_ = TEAMS
    scrape = small()
    scrape["players"].append(player("Tennaqua121", second))
    scrape["series_stats"].append(stats("Skokie 12", series="Series 12"))
    loaded.load(scrape)
    loaded.write("drop table guard_x.players")
    loaded.write("create table guard_x.players as select * from public.players")
    found = happens(
        loaded,
        "update players set id = 5000 - id, tenniscores_player_id = 'apta_' || tenniscores_player_id",
    )

    pairs = found.tables["players"]
    assert all(new == 5000 - old for old, new in pairs.ids.items()) and len(pairs.ids) == len(pairs.before)
    assert found.persons["nndz-Tennaqua121"] == "apta_nndz-Tennaqua121"
    assert len(found.persons) == len({row["tenniscores_player_id"] for row in pairs.before.values()})
