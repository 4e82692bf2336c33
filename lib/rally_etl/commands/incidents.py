"""`rally-etl incidents`: what somebody has to know about, until somebody says that it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rally_etl.errors import UsageError

if TYPE_CHECKING:
    import sqlalchemy as sa

NONE = "no incident of this kind is open; `rally-etl alerts list` has those that people were told of"

incidents = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


@incidents.callback()
def listed(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    run_id: Annotated[str, typer.Option("--run", help="Only of this run.", metavar="RUN")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """List open incidents, the newest first.

    Each says what is wrong, what happened to the data, and what to do. It is open until it is resolved.

    Exit codes: 0, also when there are some; 1 failure, 2 wrong use.
    """
    if context.invoked_subcommand:
        return
    from rally_etl.commands.terminal import print_json, printable
    from rally_etl.incidents import read_incidents

    with _engine().connect() as connection:
        found = read_incidents(connection, run_id or None, only_open=not every)
    if as_json:
        print_json({"incidents": [incident.told() for incident in found]})
        return
    for each in found:
        over = f"  resolved by {each.resolved_by}: {each.reason}" if each.resolved_by else ""
        where = "" if each.league == "*" else f"  {each.league}"
        typer.echo(
            f"{each.number:>4}  {each.severity:5}  {each.opened_at:%Y-%m-%d %H:%M} UTC  {each.rule}{where}"
            f"  {f'run {each.run_id}' if each.run_id else 'no run'}{printable(over)}"
        )
        for label, text in (("is", each.what), ("done", each.done), ("to do", each.todo)):
            if text:
                typer.echo(f"      {label:6} {printable(text)}")
    hint = "rally-etl incidents resolve N --by WHO --reason TEXT says that one is over"
    typer.echo(hint if any(each.state != "resolved" for each in found) else NONE, err=True)


@incidents.command("resolve")
def resolve(
    number: Annotated[int, typer.Argument(metavar="N", help="As `rally-etl incidents` lists it.")],
    by: Annotated[str, typer.Option(help="Who says so.", metavar="WHO")],
    reason: Annotated[str, typer.Option(help="Why it is over; goes into the ledger.", metavar="TEXT")],
) -> None:
    """Say that an incident is over.

    Nothing live changes. Who, when and why are kept.

    Exit codes: 0 resolved, 2 no such incident or it is over already, 1 failure.
    """
    from rally_etl.incidents import resolve as close

    if not by.strip() or not reason.strip():
        raise UsageError("an incident is resolved by somebody, for a reason; nothing was written\nhint: --by, --reason")
    with _engine().begin() as connection:
        closed = close(connection, number, by.strip(), reason.strip())
    typer.echo(f"incident {closed.number} is over: {closed.reason}", err=True)


def _engine() -> sa.Engine:
    from rally_etl.database.engine import connect
    from rally_etl.database.schema import init
    from rally_etl.settings import Settings

    engine = connect(Settings.from_env())
    init(engine)
    return engine
