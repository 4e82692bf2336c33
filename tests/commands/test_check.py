"""`rally-etl check`: what it prints of live and of a candidate, how checks are chosen, written and proved."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from typer.testing import CliRunner

from rally_etl import cli
from rally_etl.errors import RallyEtlError
from rally_etl.settings import Settings
from two_teams import RUN_ID, planned_teams, put, team, with_plan

TWINS = "teams/name_is_unique"
Ask = Callable[..., Result]


@pytest.fixture(scope="module")
def ask(module_settings: Settings, module_engine: sa.Engine) -> Iterator[Ask]:
    """The command on a database where a team stands twice in live, and a run plans a third spelling."""
    planned_teams(module_engine)
    with_plan(module_engine, teams=[team(5, "LAKESIDE - 1")])
    with module_engine.begin() as connection:
        put(connection, "teams", [team(3, "Lakeside - 1"), team(4, "Hillcrest - 1", club_id=2)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RALLY_HOME", str(module_settings.root))
        patch.setenv("DATABASE_URL", module_settings.database_url)
        yield lambda *arguments: CliRunner().invoke(cli.app, ["check", *arguments])


def entries(done: Result) -> dict[tuple[str, str], dict]:
    """The checks of the JSON document by name and league."""
    return {(each["check"], each["league"]): each for each in json.loads(done.stdout)["checks"]}


def test_what_is_wrong_is_told_with_what_to_do(ask):
    """A failing check prints its count, the tolerated rows, rows, the statement, why, mend and owner; exit code 3."""
    done = ask("--check", TWINS)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]

    assert 3 == done.exit_code
    assert f"failed error SAMPLE {TWINS} 2 rows, 0 tolerated" == lines[0]
    assert lines[1].startswith("folded_name ")
    assert "true No two active teams of a league have the same name" in lines
    assert {"why", "mend", "owner"} <= {line.split(" ", 1)[0] for line in lines}
    assert "1 failed, " in lines[-1]


def test_json_counts_keys_and_gives_rows(ask):
    """The document has each check once per league, how many keys are kept, rows, why and mend; no line of text."""
    found = entries(ask("--json"))[TWINS, "SAMPLE"]

    assert (2, 2, 0, 2) == (found["failing_rows"], found["keys"], found["threshold"], len(found["sample"]))
    assert found["why"]
    assert found["mend"]


def test_keys_are_printed_one_a_line(ask):
    """`--keys` prints league, check and key of every failing row."""
    done = ask("--keys", "--check", TWINS)

    assert {f"SAMPLE\t{TWINS}\thillcrest 1", f"SAMPLE\t{TWINS}\tlakeside 1"} == set(done.stdout.splitlines())


def test_league_that_is_well_passes(ask):
    """Another league alone is asked: nothing of it fails, and the others are named as skipped."""
    done = ask("--league", "OTHER", "--check", TWINS)

    assert 0 == done.exit_code
    assert "another league was asked for" in done.stdout
    assert "1 passed" in done.stdout


def test_candidate_is_asked_with_run(ask):
    """`--run` asks of the candidate, where three teams have one name; `--changed` leaves out what it cannot touch."""
    whole = entries(ask("--run", RUN_ID, "--json"))
    part = entries(ask("--run", RUN_ID, "--changed", "--json"))

    assert 3 == whole[TWINS, "SAMPLE"]["sample"][-1]["team_count"]
    assert "failed" == part[TWINS, "SAMPLE"]["outcome"]
    assert "skipped" == part["leagues/key_is_unique", "SAMPLE"]["outcome"]
    assert "passed" == whole["leagues/key_is_unique", "SAMPLE"]["outcome"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--check", "teams/name"), "there is no check teams/name here"),
        (("--league", "SAMPEL"), "is SAMPLE meant"),
        (("--run", "20200101T000000-0000"), "no run 20200101T000000-0000"),
        (("--changed",), "no run has been published"),
        (("prove", "teams/name_is_uniqe"), f"is {TWINS} meant"),
        (("new", "team", "x"), "is teams meant"),
    ],
)
def test_wrong_use_is_refused(ask, arguments, says):
    """An unknown name is an error with a hint, never an empty answer."""
    error = ask(*arguments).exception

    assert isinstance(error, RallyEtlError)
    assert 2 == error.exit_code
    assert says in str(error)
    assert "\nhint: " in str(error)


def test_published_run_has_no_candidate(ask, module_engine):
    """Of a run without a candidate live is asked what it changed; the message says how."""
    with module_engine.begin() as connection:
        connection.execute(sa.text("insert into etl.runs (run_id, source, as_of) values ('gone', 'x', '2025-10-01')"))
    error = ask("--run", "gone").exception

    assert "run gone has no candidate any more; nothing was checked" in str(error)
    assert "rally-etl check --changed --run gone" in str(error)


def test_new_check_is_written_and_proved(ask, module_settings: Settings, monkeypatch, tmp_path: Path):
    """A new check fails its proof until words and rows are written; no Python and no pytest is needed."""
    params = tmp_path / "params"
    params.mkdir()
    for path in module_settings.params_dir.resolve().iterdir():
        if path.name != "checks":
            (params / path.name).symlink_to(path)
    monkeypatch.setenv("RALLY_HOME", str(tmp_path))
    done = ask("new", "teams", "team_is_named")
    query, proof = params / "checks/teams/team_is_named.sql", tmp_path / "tests/checks/teams/team_is_named.yaml"

    assert [str(query), str(proof)] == done.stdout.splitlines()
    assert "rally-etl check prove teams/team_is_named" in done.stderr
    unwritten = ask("prove", "teams/team_is_named")
    assert (3, True) == (unwritten.exit_code, "`failing` is missing or empty" in unwritten.stdout)

    proof.write_text("failing: [{id: 1, team_name: null}]\npassing: [{id: 2, team_name: x}]\n")
    assert "why and mend is still that of the template" in ask("prove").stdout
    lines = query.read_text().splitlines()
    said = [line.partition(":")[0] + ": said" if line.startswith(("-- why", "-- mend")) else line for line in lines]
    query.write_text("\n".join(said))
    proved = ask("prove", "teams/team_is_named")
    assert (0, "1 check proved") == (proved.exit_code, proved.stdout.strip())

    proof.write_text("failing: [{id: 1, team_name: null}]\npassing: [{id: 2, team_name: null}]\n")
    wrong = ask("prove", "teams/team_is_named")
    assert (3, True) == (wrong.exit_code, "it finds 1 and not 0 of the passing rows (found: 2)" in wrong.stdout)
