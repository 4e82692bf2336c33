"""`rally-etl guard`: somebody else's importer under protection."""

from __future__ import annotations

from typing import Annotated

import typer

from rally_etl.commands.repair import AsJson, AsOf, By, Reason, Wait, signed
from rally_etl.errors import UsageError


def guard(
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND…", help="The importer and its arguments, after two dashes.")
    ],
    tables: Annotated[
        list[str] | None,
        typer.Option(
            help="Guard this table and what it refers to; may be repeated. All if not given.", metavar="TABLE"
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            help="Stop the command after so long; params/guard.yaml if not given.", metavar="SECONDS", min=0.1
        ),
    ] = None,
    old_ids: Annotated[
        bool, typer.Option("--old-ids", help="What it brought comes under the old ids, whatever is preserved.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Rehearse: run the command, say what would be kept, and put all back.")
    ] = False,
    by: By = None,
    reason: Reason = None,
    as_of: AsOf = "",
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Run somebody else's importer under protection.

    A snapshot of imported and user tables is taken, the command runs, and the two states are compared. Ids that the
    command issued anew are found again by names, persons and rosters. Where nearly all ids are preserved, the command's
    rows may stay and rows of users follow them; else the old ids stay, and what the command brought comes under them,
    as an import would bring it: whichever changes less. What users had comes back. Then checks and gate decide.

    A command that fails, takes too long, or alters a table is taken back at once; so is one that the gate refuses. What
    it brought under the old ids may be held for approval; where its own rows stay nothing is left pending, and HOLD is
    NO-GO (then: --old-ids). A guard that is killed is put back by the next start of anything.

    Users should not write meanwhile: rows that they add are kept, rows that they change are put back and set aside.

    Exit codes: 0 taken over, 3 NO-GO (the database is at its snapshot), 4 held for approval, 1 failure, 2 wrong use,
    5 another run holds the lock.
    """
    from datetime import date

    from rally_etl import guarding
    from rally_etl.commands.terminal import Terminal, print_json
    from rally_etl.settings import Settings

    try:
        day = date.fromisoformat(as_of) if as_of else None
    except ValueError:
        raise UsageError(f"{as_of!r} is no date; nothing was run\nhint: write it as 2025-10-01") from None
    order = guarding.Order(
        command=tuple(command),
        tables=tuple(tables or ()),
        timeout_s=timeout,
        old_ids=old_ids,
        dry_run=dry_run,
        wait_s=wait,
        **signed("a guard", by, reason),
    )
    with Terminal() as terminal:
        document = guarding.guard(Settings.from_env(), order, terminal.tell, day)
    terminal.conclude(document)
    if as_json:
        print_json(document)
    raise typer.Exit(document["exit_code"])
