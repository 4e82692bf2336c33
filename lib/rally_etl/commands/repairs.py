"""`rally-etl repair`: what `params/repairs.yaml` lets be mended, done; and what waits for a person, listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rally_etl.commands.repair import AsOf, By, Reason, Wait
from rally_etl.errors import RallyEtlError, UsageError

if TYPE_CHECKING:
    from rally_etl.commands.terminal import Terminal
    from rally_etl.settings import Settings

Only = Annotated[
    list[str] | None, typer.Option("--problem", help="Only this problem; may be repeated.", metavar="NAME")
]
Again = Annotated[
    str, typer.Option(help="Mend of this problem what somebody has taken back, too; needs --by.", metavar="NAME")
]


def repair(
    problem: Only = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look: nothing is written, no run is made.")] = False,
    again: Again = "",
    by: By = None,
    reason: Reason = None,
    as_of: AsOf = "",
    wait: Wait = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document on stdout, messages on stderr.")
    ] = False,
) -> None:
    """Mend known problems as params/repairs.yaml says.

    That file says which of them are mended without asking and how much at once, which are planned and wait for an
    approval, which are only listed, and who has decided that. Each problem is a run of its own: planned, checked,
    decided, with a report; `undo` takes it back. What somebody has taken back is left alone from then on, until
    somebody says --again. A second call finds nothing to do.

    \b
      rally-etl repair --dry-run    what is found, and what would be done; writes nothing
      rally-etl repair              do it; suits a schedule

    Exit codes: 0 nothing is left to do but what is never mended or was taken back, 3 a repair was refused (nothing of
    it was written), 4 one waits for an approval, 1 failure, 2 wrong use, 5 another run holds the lock.
    """
    from datetime import date

    from rally_etl import repairing
    from rally_etl.commands.repair import signed
    from rally_etl.commands.terminal import Terminal, print_json, printable
    from rally_etl.settings import Settings

    try:
        day = date.fromisoformat(as_of) if as_of else None
    except ValueError:
        raise UsageError(f"{as_of!r} is no date; nothing was planned\nhint: write it as 2025-10-01") from None
    if again and (not by or not reason):
        raise UsageError(
            f"--again {again} needs a name and a reason; nothing was planned\nhint: --by WHO --reason TEXT"
        )
    with Terminal() as terminal:
        document = repairing.repair(
            Settings.from_env(), problems=problem or (), dry_run=dry_run, again=again,
            signed=signed("a repair", by, reason) if again else None, as_of=day, wait_s=wait, tell=terminal.tell,
            conclude=terminal.conclude,
        )  # fmt: skip
    if as_json:
        print_json(document)
    else:
        for line in repairing.lines_of(document):
            typer.echo(printable(line))
    raise typer.Exit(document["exit_code"])


def before_import(settings: Settings, terminal: Terminal, dry_run: bool, day: Any, wait: float) -> None:
    """Repair first where `params/repairs.yaml` says so; whatever becomes of that, the import goes on.

    Raises:
        UsageError: the file cannot be read.
        RunLocked: another run works on this database.
    """
    from rally_etl import repairing
    from rally_etl.errors import RunLocked
    from rally_etl.protection.automatic.policy import read_policies

    if dry_run or not read_policies(settings.params_dir).before_imports:
        return
    try:
        found = repairing.repair(settings, as_of=day, wait_s=wait, tell=terminal.tell)
    except (UsageError, RunLocked):
        raise
    except RallyEtlError as error:
        terminal.tell("repair", f"not done: {' '.join(str(error).splitlines())}")
        return
    for line in repairing.lines_of(found) if found["problems"] else ():
        terminal.tell("repair", " ".join(line.split()))
