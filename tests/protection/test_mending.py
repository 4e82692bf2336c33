"""Orphans are mended by what is known of them, asked about where that is not enough, and never guessed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import Phase, given
from hypothesis import strategies as st

from conftest import CopyOf, Filled
from rally_etl import operations as kinds
from rally_etl import planning
from rally_etl.database.references import read_reference_params
from rally_etl.identity import answers
from rally_etl.identity.spelling import team_spelling
from rally_etl.planning import operations
from rally_etl.protection import integration_measures
from rally_etl.protection.memory import note_users
from rally_etl.protection.mending.proposals import propose
from rally_etl.protection.mending.repair import Repair
from rally_etl.protection.orphans import Orphan
from scrapes import APTA, Import, fingerprint, small

DAY = "2025-09-25T00:00:00Z"


def two_users(importing: Import) -> None:
    """The small scrape, published, with two users and rows of theirs on `Tennaqua 12`."""
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


@pytest.fixture(scope="module")
def users_database(filled: Filled) -> Iterator[str]:
    """The name of a database with two users."""
    with filled(two_users) as name:
        yield name


@pytest.fixture
def users(copy_of: CopyOf, users_database: str) -> Import:
    """A database of the test's own with two users."""
    return copy_of(users_database)


def team_of(importing: Import, name: str) -> int:
    """Id of a team by its name."""
    return importing.column("select id from teams where team_name = :name", name=name)[0]


def remember(importing: Import) -> None:
    """Note every row of users as it is."""
    with importing.engine.begin() as connection:
        note_users(connection, read_reference_params(importing.settings.params_dir / "references.yaml"))


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


def test_redirect_is_followed_to_its_end(users):
    """A row of a team that was merged, and merged again, goes to the team that stays, whatever its names were."""
    team, other = team_of(users, "Winnetka 12"), team_of(users, "Hinsdale PC I 7 SW")
    users.write(
        "insert into etl.redirects (table_name, from_id, into_id, run_id, decided_by, reason)"
        " values ('teams', 70, 71, 'r', 'Ann', 'one'), ('teams', 71, :team, 'r', 'Ann', 'one')",
        team=team,
    )
    (repair,) = proposed(users, orphan("polls", 1, "team_id", "teams", 70, name="Tennaqua 12", league=APTA))
    assert ("redirect", str(team), "planned", 1.0) == (
        repair.strategy, repair.becomes, repair.state, repair.confidence,
    ) and other != team  # fmt: skip


def test_name_is_never_part_of_another(users):
    """`Hinsdale PC 7 SW` is neither of the two teams whose names hold it: asked, with nothing guessed."""
    (repair,) = proposed(
        users, orphan("polls", 1, "team_id", "teams", 70, name="Hinsdale PC 7", league=APTA, series="Series 7 SW")
    )
    assert ("asked", "none", None) == (repair.state, repair.action, repair.becomes)
    (repair,) = proposed(
        users, orphan("captain_messages", 1, "team_id", "teams", 70, name="tennaqua - 12", league=APTA)
    )
    assert ("planned", str(team_of(users, "Tennaqua 12"))) == (repair.state, repair.becomes), "another spelling is read"


def test_alias_in_force_leads_on(users):
    """A name that a review has made an alias is the live team's."""
    team = team_of(users, "Winnetka 12")
    users.write(
        "insert into etl.aliases (league, entity, spelling, target, strategy, confidence, evidence)"
        " values (:league, 'team', :spelling, :target, 'review', 1, '')",
        league=APTA,
        spelling=team_spelling(("indian hill", "Series 12", "")),
        target=str(team),
    )
    (repair,) = proposed(users, orphan("videos", 1, "team_id", "teams", 70, name="Indian Hill 12", league=APTA))
    assert ("memory", str(team), "planned") == (repair.strategy, repair.becomes, repair.state)


def test_practice_says_its_team(users):
    """Nothing is known of the id: club and series of the text, in the row's league; of two such teams none is taken."""
    practice = users.column("select id from schedule where home_team like '%Practice%'")[0]
    (repair,) = proposed(users, orphan("schedule", practice, "home_team_id", "teams", 70, league=APTA))
    assert ("pattern", str(team_of(users, "Tennaqua 12"))) == (repair.strategy, repair.becomes)

    users.write("update schedule set home_team = 'Hinsdale PC Practice - Series 7 SW' where id = :id", id=practice)
    (repair,) = proposed(users, orphan("schedule", practice, "home_team_id", "teams", 70, league=APTA))
    assert ("asked", 2) == (repair.state, len(repair.candidates))


def test_writer_with_one_team_and_with_two(users):
    """One team is believed; of two none, unless the text names one of them."""
    (repair,) = proposed(users, orphan("polls", 1, "team_id", "teams", None, kind="emptied"))
    assert ("creator", str(team_of(users, "Tennaqua 12")), "planned") == (
        repair.strategy, repair.becomes, repair.state,
    )  # fmt: skip

    users.write("insert into user_player_associations values (1, 'nndz-Winnetka121')")
    (repair,) = proposed(users, orphan("polls", 1, "team_id", "teams", None, kind="emptied"))
    assert ("asked", 2) == (repair.state, len(repair.candidates))

    users.write("update polls set question = 'Winnetka 12: who is free?' where id = 1")
    (repair,) = proposed(users, orphan("polls", 1, "team_id", "teams", None, kind="emptied"))
    assert ("choice", str(team_of(users, "Winnetka 12"))) == (repair.strategy, repair.becomes)


def test_strategies_that_disagree_ask(users):
    """Memory says one team, the row's own text another: a person decides, with both before them."""
    practice = users.column("select id from schedule where home_team like '%Practice%'")[0]
    (repair,) = proposed(
        users, orphan("schedule", practice, "home_team_id", "teams", 70, name="Winnetka 12", league=APTA)
    )
    assert ("asked", 2) == (repair.state, len(repair.candidates))
    assert repair.confidence < 0.8


def test_two_teams_rows_never_become_one(users):
    """Incident 5: rows of two lost ids whose writer has one team now are both asked; so is one beside a known other."""
    lost = [orphan("polls", row, "team_id", "teams", was) for row, was in ((1, 70), (2, 71))]
    assert ["planned"] == [each.state for each in proposed(users, lost[0])]
    assert ["asked", "asked"] == [each.state for each in proposed(users, *lost)]

    known = orphan("captain_messages", 1, "team_id", "teams", 72, name="Tennaqua 12", league=APTA)
    assert ["asked", "planned"] == [each.state for each in proposed(users, lost[0], known)]
    same = orphan("captain_messages", 1, "team_id", "teams", 70)
    assert ["planned", "planned"] == [each.state for each in proposed(users, lost[0], same)], "one id is one team"


def test_row_of_another_league_is_asked(users):
    """A team of another league than the row is no answer by itself."""
    (repair,) = proposed(users, orphan("polls", 1, "team_id", "teams", 70, league="NSTF"))
    assert "asked" == repair.state


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from([None, "70", "71", "72"]),
            st.sampled_from(["", "Tennaqua 12", "Winnetka 12", "Skokie 12", "tennaqua - 12"]),
            st.sampled_from(["*", APTA, "NSTF"]),
            st.sampled_from([1, 2]),
        ),
        min_size=1,
        max_size=6,
    )
)
@hypothesis.settings(
    max_examples=60, deadline=None, suppress_health_check=list(hypothesis.HealthCheck), phases=[Phase.generate]
)
def test_no_two_different_things_get_one_target(users, rows):
    """Whatever is found: rows known to have been different things never share a target, nor leave their league."""
    found = [
        orphan("polls", row, "team_id", "teams", was, name=name, league=league, kind="dangling" if was else "emptied")
        for was, name, league, row in rows
    ]
    together: dict[str, list[Orphan]] = {}
    for each in proposed(users, *found):
        if each.state == "planned":
            assert each.orphan.league in ("*", APTA)
            together.setdefault(each.becomes, []).append(each.orphan)
    for same in together.values():
        names = {each.name.lower().replace(" - ", " ") for each in same if each.name}
        assert len(names) < 2
        unknown = {each.was for each in same if not each.name and each.was}
        assert len(unknown) < 2
        assert not unknown or not {each.was for each in same if each.name and each.was} - unknown


def test_gone_rows_come_back_with_the_ids_of_now(users):
    """Practices that went with the schedule come back under their ids, at the team that has another id now."""
    for day in ("2025-10-09", "2025-10-16"):
        users.write(
            "insert into schedule (league_id, match_date, home_team, home_team_id)"
            " values (1, :day, 'Tennaqua Practice - Series 12', :team)",
            day=day,
            team=team_of(users, "Tennaqua 12"),
        )
    remember(users)
    before = users.rows("select * from schedule where home_team like '%Practice%' order by id")
    break_it(users, "delete from schedule where home_team like '%Practice%'")
    reissue(users, "Tennaqua 12", 90)
    run_id = plan(users)

    assert {} == unexplained(users, run_id)
    users.publish(run_id)
    after = users.rows("select * from schedule where home_team like '%Practice%' order by id")
    assert [(row.id, row.match_date, 90) for row in before] == [
        (row.id, row.match_date, row.home_team_id) for row in after
    ]
    assert "gone" in users.column("select kind from etl.repairs where action = 'insert'")


def test_plan_row_that_no_repair_explains_is_told(users):
    """A row smuggled into the plan, a value that no repair names, and a repair without a plan row all fail the gate."""
    reissue(users, "Tennaqua 12", 90)
    run_id = plan(users)
    assert {} == unexplained(users, run_id)
    schema = planning.schemas(run_id)[0]

    users.write(f"update {schema}.polls set question = 'Whose?' where id = 1")
    assert ["user_rows_changed"] == list(unexplained(users, run_id))
    users.write(f"update {schema}.polls set question = 'Who?' where id = 1")
    assert {} == unexplained(users, run_id)
    users.write(f"delete from {schema}.polls where id = 2")
    assert ["user_rows_changed"] == list(unexplained(users, run_id))


def test_vote_that_would_stand_twice_is_asked(users):
    """Two votes of one player in one poll cannot be: the lost one stays as it is, and a person is asked."""
    player = users.column("select player_id from poll_responses")[0]
    break_it(
        users,
        "insert into etl.entity_history (table_name, entity_id, league, name, series, team, is_active)"
        " values ('players', 800, 'APTA_CHICAGO', 'Tennaqua121 Example', 'Series 12', 'Tennaqua 12', true)",
        "insert into poll_responses (poll_id, player_id) values (1, 800)",
    )
    plan(users)
    (row,) = users.rows("select state, evidence from etl.repairs where table_name = 'poll_responses'")
    assert "asked" == row.state
    assert "says that already" in row.evidence
    assert [player, 800] == users.column("select player_id from poll_responses order by id")


def test_one_question_for_all_rows_of_a_lost_team(users):
    """All messages of one lost team are one question; imports leave it alone, a rejection is not asked again."""
    for number in range(3):
        users.write(f"insert into captain_messages (team_id, captain_user_id, message) values (3, 2, 'Hello {number}')")
    break_it(users, "update captain_messages set team_id = 777 where captain_user_id = 2")
    plan(users)
    (question,) = users.rows("select * from etl.reviews where kind = 'orphan' and state = 'open'")
    assert (3, "777", "team") == (question.held_rows, question.name, question.entity)
    assert "3 rows of captain_messages.team_id" in question.told

    users.load(small())
    assert ["open"] == users.column("select state from etl.reviews where kind = 'orphan'")
    answers.reject(users.engine, question.number, "Ann Example", "it was a test team")
    plan(users)
    assert {("left", "answer")} == set(
        users.rows("select state, strategy from etl.repairs where run_id = (select max(run_id) from etl.repairs)")
    )
    assert ["rejected"] == users.column("select state from etl.reviews where kind = 'orphan'")
