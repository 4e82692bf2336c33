"""Orphans are mended by what is known of them, asked about where that is not enough, and never guessed."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from rally_etl import operations as kinds
from rally_etl import planning
from rally_etl.planning import operations
from rally_etl.protection import integration_measures
from rally_etl.protection.mending import propose
from rally_etl.protection.orphans import Orphan
from rally_etl.protection.repair import Repair
from scrapes import APTA, Import, fingerprint, small

DAY = "2025-09-25T00:00:00Z"


@pytest.fixture
def users(engine, settings) -> Import:
    """The small scrape, published, with two users and rows of theirs on `Tennaqua 12`."""
    importing = Import(engine, settings)
    importing.load(small())
    team = team_of(importing, "Tennaqua 12")
    player, series = importing.rows("select id, series_id from players where team_id = :team order by id", team=team)[0]
    importing.write(
        "insert into users (email, password_hash) values ('ann@example.org', 'x'), ('bob@example.org', 'x')"
    )
    named = {"team": team, "player": player, "series": series}
    for statement in (
        "insert into user_player_associations (user_id, tenniscores_player_id) values (1, 'nndz-Tennaqua121')",
        "insert into user_contexts (user_id, league_id, team_id, series_id) values (1, 1, :team, :series)",
        "insert into polls (team_id, created_by, question) values (:team, 1, 'Who?'), (:team, 1, 'When?')",
        "insert into poll_responses (poll_id, player_id) values (1, :player)",
        "insert into captain_messages (team_id, captain_user_id, message) values (:team, 1, 'Hello')",
        "insert into schedule (league_id, match_date, home_team, home_team_id)"
        " values (1, '2025-10-02', 'Tennaqua Practice - Series 12', :team)",
        "insert into player_availability (player_name, match_date, series_id, player_id, user_id)"
        f" values ('Tennaqua121 Example', '{DAY}', :series, :player, 1)",
    ):
        importing.write(statement, **{name: value for name, value in named.items() if f":{name}" in statement})
    return importing


def team_of(importing: Import, name: str) -> int:
    """Id of a team by its name."""
    return importing.column("select id from teams where team_name = :name", name=name)[0]


def break_it(importing: Import, *statements: str, **binds: Any) -> None:
    """Run statements with foreign keys off, as a careless importer does."""
    with importing.engine.begin() as connection:
        connection.execute(sa.text("set local session_replication_role = replica"))
        for statement in statements:
            wanted = {name: value for name, value in binds.items() if f":{name}" in statement}
            connection.execute(sa.text(statement), wanted)


def without_keys(importing: Import) -> None:
    """Drop the foreign keys of users' rows at teams, as in a database that no migration reached."""
    rows = importing.rows(
        "select conrelid::regclass::text as owner, conname from pg_constraint where contype = 'f'"
        " and confrelid = 'teams'::regclass and conrelid::regclass::text not in ('players', 'match_scores')"
    )
    for row in rows:
        importing.write(f"alter table {row.owner} drop constraint {row.conname}")


def reissue(importing: Import, name: str, new: int) -> int:
    """Give a team another id; what imports wrote follows, users' rows do not. Answers the old one."""
    old = team_of(importing, name)
    follow = [
        f"update {table} set {column} = :new where {column} = :old"
        for table, column in (
            ("teams", "id"), ("players", "team_id"), ("match_scores", "home_team_id"),
            ("match_scores", "away_team_id"), ("series_stats", "team_id"), ("schedule", "away_team_id"),
        )
    ]  # fmt: skip
    follow.append("update schedule set home_team_id = :new where home_team_id = :old and away_team is not null")
    break_it(importing, *follow, "select setval('teams_id_seq', :new)", old=old, new=new)
    return old


def orphan(table: str, row: Any, column: str, target: str, was: Any, **known: Any) -> Orphan:
    """A dangling reference, if nothing else is said."""
    return Orphan(
        **{"kind": "dangling", "table": table, "row": str(row), "column": column, "target": target}
        | {"was": None if was is None else str(was)}
        | known
    )


def proposed(importing: Import, *orphans: Orphan) -> list[Repair]:
    """What is proposed for hand-made findings."""
    with importing.engine.connect() as connection:
        return propose(connection, importing.settings, orphans)


def plan(importing: Import, operation: dict[str, Any] | None = None) -> str:
    """Begin a run without a scrape and plan it."""
    operation = operation or {"kind": "orphans", "by": "Ann Example", "reason": "mend"}
    run_id = f"20251002T{next(importing.numbers):06}-test"
    importing.write(
        "insert into etl.runs (run_id, source, as_of, operation) values (:run, 'orphans', '2025-10-01',"
        " cast(:operation as jsonb))",
        run=run_id,
        operation=json.dumps(operation),
    )
    for league in operations.leagues_of(importing.engine, importing.settings, operation, kinds.KINDS):
        importing.write(
            "insert into etl.run_leagues (run_id, league) values (:run, :league)", run=run_id, league=league
        )
    planning.make_plan(importing.engine, importing.settings, run_id, kinds=kinds.KINDS)
    return run_id


def unexplained(importing: Import, run_id: str) -> dict[str, list[str]]:
    """What integration finds lost, moved or changed without a reason."""
    found = integration_measures(importing.engine, importing.settings, run_id)[APTA]
    return {name: each["detail"] for name, each in found.items() if each["value"]}


def test_history_of_the_id_mends_every_row_that_lost_it(users):
    """A team under a new id: polls, messages, practices and contexts go to it, are published, and come back by undo."""
    without_keys(users)
    old = reissue(users, "Tennaqua 12", 90)
    before = fingerprint(users.engine)
    run_id = plan(users)

    assert {} == unexplained(users, run_id)
    users.publish(run_id)
    for table, column in (
        ("polls", "team_id"), ("captain_messages", "team_id"), ("user_contexts", "team_id"),
        ("schedule", "home_team_id"),
    ):  # fmt: skip
        assert [] == users.rows(f"select * from {table} where {column} = :old", old=old), table
    assert [90, 90] == users.column("select team_id from polls")
    assert {("history", "planned")} == set(users.rows("select strategy, state from etl.repairs"))

    undone = plan(users, {"kind": "undo", "run": run_id, "by": "Ann Example", "reason": "a mistake"})
    assert {} == unexplained(users, undone)
    users.publish(undone)
    assert before == fingerprint(users.engine)


def test_undo_leaves_what_a_foreign_key_forbids(users):
    """A column that pointed at nothing cannot be written so again: it stays mended, and the report lists it."""
    reissue(users, "Tennaqua 12", 90)
    run_id = plan(users)
    users.publish(run_id)

    undone = plan(users, {"kind": "undo", "run": run_id, "by": "Ann Example", "reason": "a mistake"})
    assert {} == unexplained(users, undone)
    users.publish(undone)
    assert [90, 90] == users.column("select team_id from polls")
    assert ("polls", "it pointed at nothing", "1: team_id") in users.held(undone)
