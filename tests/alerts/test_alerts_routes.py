"""`params/alerts.yaml`: what is read, what is refused, and that no fault shows what may be a secret."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from conftest import REPOSITORY
from rally_etl.alerts.channels import Off, Sender, senders
from rally_etl.alerts.routes import Alerting, QuietHours, read_alerting
from rally_etl.errors import UsageError
from rally_etl.settings import Settings

MAIL = "{kind: email, host: h, sender: a@b, to: [c@d],"
SECRET = "https://hooks.example.org/services/T0/B0/sesame"


def written(folder, text: str) -> Settings:
    """A project folder whose file of alerts is this text."""
    (folder / "params").mkdir()
    (folder / "params/alerts.yaml").write_text(text, encoding="utf-8")
    return Settings(root=folder)


def test_a_fresh_clone_tells_only_a_file():
    """The project's own file has one channel, which stays on this machine, and every severity goes there."""
    alerting = read_alerting(Settings(root=REPOSITORY))

    assert ["file"] == list(alerting.channels)
    assert "file" == alerting.channels["file"].kind
    assert [["error", "warn", "info"]] == [route.severities for route in alerting.routes]


def test_the_commented_examples_are_right(tmp_path):
    """Every channel, route and rule that the file shows in a comment is one when the # goes."""
    lines = (REPOSITORY / "params/alerts.yaml").read_text(encoding="utf-8").splitlines()
    kept = lines[lines.index("channels:") :]
    examples = "\n".join(
        line.replace("# ", "", 1) if line.lstrip().startswith(("# ", "#\t")) and ": " in f"{line} " else line
        for line in kept
        if not line.startswith(("# An", "# sev", "# Within", "# What is", "#\n")) and line.strip() != "#"
    )
    alerting = read_alerting(written(tmp_path, examples))

    assert ["file", "slack", "mail", "sms", "other"] == list(alerting.channels)
    assert [["file"], ["slack"], ["mail"]] == [route.channels for route in alerting.routes]
    assert "America/Chicago" == alerting.quiet_hours.time_zone
    assert ["sms"] == alerting.escalation.channels


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("channels: {a: {kind: pigeon}}", "params/alerts.yaml: key `channels.a`"),
        (f"channels: {{m: {MAIL} port: 99999}}}}", "`channels.m.port`: .* not 99999"),
        (f"channels: {{m: {MAIL} security: none}}}}", "server on this machine only"),
        ("routes: [{channels: [slack]}]", "`routes.0.channels`: there is no channel 'slack', only none"),
        ("routes: [{channels: [slack], severities: [loud]}]", "`routes.0.severities.0`: .* not 'loud'"),
        ("quiet_hours: {begin: '22:00', end: '07:00', time_zone: Chicago}", "`quiet_hours.time_zone`: no time zone"),
        ("sending: {timeout_s: 0}", "`sending.timeout_s`: .* not 0"),
        ("sendnig: {}", "`sendnig`: no such key"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_file_key_and_value(text, told, tmp_path):
    """A fault names the file, the key and the value, and what to do."""
    with pytest.raises(UsageError, match=told) as error:
        read_alerting(written(tmp_path, text))

    assert "no alert was sent\nhint: docs/alerts.md" in str(error.value)


@pytest.mark.parametrize(
    "channel", [f"{{kind: slack, url_env: '{SECRET}'}}", f"{{kind: slack, url_env: RALLY_URL, url: '{SECRET}'}}"]
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(channel, tmp_path):
    """A secret that stands where its name should, or under a key of its own, is in no message."""
    with pytest.raises(UsageError, match=r"channels\.slack\.url") as error:
        read_alerting(written(tmp_path, f"channels: {{slack: {channel}}}"))

    assert "sesame" not in str(error.value)


def test_a_secret_comes_from_the_environment_or_the_env_file(tmp_path, monkeypatch):
    """Without its variable a channel is off and says which; `.env` turns it on; the sender does not print it."""
    settings = written(tmp_path, "channels: {slack: {kind: slack, url_env: RALLY_TEST_HOOK}}")
    monkeypatch.delenv("RALLY_TEST_HOOK", raising=False)
    alerting = read_alerting(settings)

    assert [Off("slack", "RALLY_TEST_HOOK is not set")] == senders(settings, alerting)
    (tmp_path / ".env").write_text(f"RALLY_TEST_HOOK={SECRET}\n", encoding="utf-8")
    (sender,) = senders(settings, alerting)
    assert isinstance(sender, Sender)
    assert "sesame" not in repr(sender)


def test_an_address_that_everybody_can_read_turns_the_channel_off(tmp_path, monkeypatch):
    """http:// is for this machine only."""
    settings = written(tmp_path, "channels: {slack: {kind: slack, url_env: RALLY_TEST_HOOK}}")
    monkeypatch.setenv("RALLY_TEST_HOOK", SECRET.replace("https", "http"))
    (off,) = senders(settings, read_alerting(settings))

    assert "RALLY_TEST_HOOK begins with http://, which everybody on the way can read; use https://" == off.why


@pytest.mark.parametrize(
    ("clock", "severity", "waits"),
    [("03:59", "warn", True), ("11:59", "warn", True), ("12:00", "warn", False), ("03:30", "warn", True),
     ("02:59", "warn", False), ("03:59", "error", False)],
)  # fmt: skip
def test_quiet_hours_are_of_a_time_zone_and_go_over_midnight(clock, severity, waits):
    """From 22:00 to 07:00 in Chicago is from 03:00 to 12:00 UTC in summer; errors do not wait."""
    quiet = QuietHours(begin="22:00", end="07:00", time_zone="America/Chicago")
    now = datetime.fromisoformat(f"2025-10-01T{clock}:00").replace(tzinfo=UTC)

    assert waits == quiet.holds(now, severity)


def test_a_route_limits_by_league_severity_stage_dimension_and_owner():
    """What a route does not name it does not limit; the whole database concerns every league."""
    route = {"channels": ["a"], "leagues": ["NSTF"], "severities": ["error"], "stages": ["validation"]}
    alerting = Alerting.model_validate(
        {"channels": {"a": {"kind": "file"}}, "routes": [route | {"dimensions": ["validity"], "owners": ["ops"]}]}
    )
    fits = {
        "severities": {"NSTF": "error", "CITA": "error"}, "stage": "validation", "dimensions": ["validity", "x"],
        "owners": ["ops"],
    }  # fmt: skip

    assert {"NSTF"} == alerting.leagues_for("a", **fits)
    assert {"*"} == alerting.leagues_for("a", **fits | {"severities": {"*": "error"}})
    for other in ({"severities": {"NSTF": "warn"}}, {"severities": {"CITA": "error"}}, {"stage": "import"},
                  {"dimensions": ["timeliness"]}, {"owners": []}):  # fmt: skip
        assert set() == alerting.leagues_for("a", **fits | other)
