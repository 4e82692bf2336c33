"""`rally-etl merge` and `undo`: plans that an operator makes, without a scrape."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from rally_etl.errors import UsageError

UNSAID = "not said"

By = Annotated[str | None, typer.Option(help="Who asks for it; the user of this machine if not given.", metavar="WHO")]
Reason = Annotated[str | None, typer.Option(help="Why; goes into the ledger.", metavar="TEXT")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Stop before publish: live tables stay as they are.")]
AsOf = Annotated[
    str, typer.Option(help="The day the data is judged by, YYYY-MM-DD; today if not given.", metavar="DATE")
]
Wait = Annotated[float, typer.Option(help="Seconds to wait for a run that is going on.", metavar="SECONDS", min=0)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the run's JSON document on stdout, messages on stderr.")]


def merge(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="teams, clubs, series or players.")],
    row: Annotated[int, typer.Argument(metavar="ID", help="The row that goes.")],
    word: Annotated[str, typer.Argument(metavar="INTO", help="The word INTO.")],
    other: Annotated[int, typer.Argument(metavar="ID", help="The row that stays.")],
    by: By = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_of: AsOf = "",
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Make two live rows that are one thing one.

    Everything that refers to the first row refers to the second from then on, users' rows too; the old name becomes an
    alias, and the first row stays as one that nothing refers to. A run like any other: planned, checked, decided,
    published at once, and taken back by `undo`.

    Exit codes: 0 published, 3 NO-GO (nothing was written), 4 held for approval, 1 failure, 2 these rows cannot be
    merged (why is said), 5 another run holds the lock.
    """
    if word.upper() != "INTO":
        raise UsageError(
            f"{word!r} stands where INTO should; nothing was planned\nhint: rally-etl merge {table} {row} INTO {other}"
        )
    asked = {"kind": "merge", "table": table.lower(), "from": row, "into": other}
    _operate(asked | signed("a merge", by, reason), dry_run, as_of, wait, as_json)


def undo(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="As `rally-etl runs` lists it.")],
    league: Annotated[
        list[str] | None,
        typer.Option("--league", help="Only this league's part of an import; may be repeated.", metavar="KEY"),
    ] = None,
    by: By = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_of: AsOf = "",
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Take a published run back, or one league's part of an import.

    What the run wrote returns to what it was, column by column. What somebody has changed since stays and is listed.
    What the run made goes, unless something that stays refers to it: then it stays too, switched off where it can be,
    and is listed with what refers to it. Where a later run has changed the same columns, or its rows point at what
    would go, nothing is planned and that run is named: undo it first. An undo is a run like any other, all of it or
    nothing, and can be undone itself: then everything is back under the ids that it had.

    Exit codes: 0 published, 3 NO-GO (nothing was written), 4 held for approval, 1 failure, 2 this run cannot be taken
    back (why is said), 5 another run holds the lock.
    """
    asked = {"kind": "undo", "run": run_id} | ({"leagues": list(league)} if league else {})
    _operate(asked | signed("an undo", by, reason), dry_run, as_of, wait, as_json)


def signed(what: str, by: str | None, reason: str | None) -> dict[str, str]:
    """Who asks for it and why.

    Raises:
        UsageError: one of them is empty.
    """
    by, reason = (_user() if by is None else by).strip(), (UNSAID if reason is None else reason).strip()
    if not by or not reason:
        raise UsageError(f"{what} needs a name and a reason; nothing was planned\nhint: --by WHO --reason TEXT")
    return {"by": by, "reason": reason}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in some containers
        return UNSAID


def _operate(operation: dict[str, Any], dry_run: bool, as_of: str, wait: float, as_json: bool) -> None:
    from datetime import date

    from rally_etl import runs
    from rally_etl.commands.terminal import Terminal, print_json
    from rally_etl.settings import Settings

    try:
        day = date.fromisoformat(as_of) if as_of else None
    except ValueError:
        raise UsageError(f"{as_of!r} is no date; nothing was planned\nhint: write it as 2025-10-01") from None
    with Terminal() as terminal:
        document = runs.operate(
            Settings.from_env(), operation, dry_run=dry_run, tell=terminal.tell, as_of=day, wait_s=wait
        )
    terminal.conclude(document)
    if as_json:
        print_json(document)
    raise typer.Exit(document["exit_code"])
