"""`rally-etl check`: ask the checks of live or of a candidate, write a new one, prove them."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from rally_etl.errors import UsageError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from rally_etl.checks import CheckResult
    from rally_etl.checks.selection import Selection
    from rally_etl.settings import Settings

SHOWN_ROWS = 3
NOT_PROVED = 3  # as a check that failed

check = typer.Typer(invoke_without_command=True)


@check.callback()
def ask(
    context: typer.Context,
    changed: Annotated[
        bool,
        typer.Option("--changed", help="Only checks that read what the run changes, or what refers to it."),
    ] = False,
    run: Annotated[
        str,
        typer.Option(metavar="RUN", help="Ask of this run's candidate; with --changed of live, if published."),
    ] = "",
    league: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Only this league; may be given again.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--check", metavar="NAME", help="Only this check, as teams/name_is_unique; may be given again."),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Ask live everything anew, also what cannot have changed since."),
    ] = False,
    keys: Annotated[bool, typer.Option("--keys", help="Print the key of every failing row, one a line.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Run every check on the live tables or a candidate.

    What is wrong is told first: the statement that is not true, how many rows and how many are tolerated, why it
    matters, how to mend it, and three of the rows. --changed without --run takes the newest run that was published.

    An answer of an earlier look at live is taken again as long as every row that its check reads is still the same.

    Exit codes: 0 no check of severity error failed, 3 one failed or could not run, 2 wrong use, 1 failure.
    """
    if context.invoked_subcommand:
        return
    from rally_etl.checks.selection import Selection
    from rally_etl.commands.terminal import print_json
    from rally_etl.database.engine import connect
    from rally_etl.database.schema import init
    from rally_etl.settings import Settings

    settings = Settings.from_env()
    engine = connect(settings)
    init(engine)
    selection = Selection(frozenset(league or ()), frozenset(name or ()))
    results = _ask(engine, settings, selection, run, changed, fresh)
    if as_json:
        print_json({"checks": [result.as_json() for result in results]})
    elif keys:
        for result in results:
            for key in result.keys.all():
                typer.echo(f"{result.league}\t{result.check}\t{key}")
    else:
        _print(results)
    blocking = [result for result in results if result.severity == "error" and result.blocks]
    raise typer.Exit(3 if blocking else 0)


@check.command()
def new(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The imported table whose rows are checked.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="What should be true: name_is_unique.")],
) -> None:
    """Write a check and its proof from templates.

    params/checks/TABLE/NAME.sql holds a query that runs; tests/checks/TABLE/NAME.yaml fails until it is written.

    Exit codes: 0 both are written, 2 no such table, no name, or a file is there already.
    """
    from rally_etl.checks.drafting import draft
    from rally_etl.settings import Settings

    query, proof = draft(Settings.from_env(), table, name)
    typer.echo(f"{query}\n{proof}")
    typer.echo(
        "next: say in the query's header what is true, why it matters and how to mend it; write the query;\n"
        f"      put rows into the proof; then `rally-etl check prove {table}/{name}` until it says proved,\n"
        f"      and `rally-etl check --check {table}/{name}` for what it finds in live",
        err=True,
    )


@check.command()
def prove(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]…", help="Checks as teams/name_is_unique; none is all.")
    ] = None,
) -> None:
    """Try checks on the rows of their proofs, in a database of their own.

    Each row under `failing` of tests/checks/TABLE/NAME.yaml must be found, and none under `passing`.

    Exit codes: 0 all are proved, 3 at least one is not, 2 no such check or a file that cannot be read.
    """
    from rally_etl.checks.proofs import prove_all
    from rally_etl.measures import counted
    from rally_etl.settings import Settings

    faults = prove_all(Settings.from_env(), names or ())
    for each, found in faults.items():
        for fault in found:
            typer.echo(f"not proved  {each}: {fault}")
    wrong = sum(bool(found) for found in faults.values())
    typer.echo(f"{counted(len(faults) - wrong, 'check')} proved" + (f", {wrong:,} not" if wrong else ""))
    raise typer.Exit(NOT_PROVED if wrong else 0)


def _ask(
    engine: sa.Engine, settings: Settings, selection: Selection, run: str, changed: bool, fresh: bool
) -> list[CheckResult]:
    """The results, worst first."""
    from rally_etl.checks import check_candidate, check_live
    from rally_etl.checks.results import OUTCOMES
    from rally_etl.checks.suite import has_candidate, newest_published

    if run and has_candidate(engine, run):
        results = check_candidate(engine, settings, run, selection, only_changed=changed)
    elif run and not changed:
        raise UsageError(
            f"run {run} has no candidate any more; nothing was checked\n"
            f"hint: `rally-etl check` asks of live; `rally-etl check --changed --run {run}` only what that run changed"
        )
    else:
        by = (run or newest_published(engine)) if changed else ""
        results = check_live(engine, settings, selection=selection, changed_by=by, remember=True, fresh=fresh)
    return sorted(results, key=lambda result: (OUTCOMES.index(result.outcome), result.check, result.league))


def _print(results: list[CheckResult]) -> None:
    """What is not as it should be, each with what to do; then how many there are of each outcome."""
    from rally_etl.checks.remembered import told_remembered
    from rally_etl.commands.terminal import printable

    wrong = [result for result in results if result.outcome not in ("passed", "skipped")]
    for _, found in groupby(wrong, key=lambda result: (result.outcome, result.check)):
        for result in found:
            told = f"{result.outcome:8} {result.severity:6} {result.league:14} {result.check}  {_count(result)}"
            typer.echo(told.rstrip())
            lines = [result.error] if result.error else []
            for line in lines + [_row(row) for row in result.sample[:SHOWN_ROWS]]:
                typer.echo(f"           {printable(line)}")
        for label, text in (
            ("true", result.title),
            ("why", result.why),
            ("mend", result.mend),
            ("owner", result.owner),
        ):
            typer.echo(f"         {label:6}{printable(text)}".rstrip())
    reasons = Counter(result.error or "" for result in results if result.outcome == "skipped")
    for reason, number in reasons.items():
        typer.echo(f"skipped  {number:,}: {reason}")
    if told := told_remembered(results):
        typer.echo(f"{told}; --fresh asks them anew")
    outcomes = Counter(result.outcome for result in results)
    typer.echo(", ".join(f"{number:,} {outcome}" for outcome, number in outcomes.items()) or "nothing was asked")


def _count(result: CheckResult) -> str:
    from rally_etl.measures import counted

    if result.failing_rows is None:
        return ""
    return f"{counted(result.failing_rows, 'row')}, {result.threshold:,.0f} tolerated"


def _row(row: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())
