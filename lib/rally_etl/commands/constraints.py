"""`rally-etl constraints`: what is missing or wrong in the constraints of the database, and a run that mends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from rally_etl.commands.repair import AsJson, AsOf, By, DryRun, Reason, Wait
from rally_etl.errors import UsageError

if TYPE_CHECKING:
    from rally_etl.protection.constraints.keys import Finding

Repair = Annotated[bool, typer.Option("--repair", help="Mend what is wrong, as a run that `undo` takes back.")]


def constraints(
    repair: Repair = False,
    dry_run: DryRun = False,
    by: By = None,
    reason: Reason = None,
    as_of: AsOf = "",
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Find or mend what is wrong with the constraints.

    What is needed stands in params/constraints.yaml; names and order of columns do not matter. --repair is a run: rows
    that are one with certainty become one, a person is asked about the others, what forbids what is true is dropped,
    and what is missing is added after the publish. Rows of users are re-pointed, never folded. With --dry-run all of it
    is planned and checked, and nothing is published, added or dropped.

    Exit codes: 0 nothing of severity error is wrong (--repair: published), 3 something is (--repair: NO-GO, nothing was
    written), 4 held for approval, 1 failure, 2 wrong use, 5 another run holds the lock.
    """
    from datetime import date

    from rally_etl import runs
    from rally_etl.commands.repair import signed
    from rally_etl.commands.terminal import Terminal, print_json, printable
    from rally_etl.database.engine import connect, read_only
    from rally_etl.database.schema import init
    from rally_etl.protection.constraints.keys import find_constraints
    from rally_etl.protection.constraints.plan import changes_of, has_leagues, mend_empty
    from rally_etl.settings import Settings

    try:
        day = date.fromisoformat(as_of) if as_of else None
    except ValueError:
        raise UsageError(f"{as_of!r} is no date; nothing was planned\nhint: write it as 2025-10-01") from None
    settings = Settings.from_env()
    engine = connect(settings)
    init(engine)

    def find() -> list[Finding]:
        with read_only(engine) as connection:
            return find_constraints(connection, settings)

    found = find()
    if not repair:
        if as_json:
            print_json({"findings": [each.as_row() for each in found]})
        else:
            for line in lines_of(found):
                typer.echo(printable(line))
            if any(not each.mend.startswith("nothing") for each in found):
                typer.echo("hint: rally-etl constraints --repair --dry-run plans what would be done", err=True)
        raise typer.Exit(3 if any(each.severity == "error" for each in found) else 0)
    if not has_leagues(engine):
        problems = [] if dry_run else mend_empty(engine, settings)
        for problem in problems:
            typer.echo(f"error: {problem}", err=True)
        document = {"exit_code": 1 if problems else 0, "run_id": None}
    else:
        operation = {"kind": "constraints"} | signed("a repair", by, reason)
        with Terminal() as terminal:
            document = runs.operate(settings, operation, dry_run=dry_run, tell=terminal.tell, as_of=day, wait_s=wait)
        terminal.conclude(document)
        for told in changes_of(engine, document["run_id"]):
            typer.echo(printable(told), err=True)
    left = find()
    if as_json:
        print_json(document | {"findings": [each.as_row() for each in left]})
    else:
        for line in lines_of(left):
            typer.echo(printable(line))
    raise typer.Exit(document["exit_code"])


def lines_of(findings: Iterable[Finding]) -> Iterator[str]:
    """The findings as text: what is wrong, why it matters, what a repair would do."""
    empty = True
    for each in findings:
        empty = False
        yield f"{each.severity:6}{each.kind:13}{each.told}"
        yield f"      why:    {each.why}"
        yield f"      repair: {each.mend}"
    if empty:
        yield "no constraint is missing or wrong"
