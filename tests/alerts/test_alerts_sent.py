"""The spool and the channels against servers of this machine: each message arrives once, in order, none is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import sqlalchemy as sa
import trustme

from conftest import REPOSITORY
from postboxes import MailBox, Postbox, mail_box, postbox
from rally_etl.alerts import Alerting, drain, spool
from rally_etl.settings import Settings

from .conftest import rows

SECRETS = {
    "RALLY_TEST_SLACK": "",
    "RALLY_TEST_SMS": "",
    "RALLY_TEST_USER": "AC0123456789",
    "RALLY_TEST_PASSWORD": "open sesame",
    "RALLY_TEST_TO": "+15550199",
}
SLACK = {"kind": "slack", "url_env": "RALLY_TEST_SLACK"}
SMS = {
    "kind": "sms", "url_env": "RALLY_TEST_SMS", "user_env": "RALLY_TEST_USER", "password_env": "RALLY_TEST_PASSWORD",
    "sender": "+15550100", "to_env": "RALLY_TEST_TO",
}  # fmt: skip
SPOOL = "select state, attempts, uncertain, answer from etl.alert_messages order by number"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The spool tries again at once; the secrets are in the environment."""
    monkeypatch.setattr(spool, "WAIT_S", 0.01)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def slack(monkeypatch) -> Iterator[Postbox]:
    """A server that stands for Slack."""
    with postbox(path="/services/T0000/B0000/sesame-webhook") as box:
        monkeypatch.setenv("RALLY_TEST_SLACK", box.url)
        yield box


@pytest.fixture
def mail(tmp_path) -> Iterator[MailBox]:
    """A mail server with TLS."""
    with mail_box(tmp_path, SECRETS["RALLY_TEST_PASSWORD"]) as box:
        yield box


@pytest.fixture
def queue(ledger: sa.Engine) -> Callable[..., None]:
    """Put messages with these subjects into the spool of a channel."""

    def put(*subjects: str, channel: str = "c") -> None:
        with ledger.begin() as connection:
            connection.execute(
                sa.text(
                    "insert into etl.alert_messages (channel, severity, subject, body)"
                    " values (:channel, 'error', :subject, 'what, since, whom, to do')"
                ),
                [{"channel": channel, "subject": each} for each in subjects],
            )

    return put


def rules(channel: dict, **sending: float) -> Alerting:
    """One channel `c`."""
    return Alerting.model_validate({"channels": {"c": channel}, "sending": {"timeout_s": 2} | sending})


def send(engine: sa.Engine, settings: Settings, channel: dict, budget_s: float = 20, **sending: float) -> list[str]:
    """Drain the spool; what was told."""
    told: list[str] = []
    drain(engine, settings, rules(channel, **sending), budget_s, told.append)
    return told


def subjects(box: Postbox) -> list[str]:
    """First lines of what a Slack has, in order."""
    return [json.loads(each)["text"].splitlines()[0] for each in box.taken.values()]


FAULTS = {
    "says that it is down": [500, 503, 502],
    "says that it is too much": [429, 429],
    "goes away before it reads": ["break", "break"],
    "dies after it took the message": ["drop", "drop"],
    "fails in turns": [500, "drop", 200, "break", 429, 200, "drop"],
}


@pytest.mark.parametrize("moods", FAULTS.values(), ids=FAULTS)
def test_each_message_arrives_once_and_in_order(moods, ledger, module_settings, slack, queue):
    """Whatever the server does in between; who took a message without saying so is asked under the same key."""
    slack.moods = list(moods)
    queue("one", "two", "three")
    told = send(ledger, module_settings, SLACK)

    assert [] == told
    assert ["one", "two", "three"] == subjects(slack)
    assert ["sent"] * 3 == [row[0] for row in rows(ledger, SPOOL)]
    assert len(slack.requests) == 3 + len([mood for mood in moods if mood != 200])
    assert ("drop" in moods or "break" in moods) == any(row[2] for row in rows(ledger, SPOOL))


def test_a_server_that_is_down_gets_it_when_it_is_back(ledger, module_settings, queue, monkeypatch, tmp_path):
    """Nobody listens: the message waits with the reason, and the next command sends it."""
    with postbox() as gone:
        monkeypatch.setenv("RALLY_TEST_SLACK", gone.url)
    queue("one", "two")
    told = send(ledger, module_settings, SLACK, budget_s=0.3)
    assert [("queued", True), ("queued", False)] == [(row[0], row[1] > 0) for row in rows(ledger, SPOOL)]
    assert [True] == ["no connection: " in each and "goes with the next command" in each for each in told]

    with postbox() as back:
        monkeypatch.setenv("RALLY_TEST_SLACK", back.url)
        assert [] == send(ledger, module_settings, SLACK)
        assert ["one", "two"] == subjects(back)


def test_a_server_that_asks_to_wait_is_not_asked_before(ledger, module_settings, slack, queue):
    """Retry-After of an hour is kept, as long as the ledger says, by this command and the next."""
    slack.moods, slack.headers = [429], {"Retry-After": "3600"}
    queue("one")
    send(ledger, module_settings, SLACK)
    send(ledger, module_settings, SLACK)

    assert 1 == len(slack.requests)
    assert [(True,)] == rows(
        ledger, "select next_at > clock_timestamp() + interval '59 minutes' from etl.alert_messages"
    )


def test_a_slow_server_holds_nobody_up(ledger, module_settings, slack, queue):
    """One that takes the message and says nothing: the time-out ends it, the other channel has its message."""
    slack.moods = ["hang", "hang"]
    queue("one")
    queue("two", channel="file")
    channels = {"c": SLACK, "file": {"kind": "file", "path": "slow.jsonl"}}
    told: list[str] = []
    alerting = Alerting.model_validate({"channels": channels, "sending": {"timeout_s": 0.2}})
    drain(ledger, module_settings, alerting, 0.3, told.append)
    assert ["queued", "sent"] == [row[0] for row in rows(ledger, SPOOL)]
    assert [True] == [each.startswith("channel c: no answer") for each in told]

    slack.moods = []
    slack.released.set()
    send(ledger, module_settings, SLACK)
    assert ["one"] == subjects(slack)


def test_a_message_that_is_refused_lets_the_next_one_pass(ledger, module_settings, slack, queue):
    """It is given up at once and stands in the list; `--again` tries it once more."""
    slack.moods, slack.text = [400], "invalid_payload"
    queue("one", "two")
    assert [] == send(ledger, module_settings, SLACK)
    assert ["two"] == subjects(slack)
    assert [("gave_up", "400 invalid_payload"), ("sent", "200 invalid_payload")] == [
        (row[0], row[3]) for row in rows(ledger, SPOOL)
    ]

    assert 1 == spool.retry(ledger)
    send(ledger, module_settings, SLACK)
    assert ["two", "one"] == subjects(slack)


def test_a_message_is_given_up_when_it_is_old(ledger, module_settings, slack, queue):
    """After two days of trying; the ones behind it go."""
    queue("one")
    with ledger.begin() as connection:
        connection.execute(sa.text("update etl.alert_messages set created_at = now() - interval '49 hours'"))
    queue("two")
    slack.moods = [500]
    send(ledger, module_settings, SLACK)

    assert ["two"] == subjects(slack)


def test_a_redirect_is_no_delivery(ledger, module_settings, slack, queue):
    """A POST that is sent elsewhere would go on without the message."""
    slack.moods, slack.headers = [302], {"Location": "/elsewhere"}
    queue("one")
    send(ledger, module_settings, SLACK)

    assert ["one"] == subjects(slack)
    assert 2 == len(slack.requests)


def test_tls_needs_a_certificate_that_is_good(ledger, module_settings, queue, tmp_path, monkeypatch):
    """An authority that nobody knows is no connection; the one of `ca_file` is."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with postbox(authority) as box:
        monkeypatch.setenv("RALLY_TEST_SLACK", box.url)
        queue("one")
        (told,) = send(ledger, module_settings, SLACK, budget_s=0.2)
        assert "CERTIFICATE_VERIFY_FAILED" in told
        assert [] == box.requests

        send(ledger, module_settings, SLACK | {"ca_file": str(tmp_path / "ca.pem")})
        assert ["one"] == subjects(box)


def test_an_sms_is_a_form_with_a_login(ledger, module_settings, queue, monkeypatch):
    """From, To and a Body of two parts at most, with the number of the message."""
    with postbox() as gateway:
        monkeypatch.setenv("RALLY_TEST_SMS", gateway.url)
        queue("x" * 500)
        gateway.moods = [500]
        send(ledger, module_settings, SMS)
        (body,) = map(parse_qs, gateway.taken.values())

    assert ("+15550100", "+15550199") == (body["From"][0], body["To"][0])
    assert 320 == len(body["Body"][0])
    assert {"Basic QUMwMTIzNDU2Nzg5Om9wZW4gc2VzYW1l"} == gateway.logins


def mailing(box: MailBox, **changes: object) -> dict:
    """The channel of a mail server."""
    return {
        "kind": "email", "host": "localhost", "port": box.port, "user_env": "RALLY_TEST_USER",
        "password_env": "RALLY_TEST_PASSWORD", "sender": "rally@example.org", "to": ["a@example.org", "b@example.org"],
        "ca_file": str(box.ca_file),
    } | changes  # fmt: skip


@pytest.mark.parametrize("moods", [["451 later", "999 what"], ["drop"], []], ids=["greylisted", "dies", "well"])
def test_a_mail_arrives_over_tls_with_one_id(moods, ledger, module_settings, mail, queue):
    """A server that takes it twice, as it died in between, can tell by the Message-ID; the order stays."""
    mail.moods = list(moods)
    queue("one", "two")
    assert [] == send(ledger, module_settings, mailing(mail))
    contents = [each.content.decode() for each in mail.mails]
    ids = [next(line for line in text.splitlines() if line.startswith("Message-ID:")) for text in contents]
    said = [next(line[9:] for line in text.splitlines() if line.startswith("Subject:")) for text in contents]

    assert ["one", "two"] == list(dict.fromkeys(said))
    assert 2 == len(set(ids))
    assert 2 + ("drop" in moods) == len(ids)
    assert {("a@example.org", "b@example.org")} == {tuple(each.rcpt_tos) for each in mail.mails}
    assert 2 + len(moods) == mail.logins


def test_a_mail_waits_for_a_good_certificate_and_a_good_login(ledger, module_settings, mail, queue):
    """Neither a server that nobody knows nor one that refuses the login gets a mail, or the message lost."""
    queue("one")
    (told,) = send(ledger, module_settings, mailing(mail, ca_file=""), budget_s=0.2)
    assert "CERTIFICATE_VERIFY_FAILED" in told
    mail.password = "another"
    (told,) = send(ledger, module_settings, mailing(mail), budget_s=0.2)
    assert "no login: 535" in told
    mail.password = SECRETS["RALLY_TEST_PASSWORD"]
    assert [] == mail.mails

    assert [] == send(ledger, module_settings, mailing(mail))
    assert 1 == len(mail.mails)


def test_a_mail_that_is_refused_is_given_up(ledger, module_settings, mail, queue):
    """5xx of the message itself; the next one goes."""
    mail.moods = ["554 no"]
    queue("one", "two")
    send(ledger, module_settings, mailing(mail))

    assert ["gave_up", "sent"] == [row[0] for row in rows(ledger, SPOOL)]


def test_a_line_in_a_file_is_written_once(ledger, module_settings, queue):
    """Also when the process died after the line was there, and when a line before it was cut short."""
    path = module_settings.root / "once.jsonl"
    path.write_bytes(b'{"cut sho')
    channel = {"kind": "file", "path": "once.jsonl"}
    queue("one", "two")
    send(ledger, module_settings, channel)
    with ledger.begin() as connection:
        connection.execute(sa.text("update etl.alert_messages set state = 'sending'"))
    send(ledger, module_settings, channel)
    cut, *lines = path.read_text(encoding="utf-8").splitlines()

    assert '{"cut sho' == cut
    assert ["one", "two"] == [json.loads(line)["subject"] for line in lines]
    assert ["sent", "sent"] == [row[0] for row in rows(ledger, SPOOL)]


def test_no_secret_and_no_address_is_kept(ledger, module_settings, slack, queue):
    """A server that repeats the address, the login or somebody's number in its answer: the ledger has none of it."""
    secret = slack.url.rsplit("/", 1)[1]
    slack.moods = [404]
    slack.text = f"no such hook {slack.url} ({secret}) open sesame ann@example.org +1 555 0199 22"
    queue("one")
    channel = SMS | {"url_env": "RALLY_TEST_SLACK"}
    told = send(ledger, module_settings, channel, budget_s=0.005)
    send(ledger, module_settings, channel, budget_s=0.3)
    ((dump,),) = rows(ledger, "select jsonb_agg(to_jsonb(m))::text from etl.alert_messages as m")

    assert "no such hook" in dump
    for part in (secret, "sesame", "T0000", "ann@", "0199", "AC0123456789"):
        assert part not in dump
        assert part not in " ".join(told)


def test_two_processes_do_not_send_the_same(ledger, module_settings, slack, queue):
    """Who comes while another sends leaves the channel to it."""
    queue("one")
    with spool._turn(ledger, "c") as is_ours:
        assert is_ours
        send(ledger, module_settings, SLACK)
        assert [] == slack.requests
    send(ledger, module_settings, SLACK)

    assert ["one"] == subjects(slack)


def sending_process(settings: Settings, folder: Path) -> subprocess.Popen:
    """`rally-etl alerts send` as a process of its own, for a project whose only channel is this Slack."""
    (folder / "params").mkdir(exist_ok=True)
    text = "channels: {c: {kind: slack, url_env: RALLY_TEST_SLACK}}\nsending: {timeout_s: 20}\n"
    (folder / "params/alerts.yaml").write_text(text, encoding="utf-8")
    place = {"RALLY_HOME": str(folder), "DATABASE_URL": settings.database_url, "PYTHONPATH": str(REPOSITORY / "lib")}
    return subprocess.Popen(
        [sys.executable, "-m", "rally_etl", "alerts", "send"], env=os.environ | place, stderr=subprocess.PIPE
    )


def test_nothing_is_lost_and_nothing_comes_twice_when_the_sender_is_killed(
    ledger, module_settings, slack, queue, tmp_path
):
    """`kill -9` while the server has the message and has not answered: the next sender goes on, in order."""
    queue("one", "two", "three")
    slack.moods = [200, "hang"]
    process = sending_process(module_settings, tmp_path)
    while len(slack.taken) < 2:
        assert process.poll() is None, process.stderr.read()
        slack.came.wait(5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    slack.released.set()
    assert ["sent", "sending", "queued"] == [row[0] for row in rows(ledger, SPOOL)]

    for _ in range(50):  # until the server has heard that the killed one's session is over
        send(ledger, module_settings, SLACK)
        if "sent" == rows(ledger, SPOOL)[2][0]:
            break
    assert ["one", "two", "three"] == subjects(slack)
    assert [("sent", 1, False), ("sent", 2, True), ("sent", 1, False)] == [row[:3] for row in rows(ledger, SPOOL)]
    assert 4 == len(slack.requests)


def at_once(engine: sa.Engine) -> None:
    """Let no message wait for its next attempt."""
    with engine.begin() as connection:
        connection.execute(sa.text("update etl.alert_messages set next_at = clock_timestamp()"))


@pytest.mark.slow
def test_senders_that_are_killed_at_any_moment_lose_nothing(ledger, module_settings, slack, queue, tmp_path):
    """Twenty messages, a server that fails three times in five, and a sender that is killed five times on the way."""
    expected = [f"message {n}" for n in range(20)]
    queue(*expected)
    slack.moods = [500, 200, "drop", 200, 429] * 20
    for kill in range(5):
        at_once(ledger)
        asked = len(slack.requests)
        process = sending_process(module_settings, tmp_path)
        while len(slack.requests) < asked + 1 + kill % 3 and process.poll() is None:
            slack.came.wait(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    at_once(ledger)
    for _ in range(50):
        send(ledger, module_settings, SLACK)
        if {"sent"} == {row[0] for row in rows(ledger, SPOOL)}:
            break

    assert expected == subjects(slack)


def test_apprise_takes_a_message_where_it_is_installed(ledger, module_settings, queue, monkeypatch):
    """Any address that it knows: here JSON to a server of this machine; one that fails leaves the message waiting."""
    pytest.importorskip("apprise", reason="apprise is an option that no lock has")
    with postbox(path="/hook") as box:
        monkeypatch.setenv("RALLY_TEST_APPRISE", box.url.replace("http://", "json://"))
        box.moods += [500]
        queue("first", "second")
        send(ledger, module_settings, {"kind": "apprise", "url_env": "RALLY_TEST_APPRISE"})

        assert ["first", "second"] == [json.loads(each)["title"] for each in box.taken.values()]
    assert [("sent", 2), ("sent", 1)] == [row[:2] for row in rows(ledger, SPOOL)]
