"""The command: help, exit codes, messages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from rally_etl import cli
from rally_etl.errors import RallyEtlError, RunLocked, UsageError

LIB = Path(cli.__file__).resolve().parents[1]


def rally(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with the project folder and database of *env*."""
    environment = {name: text for name, text in os.environ.items() if name not in ("DATABASE_URL", "RALLY_HOME")}
    return subprocess.run(
        [sys.executable, "-m", "rally_etl", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**environment, "PYTHONPATH": str(LIB), **(env or {})},
    )


def code_of(monkeypatch, error: BaseException) -> int:
    """Answer the exit code of a command that ends with *error*."""

    def fail(**_):
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ending:
        cli.main()
    return ending.value.code


def test_help_lists_the_exit_codes():
    """`--help` is where an operator looks up an exit code."""
    done = rally("--help")

    assert 0 == done.returncode
    assert [f"  {code}  " in done.stdout for code in range(6)] == [True] * 6


@pytest.mark.parametrize("group", [(), ("db",), ("names",), ("reviews",)], ids=["all", "db", "names", "reviews"])
def test_help_cuts_no_line_off(group):
    """What a command does can be read whole in the list of commands, on a terminal of 80 columns."""
    done = rally(*group, "--help", env={"COLUMNS": "80"})

    assert "..." not in done.stdout.split("Commands:")[1]


def test_help_imports_nothing_heavy():
    """Heavy libraries are imported inside commands: help must answer at once."""
    code = (
        "import sys; from rally_etl import cli; heavy = 'sqlalchemy pandas papermill plotly psycopg2 pydantic'; "
        "print([name for name in heavy.split() if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(LIB)}
    )

    assert "[]" == done.stdout.strip()


def test_wrong_use_exits_2(tmp_path):
    """An unknown subcommand, and a destructive one without --yes, are wrong use."""
    home = {"RALLY_HOME": str(tmp_path)}

    assert 2 == rally("nonsense", env=home).returncode
    assert 2 == rally("db", "reset", env=home).returncode


def test_stop_and_reset_leave_a_given_server_alone(tmp_path):
    """`db stop` and `db reset` are for the embedded server; a DATABASE_URL is refused, its password not shown."""
    env = {"RALLY_HOME": str(tmp_path), "DATABASE_URL": "postgresql://u:secret@localhost/d"}

    for arguments in (("stop",), ("reset", "--yes")):
        done = rally("db", *arguments, env=env)
        assert 2 == done.returncode
        assert "not ours" in done.stderr
        assert "secret" not in done.stderr


def test_database_that_does_not_answer_is_one_line(tmp_path):
    """A refused connection is an error with a hint and exit code 1, not a stack."""
    env = {"RALLY_HOME": str(tmp_path), "DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/d"}

    done = rally("db", "init", env=env)

    assert 1 == done.returncode
    assert "Traceback" not in done.stderr
    assert "hint:" in done.stderr
    assert "secret" not in done.stderr


def test_db_init_and_url(settings, tmp_path):
    """`db init` may run twice; `db url` prints an address on stdout and nothing else."""
    env = {"RALLY_HOME": str(tmp_path), "DATABASE_URL": settings.database_url}

    assert [0, 0] == [rally("db", "init", env=env).returncode for _ in range(2)]
    printed = rally("db", "url", env=env).stdout
    assert printed.startswith("postgresql://")
    assert 1 == printed.count("\n")


@pytest.mark.parametrize(("error", "code"), [(RallyEtlError("x"), 1), (UsageError("x"), 2), (RunLocked("x"), 5)])
def test_exit_code_of_our_errors(monkeypatch, capsys, error, code):
    """Each error class carries its exit code; the message goes to stderr without a stack."""
    assert code == code_of(monkeypatch, error)
    assert "error: x\n" == capsys.readouterr().err


def test_database_error_is_one_clean_line(monkeypatch, capsys):
    """A database that goes away is one line without SQL; exit code 1."""
    error = sa.exc.OperationalError("select secret", {}, Exception("server closed the connection\nmore"))

    assert 1 == code_of(monkeypatch, error)
    assert "error: the database stopped the work: server closed the connection\n" == capsys.readouterr().err


def test_login_without_rights_is_told_so(monkeypatch, capsys):
    """What the database does not let a login do is no bug: one line, and where its rights are listed."""

    class Refused(Exception):
        pgcode = "42501"

    error = sa.exc.ProgrammingError("select 1", {}, Refused("permission denied for schema etl"))

    assert 1 == code_of(monkeypatch, error)
    assert (
        "error: the database stopped the work: permission denied for schema etl; the statement wrote nothing\n"
        "hint: the login of DATABASE_URL lacks rights; docs/operations.md tells which it needs"
        " (Moving to your own PostgreSQL)\n"
    ) == capsys.readouterr().err


def test_bug_shows_its_stack(monkeypatch, capsys):
    """What nobody foresaw is a bug: exit code 1, with the stack."""
    assert 1 == code_of(monkeypatch, ZeroDivisionError("boom"))
    assert "Traceback" in capsys.readouterr().err


def test_sample_writes_three_weeks(tmp_path):
    """`sample DIR` prints the scrape folders it wrote."""
    done = rally("sample", str(tmp_path / "new"))

    assert 0 == done.returncode
    assert ["week-1", "week-2", "week-3"] == [Path(line).name for line in done.stdout.splitlines()]
