"""Events: what a line holds, what it never holds, and that the table in docs/logs.md is the code's."""

from __future__ import annotations

import ast
import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY
from rally_etl import logs
from rally_etl.errors import UsageError
from rally_etl.scrubbing import secrets_of, without_values
from rally_etl.settings import Settings
from strict_json import strict

PASSWORD = "geheim-zwei-drei"
Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def log(tmp_path) -> Iterator[Read]:
    """What the log of a project with a password says."""
    settings = Settings(root=tmp_path, database_url=f"postgresql://u:{PASSWORD}@h/db", log_level="debug")
    logs.configure(settings)
    yield lambda: [each for path in sorted((tmp_path / "logs").glob("*")) for each in strict(path.read_text("utf-8"))]
    logs.shut()


def test_a_line_has_the_names_of_ecs(log):
    """Moment, level, action, outcome, duration in nanoseconds, file and error stand where ECS has them."""
    with logs.bound(run="R1", league="NSTF", file="NSTF/players"):
        logs.event("file.read", sha256="ab" * 32, bytes=12, records=3, staged=2, quarantined=1, seconds=0.25)
    logs.event("run.ended", decision="NO-GO", exit_code=3, seconds=1.0, outcome="success", leagues={"NSTF": "refused"})

    read, ended = log()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", read["@timestamp"])
    assert ("info", "file.read", 250_000_000) == (read["log.level"], read["event"]["action"], read["event"]["duration"])
    assert {"name": "NSTF/players", "hash": {"sha256": "ab" * 32}, "size": 12} == read["file"]
    assert ("R1", "NSTF", 3, "command") == tuple(
        read["rally"][name] for name in ("run", "league", "records", "process")
    )
    assert ("rally-etl", 3, "success") == (
        ended["service"]["name"], ended["process"]["exit_code"], ended["event"]["outcome"],
    )  # fmt: skip
    assert {"NSTF": "refused"} == ended["rally"]["leagues"]
    assert "run" not in ended["rally"]


def test_values_that_json_does_not_have_become_texts(log):
    """NaN, infinity, dates, sets, line feeds and separators of lines end no line and no parser."""
    odd = {"a": float("nan"), "b": float("inf"), "c": {1}, "d": "x\ny\u2028z"}
    logs.event("plan.made", changes=odd)

    (line,) = log()
    assert {"a": "nan", "b": "inf", "c": [1], "d": "x"} == line["rally"]["changes"]


def test_an_unexpected_error_has_its_stack_and_what_it_happened_in_and_no_values(log):
    """Class, places and the bound file and record are logged, once; names and passwords in messages are not."""
    try:
        with logs.bound(run="R1"), logs.bound(file="NSTF/players", record=17):
            try:
                int("Ann Quackenbush")
            except ValueError as cause:
                raise KeyError(f"no Bo Lee, {PASSWORD}") from cause
    except KeyError as error:
        logs.unexpected(error)
        logs.unexpected(error)

    (line,) = log()
    assert ("exception", "KeyError", "NSTF/players", 17) == (
        line["event"]["action"], line["error"]["type"], line["file"]["name"], line["rally"]["record"],
    )  # fmt: skip
    assert re.search(r"test_events\.py:\d+ in test_an_unexpected", line["error"]["stack_trace"])
    assert line["error"]["stack_trace"].index("ValueError") < line["error"]["stack_trace"].index("KeyError")
    assert [] == [each for each in ("Ann", "Quackenbush", "Lee", PASSWORD) if each in json.dumps(line)]


def test_errors_of_the_database_are_told_by_code_and_place(log, engine):
    """PostgreSQL repeats rows in its DETAIL and values in its message; the log has constraint, table and column."""
    statements = (
        "insert into leagues (league_id, league_name) values ('Ann Quackenbush', 'x'), ('Ann Quackenbush', 'x')",
        "select cast('Ann Quackenbush' as integer)",
        "insert into players (first_name, last_name) values ('Ann', 'Quackenbush')",
    )
    for statement in statements:
        with pytest.raises(sa.exc.DBAPIError) as caught, engine.begin() as connection:
            connection.execute(sa.text(statement))
        logs.unexpected(caught.value)

    unique, cast, null = log()
    assert unique["error"]["message"].startswith("UniqueViolation (23505), constraint ")
    assert "InvalidTextRepresentation (22P02)" == cast["error"]["message"]
    assert re.fullmatch(r"NotNullViolation \(23502\), table players, column \w+", null["error"]["message"])
    assert "Quackenbush" not in json.dumps([unique, cast, null])


def test_errors_that_tell_an_operator_what_to_do_are_no_bugs(log):
    """A wrong option is logged with the command that failed, not as something unexpected."""
    logs.unexpected(UsageError("no such league 'Ann Quackenbush'\nhint: one of NSTF"))
    logs.event("command.failed", exit_code=2, seconds=0.1, **logs.failed(UsageError("no league 'Ann Q'\nhint: NSTF")))

    (line,) = log()
    assert ("UsageError", "no league '…'") == (line["error"]["type"], line["error"]["message"])


def test_warnings_of_libraries_come_along(log):
    """What papermill or SQLAlchemy warn of is a line with their name, scrubbed like ours, with what is bound."""
    with logs.bound(run="R1", stage="import"):
        logging.getLogger("papermill").warning("no cell for %s", "Ann Quackenbush")
        logging.getLogger("papermill").info("nothing of interest")

    (line,) = log()
    assert ("papermill", "no cell for <name>", "import") == (
        line["log"]["logger"], line["message"], line["rally"]["stage"],
    )  # fmt: skip


def test_a_log_that_cannot_be_written_is_said_once_and_breaks_nothing(tmp_path, capsys):
    """Where `logs` is a file, or the disk is full, the work goes on; stderr has one line."""
    (tmp_path / "logs").write_text("in the way", encoding="utf-8")
    logs.configure(Settings(root=tmp_path))
    for _ in range(3):
        logs.event("lock.taken", seconds=0.0)
        logs.event("server.stopped")
    logs.shut()

    said = capsys.readouterr().err.splitlines()
    assert 1 == len(said)
    assert said[0].startswith("log: logs/ cannot be written (")


def test_text_for_people_goes_to_stderr_only_where_it_is_asked_for(tmp_path, capsys):
    """By default stderr says nothing of the log; with the setting it has a line per event."""
    for is_wanted in (False, True):
        logs.configure(replace(Settings(root=tmp_path), log_text=is_wanted))
        logs.event("run.started", run="R1", leagues=["NSTF"])
        logs.shut()

    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d info    run.started  a run began  run=R1 leagues=NSTF", line)


def test_nothing_is_written_before_a_process_says_what_it_is(tmp_path):
    """A library that is imported logs nowhere."""
    logs.shut()
    logs.event("server.stopped")

    assert [] == list(tmp_path.iterdir())


def calls() -> Iterator[tuple[Path, str, set[str], bool]]:
    """Every call of `logs.event`: file, action, names of its fields, whether more come from a mapping."""
    for path in sorted((REPOSITORY / "lib/rally_etl").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name in ("logs.event", "event", "_log") and node.args and isinstance(node.args[0], ast.Constant):
                names = {word.arg for word in node.keywords}
                yield path, node.args[0].value, names - {None}, None in names


def test_every_event_is_declared_and_every_declared_one_happens():
    """A call names an event of the table and fields that it has there, or that may be bound; none is left over."""
    found = list(calls())
    used = {action for _, action, _, _ in found} | {"alert.sent", "alert.failed", "alert.given_up"}
    wrong = [
        (path.name, action, name)
        for path, action, names, _ in found
        for name in names
        if action not in logs.EVENTS or name not in (*logs.EVENTS[action].fields, *logs.BOUND)
    ]

    assert logs.EVENTS.keys() == used
    assert [] == wrong


def test_the_page_lists_the_events_as_they_are():
    """docs/logs.md has one row per event: level, what it says, fields."""
    page = (REPOSITORY / "docs/logs.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z._]+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$", page, re.M)
    expected = [
        (name, each.level, each.told, ", ".join(f"`{logs.ECS_NAMES.get(field, field)}`" for field in each.fields))
        for name, each in logs.EVENTS.items()
    ]

    assert expected == [(name, level, told, fields.strip()) for name, level, told, fields in rows]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("KeyError: 'Ann O'Hara'", "KeyError: '…'"),
        ('violates unique constraint "players_pkey"', 'violates unique constraint "players_pkey"'),
        ('syntax for type integer: "Ann Lee"', 'syntax for type integer: "…"'),
        ("no team for Mary-Ann Lee-Smith, of NSTF", "no team for <name>, of NSTF"),
        ("Smith, John B. Jones", "<name>"),
        ("José Álvarez left", "<name> left"),
        ("Key (first_name)=(Ann) exists\nDETAIL: (Ann, Lee)", "Key (first_name)=(…) exists"),
        ("to a.b@c.example, +1 312 555 0100, 312-555-0100", "to <address>, <number>, <number>"),
        ("postgresql://u:geheim@h/db password=geheim2", "postgresql://***@h/db password=***"),
        ("NSTF: 'nstf/players.json' is no JSON; GO", "NSTF: 'nstf/players.json' is no JSON; GO"),
        ("", ""),
    ],
)
def test_texts_lose_what_they_quote_and_what_looks_like_a_name(text, expected):
    """Identifiers and paths stay; names, addresses, logins and what stands in quotes go."""
    assert expected == without_values(text)


def test_secrets_are_known_by_their_names(tmp_path):
    """Passwords, tokens and addresses of the environment and of `.env`, and their parts; no host, no path."""
    (tmp_path / ".env").write_text("RALLY_SMTP_PASSWORD=postfach-acht\nRALLY_LOG_LEVEL=debug\n", encoding="utf-8")
    settings = Settings(root=tmp_path, database_url=f"postgresql://u:{PASSWORD}@h/db")
    env = {"RALLY_SLACK_URL": "https://hooks.example/services/T0/secret-part-xyz", "SSH_KEY": "/etc/key", "HOME": "/x"}

    found = secrets_of(settings, env)

    assert {PASSWORD, "postfach-acht", "secret-part-xyz", env["RALLY_SLACK_URL"]} <= found
    assert {"debug", "/etc/key", "/x", "h"} & found == set()
