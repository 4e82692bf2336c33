"""`rally-etl snapshot`: what it prints and answers, and a restore through notebooks, gate and publish."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from conftest import REPOSITORY
from forging import forge_rows
from rally_etl import cli
from rally_etl.errors import UsageError
from rally_etl.protection.stored import manifest, retention
from rally_etl.sample import season
from rally_etl.sample.users import users
from scrapes import Import, fingerprint


@pytest.fixture
def command(module_settings, monkeypatch):
    """Calls the command in this process, on the module's database; answers its result."""
    monkeypatch.setenv("RALLY_HOME", str(module_settings.root))
    monkeypatch.setenv("DATABASE_URL", module_settings.database_url)
    return lambda *arguments: CliRunner().invoke(cli.app, ["snapshot", *arguments])


def test_nothing_there_is_no_error(command):
    """List, verify and prune of no snapshot."""
    for word in ("list", "verify"):
        done = command(word)
        assert (0, "") == (done.exit_code, done.stdout)
        assert "there is no snapshot\nhint: rally-etl snapshot create" in done.stderr

    assert "0 snapshots removed, 0 bytes freed\n" == command("prune").stdout


def test_snapshot_is_created_listed_verified_and_pruned(command, module_settings, module_engine):
    """One line each; as JSON one document; a damaged one has exit code 3 and its file is named."""
    with module_engine.begin() as connection:
        connection.execute(sa.text("insert into users (email, password_hash) values ('ann@example.org', 'x')"))
    created = command("create", "--name", "before the season", "--tables", "users", "--tables", "teams")
    assert 0 == created.exit_code, created.output
    (found,) = json.loads(command("list", "--json").stdout)["snapshots"]
    key, listed = found["id"], command("list").stdout
    verified = command("verify", key)

    assert created.stdout.startswith(f"snapshot {key}: 2 tables, 1 row, ")
    assert ("complete", True, 1) == (found["state"], found["is_complete"], found["rows"])
    assert {"teams": 0, "users": 1} == {table["table"]: table["rows"] for table in found["tables"]}
    assert listed.startswith(f"{key}  ")
    assert listed.endswith("2 tables, 1 row, " + listed.split("1 row, ")[1])
    assert "before the season\n" in listed
    assert (0, f"{key}  good: 2 files, 1 row as copied\n") == (verified.exit_code, verified.stdout)

    path = retention.folder_of(module_settings) / key
    forge_rows(path, "users", lambda raw: raw.replace(b"ann", b"bob"))
    (path.parent / f"{manifest.new_id()}{manifest.PARTIAL}").mkdir()
    damaged, document = command("verify"), json.loads(command("verify", "--json").stdout)
    assert 3 == damaged.exit_code
    assert f"{key}  damaged: 0002-users.copy.gz of the snapshot is damaged: its rows are others" in damaged.stdout
    assert [("0002-users.copy.gz", key)] == [(each["file"], each["id"]) for each in document["damaged"]]
    assert [False] == [each["is_good"] for each in document["snapshots"]]
    assert (
        "partial, left by a process that did not end: `rally-etl snapshot prune` removes it" in command("list").stdout
    )
    assert "1 snapshot would be removed, 0 bytes would be freed" in command("prune", "--dry-run").stdout
    assert 1 == len(json.loads(command("prune", "--json").stdout)["removed"])
    assert [key] == [each["id"] for each in json.loads(command("list", "--json").stdout)["snapshots"]]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("verify", "../../etc"), "is no id of a snapshot"),
        (("verify", "20250101T000000-000000"), "there is no snapshot 20250101T000000-000000"),
        (("restore", "20250101T000000-000000"), "there is no snapshot"),
        (("restore", "20250101T000000-000000", "--as-of", "soon"), "'soon' is no date"),
        (("create", "--tables", "nothing"), "there is no table 'nothing'"),
    ],
)
def test_wrong_use_is_said(command, arguments, told):
    """Exit code 2 by the kind of the error; nothing is written."""
    done = command(*arguments)

    assert isinstance(done.exception, UsageError)
    assert told in str(done.exception)


@pytest.mark.slow
def test_whole_database_comes_back_through_notebooks_and_gate(settings, engine):
    """All is lost, leagues and users too: the restore is a run like any other, with a report."""
    Import(engine, settings).load(season.write(settings.root / "weeks")[0])
    users(engine)
    before = fingerprint(engine)
    environment = os.environ | {
        "DATABASE_URL": settings.database_url, "RALLY_HOME": str(settings.root), "PYTHONPATH": str(REPOSITORY / "lib"),
    }  # fmt: skip

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rally_etl", *arguments],
            capture_output=True,
            text=True,
            env=environment,
            timeout=300,
        )

    key = json.loads(call("snapshot", "create", "--json").stdout)["id"]
    with engine.begin() as connection:
        connection.execute(sa.text("set local session_replication_role = replica"))
        for name in before:
            connection.exec_driver_sql(f"delete from {name}")
    done = call("snapshot", "restore", key, "--by", "Ann Example", "--reason", "all is lost")
    assert 0 == done.returncode, done.stderr
    with engine.connect() as connection:
        source, operation = connection.execute(
            sa.text("select source, operation from etl.runs order by started_at desc limit 1")
        ).one()

    assert before == fingerprint(engine)
    assert f"restore {key} (40 tables)" == source
    assert ("Ann Example", "all is lost") == (operation["by"], operation["reason"])
    assert "users: 12 rows, as in the snapshot\n" in done.stdout
    assert done.stdout.endswith(" tables had not changed since the snapshot\n")
    assert "report: reports/" in done.stderr
