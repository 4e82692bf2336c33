"""`rally-etl alerts`: what is open, what waits to be sent, and whether a channel works."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rally_etl.errors import RallyEtlError, UsageError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from rally_etl.settings import Settings

alerts = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
SENDING_S = 60.0
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Number = Annotated[int, typer.Argument(metavar="N", help="Of the incident, as `rally-etl alerts list` has it.")]


@alerts.command("list")
def listed(as_json: Json = False) -> None:
    """List open incidents, the worst first, and what waits to be sent.

    Each says what is wrong, since when, whom it touches and what to do. It is open until a run finds it mended, or
    somebody says that it is over.

    Exit codes: 0, also when there are some; 1 failure, 2 wrong use.
    """
    from rally_etl.alerts.overview import read_overview
    from rally_etl.commands.terminal import print_json, printable

    engine, settings = _connected()
    found = read_overview(engine, settings)
    if as_json:
        print_json(found)
        return
    for each in found["incidents"]:
        seen = f"  by {each['acknowledged_by']}" if each["acknowledged_by"] else ""
        typer.echo(f"{each['number']:>4}  {each['severity']:5}  {each['state']}{printable(seen)}  {each['cause']}")
        for label in ("what", "since", "whom", "to do"):
            typer.echo(f"      {label:6} {printable(each[label.replace(' ', '_')])}")
    for each in found["channels"]:
        typer.echo(f"{each['channel']}: {printable(_state(each))}", err=True)
    hint = "rally-etl alerts ack N --by WHO says that you look; resolve N --by WHO --reason TEXT, that it is over"
    typer.echo(hint if found["incidents"] else "no incident is open", err=True)


@alerts.command("ack")
def acknowledge(number: Number, by: Annotated[str, typer.Option(help="Who looks at it.", metavar="WHO")]) -> None:
    """Say that somebody looks at an incident: it stays open, and nobody else is called because of it.

    Exit codes: 0 done, 2 no such incident or it is over already, 1 failure.
    """
    from rally_etl.incidents import acknowledge as take

    if not by.strip():
        raise UsageError("somebody acknowledges an incident; nothing was written\nhint: --by WHO")
    with _connected()[0].begin() as connection:
        take(connection, number, by.strip())
    typer.echo(f"incident {number} is looked at by {by.strip()}", err=True)


@alerts.command("resolve")
def resolve(
    number: Number,
    by: Annotated[str, typer.Option(help="Who says so.", metavar="WHO")],
    reason: Annotated[str, typer.Option(help="Why it is over; goes into the ledger.", metavar="TEXT")],
) -> None:
    """Say that an incident is over; who was told of it is told this too.

    Nothing live changes. A run that finds the cause again opens another incident.

    Exit codes: 0 resolved, 2 no such incident or it is over already, 1 failure.
    """
    from rally_etl.commands.incidents import resolve as close

    close(number, by, reason)


@alerts.command("test")
def test(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="A name of params/alerts.yaml.")],
    as_json: Json = False,
) -> None:
    """Send a test message on one channel, past the spool, and tell what the server says.

    Exit codes: 0 it was taken, 1 it was not, 2 no such channel, or it is off.
    """
    from rally_etl.alerts.channels import Message, Off, senders
    from rally_etl.alerts.routes import read_alerting
    from rally_etl.commands.terminal import print_json
    from rally_etl.settings import Settings

    settings = Settings.from_env()
    alerting = read_alerting(settings)
    sender = next((each for each in senders(settings, alerting) if each.name == channel), None)
    if sender is None:
        known = ", ".join(alerting.channels) or "none"
        raise UsageError(f"there is no channel {channel!r}; nothing was sent\nhint: params/alerts.yaml has {known}")
    if isinstance(sender, Off):
        raise UsageError(f"channel {channel} is off: {sender.why}; nothing was sent\nhint: set it in .env")
    text = f"A test of the channel {channel}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. Nothing is wrong."
    message = Message(0, str(uuid.uuid4()), "info", f"TEST {channel}: nothing is wrong", text, 1, False)
    answer = sender.attempt(message, alerting.sending.timeout_s)
    if as_json:
        print_json({"channel": channel, "result": answer.result, "answer": answer.text})
    if answer.result != "delivered":
        raise RallyEtlError(f"channel {channel} did not take the test message: {answer.text}\nhint: docs/alerts.md")
    typer.echo(f"channel {channel} took the test message: {answer.text}", err=True)


@alerts.command("send")
def send(
    again: Annotated[bool, typer.Option("--again", help="What was given up, too.")] = False,
    seconds: Annotated[float, typer.Option(help="How long to try.", min=1, metavar="S")] = SENDING_S,
    as_json: Json = False,
) -> None:
    """Send what waits: messages of earlier runs, what quiet hours held back, what nobody has acknowledged.

    Made for cron, every few minutes; two at once do not meet.

    Exit codes: 0 nothing waits any more, 1 something does, 2 wrong use.
    """
    from rally_etl.alerts import drain, enqueue_due, read_alerting
    from rally_etl.alerts.overview import read_channels
    from rally_etl.alerts.spool import retry
    from rally_etl.commands.terminal import print_json

    engine, settings = _connected()
    alerting = read_alerting(settings)
    if again:
        retry(engine)
    enqueue_due(engine, settings, alerting)
    drain(engine, settings, alerting, seconds, lambda text: typer.echo(text, err=True))
    found = read_channels(engine, settings, alerting)
    if as_json:
        print_json({"channels": found})
    for each in found:
        typer.echo(f"{each['channel']}: {_state(each)}", err=True)
    if any(each["waiting"] for each in found):
        raise typer.Exit(1)


def _state(channel: dict[str, Any]) -> str:
    from rally_etl.measures import counted

    parts = [f"off, {channel['off']}"] if channel["off"] else []
    parts += [f"{channel['sent']:,} sent"] if channel["sent"] else []
    if channel["waiting"]:
        parts.append(f"{counted(channel['waiting'], 'message')} waiting since {channel['waiting_since']}")
    if channel["gave_up"]:
        parts.append(f"{channel['gave_up']:,} given up (`rally-etl alerts send --again` tries them once more)")
    if channel["answer"] and (channel["waiting"] or channel["gave_up"]):
        parts.append(f"last answer: {channel['answer']}")
    return "; ".join(parts) or "nothing sent yet"


def _connected() -> tuple[sa.Engine, Settings]:
    from rally_etl.database.engine import connect
    from rally_etl.database.schema import init
    from rally_etl.settings import Settings

    settings = Settings.from_env()
    engine = connect(settings)
    init(engine)
    return engine, settings
