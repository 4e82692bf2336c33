"""The channels: each takes one message to its server once, within a time-out, and says what came of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec

from rally_etl.alerts import mail, web
from rally_etl.alerts.answers import Answer
from rally_etl.alerts.routes import (
    Alerting,
    AppriseChannel,
    EmailChannel,
    FileChannel,
    SlackChannel,
    SmsChannel,
)
from rally_etl.alerts.scrubbing import scrubbed
from rally_etl.settings import Settings

SMS_LETTERS = 320  # two parts; the rest is in `rally-etl alerts list`
TAIL_BYTES = 256 * 1024  # of the file, looked through for a message that may stand there already


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the spool; *attempts* counts the one that is about to be made."""

    number: int
    key: str
    severity: str
    subject: str
    body: str
    attempts: int
    uncertain: bool


@dataclass(frozen=True, slots=True, repr=False)
class Sender:
    """A channel that is on: *send* takes a message and the seconds it may take; *secrets* never leave this process."""

    name: str
    send: Callable[[Message, float], Answer]
    secrets: tuple[str, ...] = ()

    def attempt(self, message: Message, timeout_s: float) -> Answer:
        """Send; whatever happens is an answer, in words without secrets and addresses."""
        try:
            answer = self.send(message, timeout_s)
        except Exception as error:  # a channel's library may raise anything; the message stays in the spool
            answer = Answer("unknown", f"{type(error).__name__}: {error}")
        return Answer(answer.result, scrubbed(answer.text, self.secrets), answer.wait_s)


@dataclass(frozen=True, slots=True)
class Off:
    """A channel that is off, and why."""

    name: str
    why: str


def senders(settings: Settings, alerting: Alerting) -> list[Sender | Off]:
    """Each channel of the file, ready or off because a secret is not set."""
    return [_sender(settings, name, channel) for name, channel in alerting.channels.items()]


def _sender(settings: Settings, name: str, channel: object) -> Sender | Off:
    wanted = [value for key, value in channel if key.endswith("_env") and value]
    secrets = {variable: settings.secret(variable) for variable in wanted}
    if missing := [variable for variable, value in secrets.items() if value is None]:
        return Off(name, f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set")
    values = tuple(secrets.values())
    match channel:
        case FileChannel():
            return Sender(name, lambda message, timeout_s: _append(settings, channel, message))
        case SlackChannel():
            if fault := web.address_fault(secrets[channel.url_env]):
                return Off(name, f"{channel.url_env} {fault}")
            return Sender(
                name,
                lambda message, timeout_s: web.post(
                    secrets[channel.url_env], message.key, json.dumps({"text": _slack(message)}).encode(),
                    "application/json; charset=utf-8", timeout_s, ca_file=channel.ca_file,
                ),
                values,
            )  # fmt: skip
        case SmsChannel():
            if fault := web.address_fault(secrets[channel.url_env]):
                return Off(name, f"{channel.url_env} {fault}")
            return Sender(
                name,
                lambda message, timeout_s: web.post(
                    secrets[channel.url_env], message.key,
                    web.form(From=channel.sender, To=secrets[channel.to_env], Body=_sms(message)),
                    "application/x-www-form-urlencoded", timeout_s, ca_file=channel.ca_file,
                    login=(secrets[channel.user_env], secrets[channel.password_env]),
                ),
                values,
            )  # fmt: skip
        case EmailChannel():
            login = (secrets[channel.user_env], secrets[channel.password_env]) if channel.user_env else None
            return Sender(
                name,
                lambda message, timeout_s: mail.send(
                    channel, login, message.key, message.subject, _signed(message), timeout_s
                ),
                values,
            )
        case AppriseChannel():
            if find_spec("apprise") is None:
                return Off(name, "the package apprise is not installed; `pip install apprise` into the project's .venv")
            return Sender(name, lambda message, timeout_s: _notify(secrets[channel.url_env], message), values)
    raise AssertionError(f"a kind of channel without a sender: {channel!r}")


def _append(settings: Settings, channel: FileChannel, message: Message) -> Answer:
    """Append a line and see it on the disk; one that an attempt before has written is not written again."""
    path = settings.root / channel.path
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = {"at": now, "number": message.number, "key": message.key, "severity": message.severity}
    text = json.dumps(line | {"subject": message.subject, "text": message.body}, ensure_ascii=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - TAIL_BYTES))
            tail = file.read()
            if message.attempts > 1 and _stands(tail, message.key):
                return Answer("delivered", "it stood there already")
            file.write(b"" if not tail or tail.endswith(b"\n") else b"\n")  # a line that was cut short stays apart
            file.write(f"{text}\n".encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return Answer("again", f"{channel.path} cannot be written: {error.strerror or error}")
    return Answer("delivered", f"written to {channel.path}")


def _stands(tail: bytes, key: str) -> bool:
    """Whether the line of this message is there as a whole."""
    return any(f'"key": "{key}"'.encode() in line and line.endswith(b'"}') for line in tail.splitlines())


def _notify(url: str, message: Message) -> Answer:
    from apprise import Apprise

    sender = Apprise()
    if not sender.add(url):
        return Answer("again", "apprise does not know this kind of address")
    if sender.notify(title=message.subject, body=_signed(message)):
        return Answer("delivered", "apprise says that it was sent")
    return Answer("unknown", "apprise says that it was not sent, and not why")


def _signed(message: Message) -> str:
    """The text with its number: whoever gets it twice sees that it is one message."""
    return f"{message.body}\n\nrally-etl, message {message.number} ({message.key[:8]})"


def _slack(message: Message) -> str:
    text = f"{message.subject}\n{_signed(message)}"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _sms(message: Message) -> str:
    tail = f" [{message.number}]"
    room = SMS_LETTERS - len(tail)
    return (message.subject if len(message.subject) <= room else f"{message.subject[: room - 1]}…") + tail
