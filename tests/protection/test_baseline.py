"""Unsafe is NO-GO before anything is read: each thing that makes a database unsafe is measured, and named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY, first
from rally_etl import gate
from rally_etl.protection import baseline_measures
from rally_etl.sample import season
from rally_etl.sample.users import users
from rally_etl.settings import Settings
from scrapes import Import, fingerprint
from userland import RUN_ID, column, fill, write

SAFETY = (
    "missing_keys",
    "rows_violating",
    "contradicted_keys",
    "keys_doubtful",
    "tables_uncovered",
    "sequences_behind",
)


@pytest.fixture
def live(engine: sa.Engine) -> sa.Engine:
    """The league, its users and a run."""
    fill(engine)
    return engine


def measured(engine: sa.Engine, settings: Settings) -> dict[str, dict[str, Any]]:
    """All measures of the run and of its league, by name."""
    found = baseline_measures(engine, settings, RUN_ID)
    return found["*"] | found["SAMPLE"]


def wrong(engine: sa.Engine, settings: Settings) -> dict[str, int]:
    """Measure -> value, of those that are about safety and not zero."""
    found = measured(engine, settings)
    names = (*SAFETY, "missing_tables", "orphans_open", "user_rows_missed")
    return {name: found[name]["value"] for name in names if found[name]["value"]}


def refused(settings: Settings, engine: sa.Engine) -> list[str]:
    """Names of the rules of severity error that do not hold."""
    rules = [rule for rule in gate.read_rules(settings.params_dir / "gate.yaml") if rule.stage == "baseline"]
    evidence = {
        "baseline": {"stage": "baseline", "run_id": RUN_ID, "leagues": baseline_measures(engine, settings, RUN_ID)}
    }
    statuses = dict.fromkeys(gate.STAGES, "completed")
    decided = gate.judge(rules, evidence, ["SAMPLE"], run_id=RUN_ID, statuses=statuses)["SAMPLE"]
    return [each["rule"] for each in decided["reasons"] if each["severity"] == "error" and each["stage"] == "baseline"]


def test_healthy_database_is_safe(live, settings):
    """Nothing is wrong: every measure is zero, what users wrote is noted and counted, and how everything is called."""
    assert {} == wrong(live, settings)
    assert [] == refused(settings, live)
    assert [12] == column(live, "select count(*) from etl.user_rows")
    assert ["Hillcrest 3", "Lakeside 12"] == column(
        live, "select name from etl.entity_history where table_name = 'teams' order by 1"
    )
    assert [2] == column(live, "select row_count from etl.accounts where moment = 'baseline' and table_name = 'polls'"
                               " and column_name = ''")  # fmt: skip


def test_taken_twice_it_is_the_same(live, settings):
    """A second baseline of the same run says the same and keeps one account."""
    assert measured(live, settings) == measured(live, settings)


def test_baseline_of_a_guarded_command_notes_nothing(live, settings):
    """What the command did is not what users did, and may be taken back: memory and history stay as they were."""
    baseline_measures(live, settings, RUN_ID)
    write(live, """update etl.runs set operation = '{"kind": "guard"}'""", "delete from polls",
          "insert into teams (club_id, series_id, league_id, team_name, display_name) values (1, 1, 1, 'New 1', '')",
          "insert into polls (team_id, question) values (1, 'x')")  # fmt: skip
    baseline_measures(live, settings, RUN_ID)

    assert [2] == column(live, "select count(*) from etl.user_rows where table_name = 'polls'")
    assert [] == column(live, "select row_key from etl.user_rows where gone_at is not null")
    assert [] == column(live, "select name from etl.entity_history where name = 'New 1'")


UNSAFE = {
    "a key is missing": (
        ["alter table teams drop constraint unique_team_name_per_league"],
        {"missing_keys": 1}, "keys_are_there", "teams has no unique key on (team_name, league_id)",
    ),
    "a key is partial": (
        ["drop index unique_match_scores_tenniscores_match_id", "create unique index part on match_scores"
         " (tenniscores_match_id) where tenniscores_match_id is not null"],
        {"missing_keys": 1}, "keys_are_there", "part",
    ),
    "rows contradict a key": (
        ["alter table teams drop constraint unique_team_name_per_league", "insert into teams (club_id, series_id,"
         " league_id, team_name, display_name) select 1, 1, 1, team_name, '' from teams where id = 1"],
        {"missing_keys": 1, "rows_violating": 2}, "rows_keep_to_keys", "Lakeside 12",
    ),
    "a key refuses what is true": (
        ["alter table players add constraint one_name unique (first_name, last_name, league_id)"],
        {"contradicted_keys": 1}, "keys_refuse_nothing_true", "one_name",
    ),
    "a poll points at nothing": (
        ["update polls set team_id = 1 + (select last_value from teams_id_seq) - 2 where id = 1", "delete from teams"
         " where id = 1", "delete from user_contexts", "delete from poll_responses", "delete from captain_messages",
         "delete from schedule", "update players set team_id = 2"],
        {"orphans_open": 1}, "orphans_are_looked_at", "1 row of polls.team_id points at nothing",
    ),
    "a poll has no team": (
        ["update polls set team_id = null where id = 1"],
        {"orphans_open": 1}, "orphans_are_looked_at", "1 row of polls.team_id is empty",
    ),
    "the next team would get a poll": (
        ["update polls set team_id = 50 where id = 1"],
        {"orphans_open": 1, "sequences_behind": 1}, "ids_are_given_once",
        "teams: the next new id is 3, but 1 row of polls.team_id point at 50: select setval('public.teams_id_seq', 50)",
    ),
    "the next club would meet another one": (
        ["select setval('clubs_id_seq', 1, false)"],
        {"sequences_behind": 1}, "ids_are_given_once", "clubs: the next new id is 1, but there is a row 1",
    ),
    "an id would be given a second time": (
        ["insert into etl.entity_history (table_name, entity_id, league, name, is_active)"
         " values ('players', 40, 'SAMPLE', 'Cleo', true)"],
        {"sequences_behind": 1}, "ids_are_given_once", "40 was given before",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", first(4, UNSAFE))
def test_what_is_unsafe_is_measured_and_refused(live, settings, what):
    """Each fault raises its own measure and no other, is named, and stops an import."""
    statements, values, rule, telling = UNSAFE[what]
    write(live, *statements)
    found = measured(live, settings)

    assert values == wrong(live, settings)
    assert telling in " ".join(text for name in values for text in found[name]["detail"])
    assert rule in refused(settings, live)


@pytest.mark.parametrize(
    ("statement", "measure"),
    [
        ("create table carpools (id serial primary key, driver text)", "tables_uncovered"),
        ("alter table player_availability drop constraint player_availability_pkey;"
         " drop index idx_unique_user_date_availability", "keys_doubtful"),
    ],
)  # fmt: skip
def test_what_is_only_odd_stops_nobody(live, settings, statement, measure):
    """A table that the map does not know, a key that imports do without: measured, shown, and an import goes on."""
    write(live, statement)

    assert 1 <= measured(live, settings)[measure]["value"]
    assert [] == refused(settings, live)


def test_single_row_that_a_user_deleted_stops_nobody(live, settings):
    """People delete their polls: what memory misses is counted, it is no orphan."""
    baseline_measures(live, settings, RUN_ID)
    write(live, "delete from captain_messages")

    assert {"user_rows_missed": 1} == wrong(live, settings)
    assert [] == refused(settings, live)


def test_match_of_a_past_season_is_no_row_of_users(live, settings):
    """A team of years ago that is gone stops no import."""
    write(live, "insert into match_scores_previous_seasons (league_id, home_team, home_team_id, season)"
          " values (1, 'Lakeside 9', 90, '2019-2020')")  # fmt: skip

    assert {} == wrong(live, settings)


def test_orphan_that_somebody_has_looked_at_stops_nobody(live, settings):
    """What a run of `rally-etl orphans` has asked or left is known; as soon as it looks otherwise it is new."""
    write(live, "update polls set team_id = null where id = 1")
    assert {"orphans_open": 1} == wrong(live, settings)
    write(live, "insert into etl.runs (run_id, source, as_of) values ('mended', 'orphans', '2025-10-01')",
          "insert into etl.repairs (run_id, number, kind, action, table_name, row_key, column_name, strategy,"
          " confidence, evidence, state)"
          " values ('mended', 1, 'emptied', 'none', 'polls', '1', 'team_id', 'none', 0, '', 'asked')")  # fmt: skip
    assert {} == wrong(live, settings)

    write(live, "update etl.runs set dry_run = true where run_id = 'mended'")
    assert {"orphans_open": 1} == wrong(live, settings), "a rehearsal has asked nobody"
    write(live, "update etl.runs set dry_run = false where run_id = 'mended'", "update polls set team_id = 2 - 200"
                " where id = 1")  # fmt: skip
    assert {"orphans_open": 1} == wrong(live, settings)


def test_orphans_of_another_league_do_not_count(live, settings):
    """A run answers for its own leagues."""
    write(live, "insert into leagues (id, league_id, league_name) values (2, 'OTHER', 'Other')",
          "select setval('leagues_id_seq', 2)", "update teams set league_id = 2 where id = 2",
          "insert into etl.entity_history (table_name, entity_id, league, name, is_active)"
          " values ('teams', 2, 'OTHER', 'Hillcrest 3', true)")  # fmt: skip
    baseline_measures(live, settings, RUN_ID)
    write(live, "update polls set team_id = null where id = 2")

    assert {} == wrong(live, settings)


def test_database_without_a_table_is_not_looked_into(live, settings):
    """A missing table is said; what cannot be measured without it is no error of its own."""
    write(live, "drop table schedule cascade")

    assert {"missing_tables": 1} == wrong(live, settings)
    assert ["tables_are_there"] == refused(settings, live)


@dataclass(slots=True)
class Refused:
    """A run of the command on the sample in a database that lacks a key."""

    settings: Settings
    engine: sa.Engine
    done: subprocess.CompletedProcess[str]
    before: dict[str, str]

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.done.stdout)


@pytest.fixture(scope="module")
def no_go(module_settings: Settings, module_engine: sa.Engine) -> Iterator[Refused]:
    """The first week is live, users have written, a key is dropped and a poll loses its team; then week two."""
    weeks = season.write(module_settings.root / "weeks")
    Import(module_engine, module_settings).load(weeks[0])
    users(module_engine)
    write(module_engine, "delete from etl.source_files", "alter table clubs drop constraint clubs_name_key",
          "update polls set team_id = null where id = 1")  # fmt: skip
    before = fingerprint(module_engine)
    environment = os.environ | {
        "DATABASE_URL": module_settings.database_url,
        "RALLY_HOME": str(module_settings.root),
        "PYTHONPATH": str(REPOSITORY / "lib"),
    }
    arguments = ["run", "--json", "--source", str(weeks[1]), "--as-of", season.WEEKS[1].as_of.isoformat()]
    done = subprocess.run(
        [sys.executable, "-m", "rally_etl", *arguments], capture_output=True, text=True, timeout=300, env=environment
    )
    yield Refused(module_settings, module_engine, done, before)


def test_unsafe_database_is_no_go_before_anything_is_read(no_go):
    """Exit code 3, NO-GO for every league, the other notebooks skipped, no file read, no row changed."""
    assert (3, "NO-GO") == (no_go.done.returncode, no_go.document["decision"]), no_go.done.stderr
    assert [("baseline", "completed")] == [
        (each["stage"], each["status"]) for each in no_go.document["stages"] if each["status"] != "skipped"
    ]
    assert 6 == len(no_go.document["stages"])
    assert [] == column(no_go.engine, "select path from etl.source_files")
    assert no_go.before == fingerprint(no_go.engine)


def test_what_is_unsafe_is_listed(no_go):
    """Both faults stand in the reasons of the league, with what to do, and in what the terminal says."""
    reasons = {each["rule"]: each["message"] for each in no_go.document["leagues"]["APTA_CHICAGO"]["reasons"]}

    assert "clubs has no unique key on (name)" in reasons["keys_are_there"]
    assert "rally-etl constraints --repair" in reasons["keys_are_there"]
    assert "1 row of polls.team_id is empty" in reasons["orphans_are_looked_at"]
    assert "rally-etl orphans --repair" in reasons["orphans_are_looked_at"]
    assert "not safe" in no_go.done.stderr


def test_report_of_a_refused_run_can_be_read(no_go):
    """The front page and the baseline's page are there and say why."""
    folder = (no_go.settings.root / no_go.document["report"]).parent
    page = (folder / "index.html").read_text(encoding="utf-8")
    baseline = (folder / "01_baseline.html").read_text(encoding="utf-8")

    assert "clubs has no unique key on (name)" in page
    assert "polls.team_id" in page
    assert "clubs has no unique key on (name)" in baseline


def chosen(engine: sa.Engine, settings: Settings) -> tuple[float, int]:
    """The two measures of what users have chosen."""
    found = measured(engine, settings)
    return found["choices_emptied_share"]["value"], found["choices_astray"]["value"]


def test_choices_that_many_lose_at_once_are_told(live, settings):
    """Of ten chosen teams three are empty, be it by an importer; fewer users than ten may tidy up as they like."""
    write(live, "insert into users (id, email, password_hash)"
          " select n, n || '@example.org', 'secret' from generate_series(10, 18) as n",
          "insert into user_contexts (user_id, league_id, team_id, series_id)"
          " select n, 1, 1, 1 from generate_series(10, 18) as n")  # fmt: skip
    assert (0, 0) == chosen(live, settings)
    write(live, "update user_contexts set team_id = null where user_id in (10, 11, 12)")

    assert (0.3, 0) == chosen(live, settings)
    write(live, "update user_contexts set team_id = null where user_id = 13")
    assert (0, 0) == chosen(live, settings), "of nine that were left one is empty"


def test_chosen_team_in_which_the_user_never_played_is_told(live, settings):
    """Ann plays for team 1; team 2 is not hers until she has played there. Bob has no player: any team may be his."""
    assert (0, 0) == chosen(live, settings)
    write(live, "insert into user_contexts (user_id, team_id) values (2, 1)")
    assert (0, 0) == chosen(live, settings)
    write(live, "update user_contexts set team_id = 2")
    assert (0, 1) == chosen(live, settings)
    assert (0, 0) == chosen(live, settings), "it is told once"
    write(live, "update user_contexts set team_id = 1", "alter table players drop constraint if exists"
          " unique_player_in_league_club_series",
          "insert into players (tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id)"
          " values ('nndz-a', 'Ann', 'Example', 1, 1, 1, 2)")  # fmt: skip
    measured(live, settings)
    write(live, "update user_contexts set team_id = 2")

    assert (0, 0) == chosen(live, settings)
