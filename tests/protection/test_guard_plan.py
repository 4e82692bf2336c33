"""What a guarded command brought is planned under the ids that users know, or users' rows under its new ids."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from conftest import Filled
from rally_etl import planning
from rally_etl.database.catalog import IMPORTED
from rally_etl.operations import KINDS
from rally_etl.protection import integration_measures
from scrapes import APTA, Import, changed, fingerprint, small

SNAPSHOT, AFTER = "guard_x", "after_x"


def with_users(loaded: Import) -> None:
    """The small scrape and some rows of users."""
    loaded.load(small())
    team = loaded.column("select id from teams where team_name = 'Tennaqua 12'")[0]
    for statement in (
        "insert into users (email, password_hash) values ('ann@example.org', 'x')",
        f"insert into polls (team_id, created_by, question) values ({team}, 1, 'When?')",
        f"insert into user_contexts (user_id, league_id, team_id) values (1, 1, {team})",
        "insert into user_player_associations (user_id, tenniscores_player_id) values (1, 'nndz-Tennaqua121')",
        "insert into schedule (league_id, match_date, home_team, home_team_id)"
        f" values (1, '2025-10-02', 'Tennaqua Practice - Series 12', {team})",
        "update clubs set logo_filename = 'mine.png' where name = 'Tennaqua'",
        "update players set starting_pti = 33, career_wins = 7 where tenniscores_player_id = 'nndz-Tennaqua121'",
    ):
        loaded.write(statement)


@pytest.fixture(scope="module")
def small_database(filled: Filled) -> Iterator[str]:
    """The name of a database with the small scrape and some rows of users; `loaded` copies it."""
    with filled(with_users) as name:
        yield name


def picture(loaded: Import, schema: str) -> None:
    """Copy the whole of live into a schema."""
    loaded.write(f"create schema {schema}")
    for table in loaded.column("select tablename from pg_tables where schemaname = 'public'"):
        loaded.write(f"create table {schema}.{table} as select * from public.{table}")


def command(loaded: Import, scrape: dict | None = None, shift: int = 1000) -> None:
    """An importer that makes everything anew under other ids, and perhaps loads another scrape before."""
    if scrape:
        loaded.load(scrape)
    with loaded.engine.begin() as connection:
        connection.execute(sa.text("set local session_replication_role = replica"))
        for table, columns in {
            "leagues": ("id",), "clubs": ("id",), "series": ("id", "league_id"),
            "club_leagues": ("id", "club_id", "league_id"), "series_leagues": ("id", "series_id", "league_id"),
            "teams": ("id", "club_id", "series_id", "league_id"),
            "players": ("id", "club_id", "series_id", "league_id", "team_id"),
            "player_history": ("id", "player_id", "league_id"),
            "match_scores": ("id", "league_id", "home_team_id", "away_team_id"),
            "series_stats": ("id", "league_id", "series_id", "team_id"),
            "schedule": ("id", "league_id", "home_team_id", "away_team_id"),
        }.items():  # fmt: skip
            moved = ", ".join(f"{column} = {column} + {shift}" for column in columns)
            connection.execute(sa.text(f"update {table} set {moved}"))
            top = f"(select max(id) from {table})"
            connection.execute(sa.text(f"select setval(pg_get_serial_sequence('{table}', 'id'), {top})"))
        connection.execute(sa.text("delete from schedule where home_team ilike '%practice%'"))
        connection.execute(sa.text("update polls set team_id = null"))
        connection.execute(sa.text("update clubs set logo_filename = null"))
        connection.execute(sa.text("update players set starting_pti = null, career_wins = null"))


def back(loaded: Import) -> None:
    """Put live back to the picture; sequences stay where they are."""
    with loaded.engine.begin() as connection:
        connection.execute(sa.text("set local session_replication_role = replica"))
        for table in connection.scalars(sa.text("select tablename from pg_tables where schemaname = 'public'")).all():
            connection.execute(sa.text(f"delete from public.{table}"))
            connection.execute(sa.text(f"insert into public.{table} select * from {SNAPSHOT}.{table}"))


def plan(loaded: Import, method: str) -> str:
    """Begin a run of kind guard with what its orchestration has decided, and plan it."""
    run_id = f"20251002T{next(loaded.numbers):06}-test"
    operation = {"kind": "guard", "command": "importer", "by": "Ann Example", "reason": "a test"}
    loaded.write(
        "insert into etl.runs (run_id, source, as_of, operation)"
        " values (:run, 'guard importer', '2025-10-01', cast(:operation as jsonb))",
        run=run_id,
        operation=json.dumps(operation),
    )
    loaded.write("insert into etl.run_leagues (run_id, league) values (:run, :league)", run=run_id, league=APTA)
    loaded.write(
        "insert into etl.guards (run_id, command, method, details)"
        " values (:run, 'importer', :method, cast(:details as jsonb))",
        run=run_id,
        method=method,
        details=json.dumps({"snapshot": SNAPSHOT, "after": AFTER if method == "old_ids" else "public"}),
    )
    planning.make_plan(loaded.engine, loaded.settings, run_id, kinds=KINDS)
    return run_id


def found(loaded: Import, run_id: str) -> dict[str, list[str]]:
    """What the stage integration finds wrong with rows of users."""
    measures = integration_measures(loaded.engine, loaded.settings, run_id)[APTA]
    return {name: each["detail"] for name, each in measures.items() if each["value"]}


USERS = ("polls", "user_contexts", "user_player_associations", "users", "captain_messages")


def contents(loaded: Import) -> dict[str, list[str]]:
    """Rows of imported tables as a reader of names sees them, without ids and times."""
    sql = {
        "teams": "select t.team_name, c.name, s.name, l.league_id, t.is_active, t.team_alias from teams as t"
        " join clubs as c on c.id = t.club_id join series as s on s.id = t.series_id"
        " join leagues as l on l.id = t.league_id",
        "players": "select p.tenniscores_player_id, p.first_name, t.team_name, p.pti, p.is_active from players as p"
        " join teams as t on t.id = p.team_id",
        "match_scores": "select m.tenniscores_match_id, h.team_name, a.team_name, scores, winner, home_player_1_id"
        " from match_scores as m join teams as h on h.id = m.home_team_id join teams as a on a.id = m.away_team_id",
        "series_stats": "select x.series, t.team_name, s.name, x.points from series_stats as x"
        " join teams as t on t.id = x.team_id join series as s on s.id = x.series_id",
        "schedule": "select x.match_date, x.match_time, h.team_name, a.team_name from schedule as x"
        " join teams as h on h.id = x.home_team_id join teams as a on a.id = x.away_team_id",
        "player_history": "select p.tenniscores_player_id, h.date, h.end_pti from player_history as h"
        " join players as p on p.id = h.player_id",
    }
    return {table: sorted(map(str, loaded.rows(query))) for table, query in sql.items()}


def test_command_that_only_issued_new_ids_leaves_nothing_to_plan(loaded):
    """Under the old ids everything is as before: the plan is empty."""
    picture(loaded, SNAPSHOT)
    command(loaded)
    picture(loaded, AFTER)
    back(loaded)

    assert {} == loaded.changes(plan(loaded, "old_ids"))


def test_what_a_command_brought_comes_under_the_old_ids(loaded):
    """New rows, changed rows and rows that went arrive as an import would have brought them; users' rows stay."""
    picture(loaded, SNAPSHOT)
    before = fingerprint(loaded.engine)
    ids = dict(loaded.rows("select team_name, id from teams"))
    command(loaded, changed())
    expected = contents(loaded)
    picture(loaded, AFTER)
    back(loaded)
    assert before == fingerprint(loaded.engine)

    run_id = plan(loaded, "old_ids")
    assert {} == found(loaded, run_id)
    loaded.publish(run_id)

    assert expected == contents(loaded)
    after = fingerprint(loaded.engine)
    assert {table: before[table] for table in USERS} == {table: after[table] for table in USERS}
    assert ids == {name: row for name, row in loaded.rows("select team_name, id from teams") if name in ids}
    assert [1] == loaded.column("select count(*) from schedule where home_team ilike '%practice%'")
    assert ["mine.png"] == loaded.column("select logo_filename from clubs where name = 'Tennaqua'")
    assert [(33, 7)] == loaded.rows(
        "select starting_pti, career_wins from players where tenniscores_player_id = 'nndz-Tennaqua121'"
    )
    assert not set(loaded.changes(run_id)) - set(IMPORTED)


def meaning(loaded: Import, schema: str = "public") -> list[str]:
    """What rows of users point at, by name."""
    parts = (
        "select 'poll', p.question, t.team_name from {0}.polls as p left join {0}.teams as t on t.id = p.team_id",
        "select 'context', l.league_id, t.team_name from {0}.user_contexts as c"
        " left join {0}.leagues as l on l.id = c.league_id left join {0}.teams as t on t.id = c.team_id",
        "select 'association', a.tenniscores_player_id, min(p.first_name) from {0}.user_player_associations as a"
        " left join {0}.players as p using (tenniscores_player_id) group by 2",
        "select 'practice', x.home_team, t.team_name from {0}.schedule as x"
        " left join {0}.teams as t on t.id = x.home_team_id where x.home_team ilike '%practice%'",
    )
    return sorted(str(row) for part in parts for row in loaded.rows(part.format(schema)))


def test_users_rows_come_back_under_the_new_ids(loaded):
    """Directly taken over: the command's rows stay, users' rows say what they said, what it dropped is switched off."""
    picture(loaded, SNAPSHOT)
    expected = meaning(loaded)
    command(loaded, changed())
    loaded.write("delete from user_contexts")
    loaded.write("delete from players where tenniscores_player_id = 'nndz-HinsdalePCII7SW3'")
    rows = {table: loaded.rows(f"select * from {table}") for table in ("teams", "series_stats", "match_scores")}
    assert expected != meaning(loaded)

    run_id = plan(loaded, "direct")
    assert {} == found(loaded, run_id)
    loaded.publish(run_id)

    assert expected == meaning(loaded)
    assert ["mine.png"] == loaded.column("select logo_filename from clubs where name = 'Tennaqua'")
    assert [33] == loaded.column("select starting_pti from players where tenniscores_player_id = 'nndz-Tennaqua121'")
    assert rows == {table: loaded.rows(f"select * from {table}") for table in rows}
    assert [(False,)] == loaded.rows(
        "select is_active from players where tenniscores_player_id = 'nndz-HinsdalePCII7SW3'"
    )
    old, new = (
        loaded.column(f"select id from {schema}.teams where team_name = 'Tennaqua 12'")[0]
        for schema in (SNAPSHOT, "public")
    )
    assert [new] == loaded.column(
        "select into_id from etl.redirects where table_name = 'teams' and from_id = :id", id=old
    )
    repaired = loaded.rows(
        "select table_name, action, count(*) from etl.repairs where run_id = :run group by 1, 2 order by 1, 2",
        run=run_id,
    )
    assert [("polls", "update", 1), ("schedule", "insert", 1), ("user_contexts", "insert", 1)] == repaired
