"""The health of a real database: what users have lost, what is not there, what the ledger lacks, and that of a run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa

from healthy import AS_OF
from rally_etl.checks import run_checks
from rally_etl.database.catalog import read_catalog
from rally_etl.database.engine import connect
from rally_etl.errors import UsageError
from rally_etl.monitoring import health_live, monitoring_measures, read_health_params
from rally_etl.planning.schema import create_plan, finish_plan
from rally_etl.reporting import healthy as reported
from rally_etl.settings import Settings

RUN_ID = "20251001T060000-ab12"
BEFORE = "20250930T060000-ab12"
RUN = """
    insert into etl.runs (run_id, source, as_of) values (:run, 'x', :as_of);
    insert into etl.run_leagues (run_id, league) values (:run, 'SAMPLE'), (:run, 'OTHER')
    """


@pytest.fixture(scope="module")
def live(module_engine: sa.Engine) -> sa.Engine:
    """Two leagues; of one a match three days ago is known, and one of next week."""
    with module_engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into leagues (id, league_id, league_name) values (1, 'SAMPLE', 'Sample'), (2, 'OTHER', 'Other')"
            )
        )
        connection.execute(
            sa.text("insert into match_scores (league_id, match_date) values (1, :day), (1, :later)"),
            {"day": AS_OF - dt.timedelta(days=3), "later": AS_OF + dt.timedelta(days=7)},
        )
    return module_engine


@contextmanager
def for_a_while(engine: sa.Engine, make: str, unmake: str, **binds: object) -> Iterator[None]:
    """What a statement makes, past foreign keys, until the test has ended."""
    with engine.begin() as connection:
        connection.execute(sa.text("set local session_replication_role = replica"))
        connection.execute(sa.text(make), binds)
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text(unmake), binds)


def lowest_caps(document: dict, league: str = "SAMPLE") -> dict[str, float]:
    """Class -> the score that it allows in the league."""
    return {cap["cap"]: cap["score"] for cap in document["leagues"][league]["caps"]}


def test_the_document_is_that_of_the_interface(live: sa.Engine, module_settings: Settings):
    """Score, level and parts for the database and for each league; beside them caps, missing and recommendations."""
    health = health_live(live, module_settings, AS_OF)
    params = read_health_params(module_settings.params_dir / "health.yaml")

    assert {"SAMPLE", "OTHER"} == set(health["leagues"])
    assert health["health_score"] == min(league["health_score"] for league in health["leagues"].values())
    assert [*params.weights] == [part["part"] for part in health["parts"]]
    assert {"health_score", "level", "leagues", "parts", "caps", "missing", "recommendations"} == set(health)
    assert 3 == health["leagues"]["SAMPLE"]["days_since_newest_match"]


def test_a_league_without_rows_says_so(live: sa.Engine, module_settings: Settings):
    """All checks pass on empty tables; the league is critical all the same, and each empty table is named."""
    health = health_live(live, module_settings, AS_OF, league="OTHER")

    assert ["OTHER"] == [*health["leagues"]]
    assert ("critical", 40) == (health["level"], lowest_caps(health, "OTHER")["no_rows"])
    assert [] == [
        name for name in ("teams", "players", "series") if f"{name}/has_rows" not in " ".join(health["missing"])
    ]


def test_an_unknown_league_is_refused(live: sa.Engine, module_settings: Settings):
    """The message names those that there are."""
    with pytest.raises(UsageError, match=r"live has no league 'NONE'.*\nhint: it has OTHER, SAMPLE"):
        health_live(live, module_settings, AS_OF, league="NONE")


def test_lost_rows_of_users_cap_the_score(live: sa.Engine, module_settings: Settings):
    """Three polls of a team that there is not are critical, told with their reference, and first to be mended."""
    polls = (
        "insert into polls (id, team_id, created_by, question) select n, 99999, 1, 'Q' from generate_series(1, 3) as n"
    )
    with for_a_while(live, polls, "delete from polls"):
        health = health_live(live, module_settings, AS_OF)
    without = health_live(live, module_settings, AS_OF)
    [advice] = [each for each in health["recommendations"] if each["check"] == "users/orphans"]

    assert 20 == lowest_caps(health)["orphans"]
    assert "orphans" not in lowest_caps(without)
    assert "3 of polls.team_id: points at nothing" in advice["what"]
    assert "rally-etl orphans --repair --dry-run" == advice["command"]


def test_a_check_that_the_last_run_asked_is_missed(live: sa.Engine, module_settings: Settings):
    """A file that somebody took away since the last run lowers the score and is named, with what it was about."""
    kept = (
        RUN + "; insert into etl.check_results (run_id, league, check_name, severity, outcome, failing_rows, threshold,"
        " seconds, dimension, title)"
        " values (:run, 'SAMPLE', 'teams/nobody_asks', 'error', 'passed', 0, 0, 0, 'validity', 'x')"
    )
    before = health_live(live, module_settings, AS_OF)
    with for_a_while(live, kept, "delete from etl.runs where run_id = :run", run=BEFORE, as_of=AS_OF):
        after = health_live(live, module_settings, AS_OF)

    assert 80 == lowest_caps(after)["must_hold_gone"]
    assert "must_hold_gone" not in lowest_caps(before)
    assert "teams/nobody_asks was asked by the last run and is not there any more" in after["missing"]


def test_a_missing_key_caps_the_score(live: sa.Engine, module_settings: Settings):
    """Without the key that imports rest on a second import could double all lines."""
    name = "select indexrelid\\:\\:regclass from pg_index where indrelid = 'match_scores'\\:\\:regclass and indisunique"
    with live.connect() as connection:
        keys = connection.scalars(sa.text(name)).all()
    engine = connect(module_settings)
    with engine.begin() as connection:
        connection.execute(sa.text("create schema aside"))
        # a copy without its keys stands in the place of the table
        connection.execute(sa.text("alter table match_scores set schema aside"))
        connection.execute(sa.text("create table match_scores (like aside.match_scores including defaults)"))
    try:
        health = health_live(live, module_settings, AS_OF)
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("drop table match_scores"))
            connection.execute(sa.text("alter table aside.match_scores set schema public"))
            connection.execute(sa.text("drop schema aside"))
        engine.dispose()

    assert keys
    assert 70 == lowest_caps(health)["constraints_missing"]


def test_an_empty_database_says_what_it_is(engine: sa.Engine, settings: Settings):
    """Without any league there is no good news: 0, critical, and why; without tables likewise."""
    told = health_live(engine, settings, AS_OF)
    with engine.begin() as connection:
        connection.execute(sa.text("drop table leagues cascade"))
    bare = health_live(engine, settings, AS_OF)

    assert (0, "critical", {}) == (told["health_score"], told["level"], told["leagues"])
    assert ["there is no league in this database: nothing was imported yet"] == told["missing"]
    assert bare["missing"][0].startswith("this database has no table leagues")
    assert told["recommendations"][0]["todo"]


@pytest.fixture
def run(live: sa.Engine) -> Iterator[sa.Engine]:
    """A run of both leagues with an empty plan."""
    with live.begin() as connection:
        connection.execute(sa.text(RUN), {"run": RUN_ID, "as_of": AS_OF})
        catalog = read_catalog(connection)
        create_plan(connection, RUN_ID, catalog)
        finish_plan(connection, RUN_ID, catalog)
    yield live
    with live.begin() as connection:
        schemas = connection.scalars(
            sa.text("select nspname from pg_namespace where nspname like :like"), {"like": f"%{RUN_ID[-4:]}"}
        ).all()
        for name in schemas:
            connection.execute(sa.text(f'drop schema "{name}" cascade'))
        connection.execute(sa.text("delete from etl.runs where run_id = :run"), {"run": RUN_ID})


def test_a_run_scores_its_candidate_like_live(run: sa.Engine, module_settings: Settings):
    """The candidate of an empty plan has the score, the caps and the advice of live; the report has them too."""
    unscored = monitoring_measures(run, module_settings, RUN_ID)["SAMPLE"]["health_score"]
    run_checks(run, module_settings, RUN_ID)
    found = monitoring_measures(run, module_settings, RUN_ID)
    now = health_live(run, module_settings, AS_OF)
    with run.connect() as connection:
        told = {each["league"]: each for each in reported.rows_of(connection, RUN_ID)}

    assert {"SAMPLE", "OTHER", "*"} == set(found)
    for league in ("SAMPLE", "OTHER"):
        assert now["leagues"][league]["health_score"] == found[league]["health_score"]["value"] == told[league]["score"]
        assert now["leagues"][league]["caps"] == told[league]["caps"]
        assert [each["check"] for each in now["leagues"][league]["recommendations"]][:12] == [
            each["check"] for each in told[league]["advice"]
        ]
    assert min(told[league]["score"] for league in told) == found["*"]["health_score"]["value"]
    assert 3 == found["SAMPLE"]["days_behind"]["value"]
    assert found["OTHER"]["days_behind"]["value"] > 1000
    assert unscored["value"] <= found["SAMPLE"]["health_score"]["value"]
    assert "has no result" in " ".join(unscored["detail"])


@pytest.fixture
def reader(engine: sa.Engine, settings: Settings) -> Iterator[sa.Engine]:
    """Sessions of somebody who may read everything and write nothing."""
    name = f"reader_{engine.url.database}"
    with engine.begin() as connection:
        connection.execute(sa.text(f'create role "{name}" login in role pg_read_all_data'))
    sessions = connect(replace(settings, database_url=str(engine.url.set(username=name))))
    yield sessions
    sessions.dispose()
    with engine.begin() as connection:
        connection.execute(sa.text(f'drop role "{name}"'))


SAMPLE = sa.text("insert into leagues (id, league_id, league_name) values (1, 'SAMPLE', 'Sample')")


def test_a_look_does_without_a_ledger(engine: sa.Engine, settings: Settings):
    """Where the ledger is not there live is looked at all the same; that no trend will show it is said."""
    with engine.begin() as connection:
        connection.execute(SAMPLE)
        connection.execute(sa.text("drop schema etl cascade"))
    told: list[str] = []
    found = health_live(engine, settings, tell=told.append)

    assert ["SAMPLE"] == [*found["leagues"]]
    assert [text for text in told if "is not kept" in text], told


def test_a_look_writes_nothing_where_it_may_not(engine: sa.Engine, reader: sa.Engine, settings: Settings):
    """Who may only read has the same answer, and hears that it is not kept."""
    with engine.begin() as connection:
        connection.execute(SAMPLE)
    told: list[str] = []
    found = health_live(reader, settings, tell=told.append)

    assert health_live(engine, settings)["health_score"] == found["health_score"]
    assert [text for text in told if "is not kept" in text], told


def test_a_login_without_the_ledger_reads_the_rest(engine: sa.Engine, settings: Settings):
    """Who may read Rally's tables and not the ledger is answered, and told what is not kept."""
    name = f"public_{engine.url.database}"
    with engine.begin() as connection:
        connection.execute(SAMPLE)
        connection.execute(sa.text(f'create role "{name}" login'))
        connection.execute(sa.text(f'grant select on all tables in schema public to "{name}"'))
    sessions = connect(replace(settings, database_url=str(engine.url.set(username=name))))
    told: list[str] = []
    try:
        found = health_live(sessions, settings, tell=told.append)
    finally:
        sessions.dispose()
        with engine.begin() as connection:
            connection.execute(sa.text(f'drop owned by "{name}"'))
            connection.execute(sa.text(f'drop role "{name}"'))

    assert ["SAMPLE"] == [*found["leagues"]]
    assert ["this look at live is not kept, so no trend will show it: permission denied for schema etl"] == told


def test_of_two_spellings_of_a_league_the_key_is_the_league(engine: sa.Engine, settings: Settings):
    """A row of another spelling, whichever came first, is not the league that imports write to."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into leagues (id, league_id, league_name) values"
                " (1, 'APTACHICAGO', 'a'), (2, 'APTA_CHICAGO', 'b'), (3, 'aptachicago', 'c')"
            )
        )
        connection.execute(
            sa.text("insert into match_scores (league_id, match_date) values (2, :day)"),
            {"day": AS_OF - dt.timedelta(days=3)},
        )
    found = health_live(engine, settings, AS_OF)

    assert 3 == found["leagues"]["APTA_CHICAGO"]["days_since_newest_match"]
