"""The suite on a candidate, inside a publish and on the live tables: fails closed, writes nothing, counts honestly."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from rally_etl.checks import audit, blocking_failures, check_live, read_checks, run_checks, validation_measures
from rally_etl.checks.running import open_sessions
from rally_etl.errors import UsageError
from rally_etl.reporting.recorded import check_results, failing_keys
from rally_etl.settings import Settings
from two_teams import AS_OF, RUN_ID, outcomes, planned_teams, put, team, with_plan


@pytest.fixture
def planned(engine: sa.Engine) -> sa.Engine:
    """Two teams live, and an empty plan for them; `with_plan` fills it."""
    planned_teams(engine)
    return engine


def test_empty_plan_fails_no_check(planned: sa.Engine, settings: Settings):
    """On a candidate without changes no check fails, and every one has a result for every league."""
    results = run_checks(planned, settings, RUN_ID)

    assert {"passed", "warned", "skipped"} >= set(outcomes(results).values())
    assert outcomes(results).keys() == outcomes(results, "OTHER").keys()
    checks = read_checks(settings.params_dir)
    assert {check.name for check in checks if check.is_for("SAMPLE")} < outcomes(results).keys()


def test_candidate_is_checked_and_not_live(planned: sa.Engine, settings: Settings):
    """A planned second spelling of a team fails before it is live, for its league alone; live still passes."""
    with_plan(planned, teams=[team(3, "LAKESIDE - 1")])
    results = run_checks(planned, settings, RUN_ID)

    assert "failed" == outcomes(results)["teams/name_is_unique"]
    assert "passed" == outcomes(results, "OTHER")["teams/name_is_unique"]
    assert "passed" == outcomes(check_live(planned, settings, AS_OF))["teams/name_is_unique"]


@pytest.mark.parametrize(
    ("undone", "held"),
    [(None, 1), ({"kind": "guard"}, 1), ({"kind": "merge"}, 0)],
    ids=["of an import", "of a guarded command", "of a merge"],
)
def test_undo_leads_to_what_was_live_whatever_checks_say(planned: sa.Engine, settings: Settings, undone, held):
    """What fails in the state of before is told and stops nobody; of an import it is a person who decides."""
    with planned.begin() as connection:
        for statement in (
            "insert into etl.runs (run_id, source, as_of, operation)"
            " values ('undone', 'x', '2025-10-01', cast(:undone as jsonb))",
            """update etl.runs set operation = '{"kind": "undo", "run": "undone"}' where run_id = :run""",
        ):
            values = {"undone": json.dumps(undone) if undone else None, "run": RUN_ID}
            connection.execute(sa.text(statement), {name: values[name] for name in values if f":{name}" in statement})
    with_plan(planned, teams=[team(3, "LAKESIDE - 1")])
    results = run_checks(planned, settings, RUN_ID)
    found = validation_measures(planned, settings, RUN_ID)["SAMPLE"]

    assert "warned" == outcomes(results)["teams/name_is_unique"]
    assert (0, held) == (found["checks_failed"]["value"], found["checks_brought_back"]["value"])
    assert held == sum("teams/name_is_unique" in text for text in found["checks_brought_back"]["detail"])


@pytest.mark.parametrize(
    ("rows", "check", "count"),
    [
        ([team(3, "Lakeside 1")], "constraint/teams.unique_team_name_per_league", 1),
        ([team(3, "Lakeside 2"), team(4, "Lakeside 2")], "constraint/teams.unique_team_name_per_league", 1),
        ([team(1, "Lakeside 2"), team(3, "Lakeside 1")], "constraint/teams.unique_team_name_per_league", 0),
        ([team(3, "Lakeside 2", club_id=None)], "constraint/teams.not_null", 1),
        ([team(3, "Lakeside 2", club_id=99)], "constraint/teams.teams_club_id_fkey", 1),
        ([team(3, "Lakeside 2", club_id=2)], "constraint/teams.teams_club_id_fkey", 0),
        ([team(1, "Lakeside 2", _op="insert")], "constraint/teams.teams_pkey", 1),
    ],
)
def test_planned_rows_are_held_to_the_constraints(planned: sa.Engine, settings: Settings, rows, check, count):
    """A planned row that a live constraint would refuse is found before the publish, for the leagues of the row."""
    with_plan(planned, teams=rows)
    found = {(result.league, result.check): result for result in run_checks(planned, settings, RUN_ID)}

    assert count == found["SAMPLE", check].failing_rows
    assert ("failed" if count else "passed") == found["SAMPLE", check].outcome
    assert "passed" == found["OTHER", check].outcome


def test_check_constraint_is_asked_too(planned: sa.Engine, settings: Settings):
    """A winner that the table's check constraint refuses is found in the plan."""
    with_plan(
        planned, match_scores=[{"id": 1, "league_id": 1, "winner": "nobody"}, {"id": 2, "league_id": 1, "winner": None}]
    )

    assert (
        "failed" == outcomes(run_checks(planned, settings, RUN_ID))["constraint/match_scores.match_scores_winner_check"]
    )


def test_new_row_may_point_at_a_new_row(planned: sa.Engine, settings: Settings):
    """A planned team of a planned club breaks no foreign key."""
    with_plan(planned, clubs=[{"id": 3, "name": "Meadow"}], teams=[team(3, "Meadow 1", club_id=3)])

    assert "passed" == outcomes(run_checks(planned, settings, RUN_ID))["constraint/teams.teams_club_id_fkey"]


def test_results_are_kept_in_the_ledger(planned: sa.Engine, settings: Settings):
    """The ledger holds one row per league and check, with the failing rows; a second audit replaces the first."""
    with_plan(planned, teams=[team(3, "Lakeside  1")])
    run_checks(planned, settings, RUN_ID)
    results = run_checks(planned, settings, RUN_ID)
    with planned.connect() as connection:
        rows = connection.execute(sa.text("select * from etl.check_results")).all()

    assert len(results) == len(rows)
    [failed] = [row for row in rows if row.outcome == "failed" and row.league == "SAMPLE"]
    assert ("teams/name_is_unique", 1, [1, 3]) == (failed.check_name, failed.failing_rows, failed.sample[0]["team_ids"])


def test_every_key_is_kept_in_the_ledger(planned: sa.Engine, settings: Settings):
    """Beside a hundred whole rows the ledger has the key of every failing row, to be read page by page."""
    own_checks(settings, counts="select n, 'x' as y from generate_series(1, 250) as n")
    run_checks(planned, settings, RUN_ID)
    with planned.connect() as connection:
        [first, _] = [row for row in check_results(connection, RUN_ID) if row["check_name"] == "teams/counts"]
        page = failing_keys(connection, RUN_ID, "teams/counts", "SAMPLE", first=249, limit=100)

    assert (250, 250, 100) == (first["failing_rows"], first["keys"], len(first["sample"]))
    assert ["249", "250"] == page


def test_ledger_keeps_what_the_check_says(planned: sa.Engine, settings: Settings):
    """What a check said of itself when it ran is told later, whatever its file says then."""
    run_checks(planned, settings, RUN_ID)
    check = next(each for each in read_checks(settings.params_dir) if each.name == "teams/name_is_unique")
    with planned.connect() as connection:
        row = next(each for each in check_results(connection, RUN_ID) if each["check_name"] == check.name)

    assert (check.title, check.owner, check.why, check.mend, check.dimension) == tuple(
        row[name] for name in ("title", "owner", "why", "mend", "dimension")
    )


def test_checks_see_one_state(planned: sa.Engine, settings: Settings):
    """What is written after the first check began shows in none: all connections share one snapshot."""
    name = "select id from teams where league_id = :league_id and team_name like 'Late%'"
    own_checks(settings, **{f"late_{number}": name for number in range(6)}, waits="select pg_sleep(0.05)")
    written = []

    def write_once(*_told: object) -> None:
        if not written:
            written.append(True)
            with planned.begin() as connection:
                connection.execute(sa.text("update teams set team_name = 'Late ' || id"))

    during = outcomes(check_live(planned, settings, AS_OF, write_once))
    after = outcomes(check_live(planned, settings, AS_OF))

    assert {"passed"} == {outcome for check, outcome in during.items() if "late" in check}
    assert {"failed"} == {outcome for check, outcome in after.items() if "late" in check}


def test_sessions_share_a_snapshot_and_cannot_write(planned: sa.Engine, settings: Settings):
    """Each session is on its own connection, sees the same state, and is refused a write."""
    with open_sessions(planned, settings, "public") as sessions:
        with planned.begin() as connection:
            connection.execute(sa.text("delete from teams"))
        counts = [each.scalar(sa.text("select count(*) from teams")) for each in sessions.connections]
        pids = {each.scalar(sa.text("select pg_backend_pid()")) for each in sessions.connections}
        with pytest.raises(sa.exc.DBAPIError, match="read-only"):
            sessions.first.execute(sa.text("delete from clubs"))

    assert ([2, 2], 2) == (counts, len(pids))


def test_check_of_a_table_that_is_not_there_is_skipped(planned: sa.Engine, settings: Settings):
    """A database may lack the legacy table: its checks are skipped, say why, and count as answered."""
    with planned.begin() as connection:
        connection.execute(sa.text("drop table series_leagues cascade"))
    own_checks(settings, answers="select id from teams where false")
    path = settings.params_dir / "checks" / "series_leagues" / "link_is_unique.sql"
    path.parent.mkdir()
    sql = (settings.params_dir / "checks" / "teams" / "answers.sql").read_text().replace("teams", "series_leagues")
    path.write_text(sql, encoding="utf-8")
    result = next(each for each in run_checks(planned, settings, RUN_ID) if each.check.startswith("series_leagues"))
    found = validation_measures(planned, settings, RUN_ID)["SAMPLE"]

    assert ("skipped", "this database has no table series_leagues") == (result.outcome, result.error)
    assert found["checks_run"]["value"] == found["checks_expected"]["value"]
    assert f"{result.check}: {result.error}" in found["checks_skipped"]["detail"]


def test_progress_counts_to_the_end(planned: sa.Engine, settings: Settings):
    """Progress is told with every result; the last one says that all are done."""
    told = []
    results = run_checks(
        planned, settings, RUN_ID, lambda result, done, total: told.append((result.check, done, total))
    )

    assert len(results) == len(told)
    assert told[-1][1] == told[-1][2]


def test_league_that_is_not_in_the_candidate_is_errored(planned: sa.Engine, settings: Settings):
    """A league of the run without a row in leagues cannot pass a single check file."""
    with planned.begin() as connection:
        connection.execute(
            sa.text("insert into etl.run_leagues (run_id, league) values (:run, 'GHOST')"), {"run": RUN_ID}
        )
    found = outcomes(run_checks(planned, settings, RUN_ID), "GHOST")

    assert {"errored"} == {outcome for check, outcome in found.items() if not check.startswith("constraint/")}


def own_checks(settings: Settings, **queries: str) -> None:
    """Replace the project's checks by these, all of severity error."""
    params = settings.params_dir.resolve()
    (settings.root / "params").unlink()
    settings.params_dir.mkdir()
    for path in params.iterdir():
        if path.name != "checks":
            (settings.params_dir / path.name).symlink_to(path)
    for statement, sql in queries.items():
        path = settings.params_dir / "checks" / "teams" / f"{statement}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        header = "-- title: t\n-- severity: error\n-- dimension: validity\n-- owner: o\n-- why: w\n-- mend: m\n"
        path.write_text(header + sql, encoding="utf-8")


def test_check_cannot_write(planned: sa.Engine, settings: Settings):
    """A query that writes is refused by the server and counts as errored."""
    own_checks(settings, writes="select setval('teams_id_seq', 500)", waits="select 1 where false")
    results = run_checks(planned, settings, RUN_ID)

    assert {"errored", "passed"} == {outcomes(results)["teams/writes"], outcomes(results)["teams/waits"]}
    assert "read-only" in next(result.error for result in results if result.check == "teams/writes")


def test_query_over_time_is_errored(planned: sa.Engine, settings: Settings):
    """A query over the time limit counts as errored, and the others still run."""
    own_checks(settings, waits="select pg_sleep(30)", answers="select id from teams where league_id = :league_id")
    limited = Settings(root=settings.root, database_url=settings.database_url, statement_timeout_s=1)
    found = outcomes(run_checks(planned, limited, RUN_ID))

    assert ("errored", "failed") == (found["teams/waits"], found["teams/answers"])


def test_publish_audit_names_what_fails(planned: sa.Engine, settings: Settings):
    """Inside an open transaction the blocking checks see what it wrote, and the transaction stays usable."""
    with planned.connect() as connection:
        put(connection, "teams", [team(3, "Lakeside - 1")])

        assert ["teams/name_is_unique"] == audit(connection, settings, RUN_ID, "SAMPLE")
        assert [] == audit(connection, settings, RUN_ID, "OTHER")
        assert 3 == connection.scalar(sa.text("select count(*) from teams"))


def test_blocking_failures_leave_warnings_out(planned: sa.Engine, settings: Settings):
    """A team without players warns; only `error` checks block."""
    checks = read_checks(settings.params_dir)
    with planned.connect() as connection:
        assert [] == blocking_failures(connection, checks, 1, league="SAMPLE", run_id=RUN_ID, as_of=AS_OF)


def test_broken_reference_in_live_is_found(planned: sa.Engine, settings: Settings):
    """A row whose foreign key was switched off when it was written fails the check of the live tables."""
    with planned.begin() as connection:
        connection.execute(sa.text("set local session_replication_role = replica"))
        connection.execute(sa.text("update teams set club_id = 99 where id = 2"))
    found = check_live(planned, settings, AS_OF)

    assert "failed" == outcomes(found)["constraint/teams.teams_club_id_fkey"]
    assert "passed" == outcomes(found, "OTHER")["constraint/teams.teams_club_id_fkey"]


def test_measures_count_what_should_have_run(planned: sa.Engine, settings: Settings):
    """A result that is missing from the ledger shows as a check that did not run, with its name."""
    run_checks(planned, settings, RUN_ID)
    whole = validation_measures(planned, settings, RUN_ID)["SAMPLE"]
    with planned.begin() as connection:
        connection.execute(
            sa.text("delete from etl.check_results where check_name = 'teams/name_is_unique' and league = 'SAMPLE'")
        )
    less = validation_measures(planned, settings, RUN_ID)["SAMPLE"]

    assert whole["checks_expected"]["value"] == whole["checks_run"]["value"] == less["checks_expected"]["value"]
    assert (1, ["teams/name_is_unique did not run"]) == (
        less["checks_expected"]["value"] - less["checks_run"]["value"],
        less["checks_run"]["detail"],
    )


def test_measures_without_any_result(planned: sa.Engine, settings: Settings):
    """A run whose checks never ran has expected ones and none that ran."""
    measures = validation_measures(planned, settings, RUN_ID)

    assert {"SAMPLE", "OTHER"} == set(measures)
    assert measures["SAMPLE"]["checks_expected"]["value"] > measures["SAMPLE"]["checks_run"]["value"] == 0


def test_unknown_run_is_refused(engine: sa.Engine, settings: Settings):
    """A run that the ledger does not have cannot be checked."""
    with pytest.raises(UsageError, match="no run"):
        validation_measures(engine, settings, "none")
