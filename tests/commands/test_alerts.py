"""`rally-etl alerts`: what is open, who looks at it, what waits, whether a channel works."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from rally_etl import cli
from rally_etl.alerts import Finding, note
from rally_etl.errors import RallyEtlError, UsageError
from rally_etl.incidents import raise_incident

GONE = 99
ROUTES = """
channels:
  file: {kind: file, path: alerts.jsonl}
  slack: {kind: slack, url_env: RALLY_TEST_UNSET}
  broken: {kind: file, path: params/alerts.yaml/below-a-file}
routes:
  - {channels: [file, slack]}
"""


@pytest.fixture
def rally(module_engine: sa.Engine, module_settings, tmp_path, monkeypatch):
    """Run `rally-etl` in this process on two open incidents; an error of ours is raised."""
    (tmp_path / "params").mkdir()
    (tmp_path / "params/alerts.yaml").write_text(ROUTES, encoding="utf-8")
    monkeypatch.setenv("DATABASE_URL", module_settings.database_url)
    monkeypatch.setenv("RALLY_HOME", str(tmp_path))
    monkeypatch.delenv("RALLY_TEST_UNSET", raising=False)
    warned = Finding(
        cause="import/few_teams_come", league="NSTF", severity="warn", what="20% of the teams would be new",
        whom="its new rows wait for a person", todo="approve the run if that is right",
    )  # fmt: skip
    with module_engine.begin() as connection:
        for table in ("alert_told", "alert_messages", "incident_leagues", "incidents"):
            connection.execute(sa.text(f"truncate etl.{table} restart identity cascade"))
        note(connection, [warned], {}, run_id=None)
        raise_incident(connection, "live_equals_candidate", "others saw Ann Example twice", league="CITA")

    def run(*arguments: str):
        done = CliRunner().invoke(cli.app, ["alerts", *arguments])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


def test_open_incidents_are_listed_the_worst_first(rally):
    """What, since when, whom, what to do; then the channels and the next command."""
    done = rally("list")
    lines = done.stdout.splitlines()

    assert ["   2  error  open  live_equals_candidate", "   1  warn   open  import/few_teams_come"] == lines[::5]
    assert "      what   20% of the teams would be new" == lines[6]
    assert lines[7].startswith("      since  20") and lines[7].endswith(" UTC")
    assert "      whom   NSTF: its new rows wait for a person" == lines[8]
    assert "      to do  approve the run if that is right" == lines[9]
    assert "slack: off, RALLY_TEST_UNSET is not set" in done.stderr.splitlines()
    assert done.stderr.endswith("resolve N --by WHO --reason TEXT, that it is over\n")


def test_the_list_is_one_document(rally):
    """Incidents with their leagues, channels with what waits."""
    found = json.loads(rally("list", "--json").stdout)

    assert [(2, "error", ["CITA"], None), (1, "warn", ["NSTF"], None)] == [
        (each["number"], each["severity"], each["leagues"], each["acknowledged_by"]) for each in found["incidents"]
    ]
    assert [("file", 0), ("slack", 0), ("broken", 0)] == [
        (each["channel"], each["waiting"]) for each in found["channels"]
    ]


def test_somebody_looks_and_says_that_it_is_over(rally, tmp_path):
    """Who looks stands in the list; who was told of it is told its end; twice is refused."""
    rally("send")
    assert "incident 1 is looked at by Ann Example\n" == rally("ack", "1", "--by", "Ann Example").stderr
    assert "   1  warn   acknowledged  by Ann Example  import/few_teams_come" in rally("list").stdout
    rally("resolve", "1", "--by", "Ann Example", "--reason", "they are real")
    rally("send")
    subjects = [json.loads(line)["subject"] for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]

    assert 2 == len(subjects)
    assert "RESOLVED NSTF: few teams come" == subjects[1]
    for command in ("ack", "resolve"):
        reason = ["--reason", "again"] if command == "resolve" else []
        with pytest.raises(UsageError, match="incident 1 was resolved by Ann Example"):
            rally(command, "1", "--by", "Ann Example", *reason)
    with pytest.raises(
        UsageError, match=f"there is no incident {GONE}; nothing was written\nhint: `rally-etl alerts list`"
    ):
        rally("ack", str(GONE), "--by", "Ann Example")
    with pytest.raises(UsageError, match="somebody acknowledges an incident"):
        rally("ack", "2", "--by", " ")


def test_send_says_what_is_off_and_what_still_waits(rally, tmp_path):
    """A channel that is off is told of; exit code 1 says that a message waits, and why."""
    done = rally("send")
    assert 0 == done.exit_code
    assert 1 == done.stderr.count("channel slack is off: RALLY_TEST_UNSET is not set\n")
    assert "file: 1 sent\n" in done.stderr

    (tmp_path / "params/alerts.yaml").write_text(ROUTES.replace("[file, slack]", "[broken]"), encoding="utf-8")
    done = rally("send", "--seconds", "1")
    assert 1 == done.exit_code
    assert "broken: 1 message waiting since 20" in done.stderr
    assert "; last answer: params/alerts.yaml/below-a-file cannot be written: " in done.stderr


def test_a_channel_is_tried(rally, tmp_path):
    """It says what the server answers; one that does not take the message is exit code 1, a wrong name 2."""
    done = rally("test", "file")
    assert "channel file took the test message: written to alerts.jsonl\n" == done.stderr
    assert "TEST file: nothing is wrong" == json.loads((tmp_path / "alerts.jsonl").read_text())["subject"]

    with pytest.raises(
        RallyEtlError, match=r"channel broken did not take the test message: .* cannot be written"
    ) as no:
        rally("test", "broken")
    assert 1 == no.value.exit_code
    with pytest.raises(UsageError, match="channel slack is off: RALLY_TEST_UNSET is not set; nothing was sent"):
        rally("test", "slack")
    with pytest.raises(UsageError, match=r"there is no channel 'fax'; .*\nhint: .* file, slack, broken"):
        rally("test", "fax")
