"""`rally-etl names`: any spelling to the league's standard, and live names brought to it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rally_etl.commands.repair import Wait
from rally_etl.errors import UsageError

if TYPE_CHECKING:
    from rally_etl.naming import League, Leagues, Standard
    from rally_etl.settings import Settings

NOT_ALL_READ = 4  # as for a run that is held: a person has to look

names = typer.Typer(help="The standard spelling of teams and series.", no_args_is_help=True)


@names.command()
def standardise(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The league, by any spelling of its key.")],
    printed: Annotated[list[str], typer.Argument(metavar="NAME…", help="Printed names; - reads them from stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Print the standard of teams and series.

    For each name its standard and the format it was printed in. A name that is not read is never guessed: similar
    standards are listed beside it. Stdin is read one name per line; no database is asked.

    Exit codes: 0 every name is read, 4 at least one is not, 2 no such league.
    """
    from rally_etl.naming import standard_of

    league = _league(_leagues(), key)
    found = [standard_of(league, name) for name in _all(printed)]
    if as_json:
        from rally_etl.commands.terminal import print_json

        print_json({"league": league.key, "names": [_document(each) for each in found]})
    else:
        for each in found:
            typer.echo(_told(each))
    raise typer.Exit(0 if all(each.standard for each in found) else NOT_ALL_READ)


@names.command()
def normalise(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The league, by any spelling of its key.")],
    by: Annotated[str, typer.Option(help="Who asks for it.", metavar="WHO")],
    reason: Annotated[str, typer.Option(help="Why.", metavar="TEXT")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Stop before publish: live tables stay as they are.")
    ] = False,
    wait: Wait = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run's JSON document on stdout.")] = False,
) -> None:
    """Bring live names of a league to its standard.

    A run like any other: planned, checked, decided by the gate, undone by `undo`. Ids and practice rows stay; names
    that cannot be read, and rows that would become one, are left alone and listed.

    Exit codes: 0 published, 3 NO-GO (nothing was written), 4 held for approval, 1 failure, 2 no such league,
    5 another run holds the lock.
    """
    if not by.strip() or not reason.strip():
        raise UsageError("normalising needs a name and a reason; nothing was planned\nhint: --by WHO --reason TEXT")
    from rally_etl import runs
    from rally_etl.commands.terminal import Terminal, print_json

    settings = _settings()
    league = _league(_leagues(settings), key)
    operation = {"kind": "normalise", "league": league.key, "by": by.strip(), "reason": reason.strip()}
    with Terminal() as terminal:
        document = runs.operate(settings, operation, dry_run=dry_run, tell=terminal.tell, wait_s=wait)
    terminal.conclude(document)
    if as_json:
        print_json(document)
    raise typer.Exit(document["exit_code"])


def _settings() -> Settings:
    from rally_etl.settings import Settings

    return Settings.from_env()


def _leagues(settings: Settings | None = None) -> Leagues:
    from rally_etl.naming import load_leagues

    return load_leagues((settings or _settings()).params_dir)


def _league(leagues: Leagues, key: str) -> League:
    """The league of a key.

    Raises:
        UsageError: no params file describes it; lists those that one does.
    """
    if leagues.canonical(key) is None:
        raise UsageError(
            f"{key!r} is no league with a standard; nothing was read\nhint: one of {', '.join(leagues.keys())}"
        )
    return leagues.get(key)


def _all(printed: list[str]) -> list[str]:
    lines = [line.rstrip("\r\n") for line in sys.stdin] if "-" in printed else []
    return [name for each in printed for name in ([line for line in lines if line.strip()] if each == "-" else [each])]


def _told(found: Standard) -> str:
    if found.standard:
        series = f", {found.series}" if found.kind == "team" else ""
        return f"{found.printed} → {found.standard}{series}  [{found.format}]"
    similar = f"; similar: {', '.join(found.suggestions)}" if found.suggestions else ""
    return f"{found.printed} → not read: {found.why}{similar}"


def _document(found: Standard) -> dict[str, Any]:
    return {name: value for name, value in asdict(found).items() if name != "league"}
