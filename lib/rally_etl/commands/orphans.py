"""`rally-etl orphans`: rows that have lost what they point at, what is known of them, and the plan that mends them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rally_etl.commands.repair import AsOf, By, DryRun, Reason, Wait

if TYPE_CHECKING:
    import sqlalchemy as sa

    from rally_etl.protection.mending.repair import Repair
    from rally_etl.settings import Settings

SHOWN_ROWS = 10  # of one reference, target and strategy
STATES = ("planned", "asked", "left")

Mend = Annotated[
    bool, typer.Option("--repair", help="Mend what is known, as a run: planned, checked, undone by `undo`.")
]
League = Annotated[str, typer.Option(help="Only this league's rows.", metavar="KEY")]
Every = Annotated[bool, typer.Option("--all", help=f"Print more than {SHOWN_ROWS} rows that become the same.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, messages on stderr.")]


def orphans(
    repair: Mend = False,
    dry_run: DryRun = False,
    league: League = "",
    every: Every = False,
    by: By = None,
    reason: Reason = None,
    as_of: AsOf = "",
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Find or mend rows that lost what they point at.

    \b
    Found are references that point at nothing (dangling) or at a row that was merged into another one (merged), are
    empty and were not (emptied) or point at another thing than before (moved); rows of users that are gone; imported
    rows without the team that they name (unlinked) or with another one (mislinked); missing pairs of the junction
    tables (unpaired); teams that nothing speaks of (unspoken); and what is there twice (doubled).

    \b
    Each row shows what it was, what it would become, and how that is known, the most trusted first:
      answer     a person said so: rally-etl reviews accept
      redirect   the very row was merged into another one
      history    the id stood for a thing of that name, and one live row of the league is that now
      memory     the row pointed at a thing of that name when it was last right
      pattern    club, series and league that the row itself says
      creator    whoever wrote it has one team only
      content    its text names a team or series of the writer
    What is not sure enough (params/orphans.yaml) is asked: `rally-etl reviews` lists the questions, and after an answer
    the next `--repair` mends those rows. A row whose question was rejected stays as it is and is not counted.

    \b
      rally-etl orphans                      look, write nothing
      rally-etl orphans --repair --dry-run   make the plan and check it, publish nothing
      rally-etl orphans --repair             mend what is known; rally-etl undo RUN takes it back

    Exit codes: without --repair 0 when no orphan stands, 3 when some do. With it those of a run: 0 published or nothing
    to repair, 3 NO-GO (nothing was written), 4 held for approval. 1 failure, 2 wrong use, 5 another run holds the lock.
    """
    from rally_etl.commands.terminal import print_json, printable
    from rally_etl.naming import load_leagues
    from rally_etl.settings import Settings

    settings = Settings.from_env()
    key = load_leagues(settings.params_dir).get(league).key if league else ""
    engine, repairs = _look(settings, key)
    document = _document(repairs)
    if not repair:
        if as_json:
            print_json(document)
        else:
            for line in lines_of(repairs, None if every else SHOWN_ROWS):
                typer.echo(printable(line))
            for hint in _hints(document):
                typer.echo(hint, err=True)
        raise typer.Exit(3 if document["found"] > document["left"] else 0)
    if dry_run and not as_json:
        for line in lines_of(repairs, None):
            typer.echo(printable(line))
    if not document["planned"]:
        _ask(engine, repairs, key, dry_run)
        if document["asked"]:
            _print_questions(engine, key)
        typer.echo(f"nothing to repair{_told(document)}", err=as_json)
        if as_json:
            print_json(document | {"run": None})
        raise typer.Exit(0)
    operation = {"kind": "orphans"} | ({"league": key} if key else {})
    run = _run(settings, operation, _leagues_of(repairs, key, engine, settings), dry_run, by, reason, as_of, wait)
    if document["asked"]:
        _print_questions(engine, key)
    if as_json:
        print_json(document | {"run": run})
    raise typer.Exit(run["exit_code"])


def lines_of(repairs: Sequence[Repair], most: int | None) -> Iterator[str]:
    """The findings as text: per reference, rows that become the same with how that is known, then totals."""
    if not repairs:
        yield "no orphan was found"
        return
    for (reference, kind), found in _grouped(repairs, lambda each: (_reference(each), each.orphan.kind)).items():
        target = found[0].orphan.target
        yield f"{reference}{f' -> {target}' if target else ''}  {kind}: {_rows(found)}"
        for (_, becomes, strategy, state, _), same in _grouped(found, _sameness).items():
            confidence = min(each.confidence for each in same)
            rows = ", ".join(each.orphan.row for each in same[:most])
            more = f" and {len(same) - most:,} more (--all)" if most is not None and len(same) > most else ""
            lost = same[0].orphan.was if same[0].orphan.was is not None else "empty" if same[0].orphan.column else "-"
            what = f"{lost}{f' ({same[0].name})' if same[0].name else ''} -> {becomes}"
            how = f"{strategy} {_percent(confidence)}" if strategy else "not known"
            yield f"  {state:8}{what}  {how}  {_rows(same)}: {rows}{more}"
            yield f"          {same[0].evidence}"
    yield _totals(repairs)


def _sameness(repair: Repair) -> tuple[Any, ...]:
    becomes = {"insert": "a row again", "deactivate": "switched off"}.get(repair.action, repair.becomes or "?")
    evidence = repair.evidence if repair.orphan.column else repair.action
    return repair.orphan.was, becomes, repair.strategy, repair.state, evidence


def _grouped(repairs: Iterable[Repair], key: Any) -> dict[Any, list[Repair]]:
    groups: dict[Any, list[Repair]] = {}
    for repair in repairs:
        groups.setdefault(key(repair), []).append(repair)
    return groups


def _reference(repair: Repair) -> str:
    orphan = repair.orphan
    return f"{orphan.table}.{orphan.column}" if orphan.column else orphan.table


def _rows(repairs: Sequence[Repair]) -> str:
    from rally_etl.measures import counted

    return counted(len(repairs), "row")


def _percent(confidence: float) -> str:
    from rally_etl.identity.wording import percent

    return percent(confidence)


def _totals(repairs: Sequence[Repair]) -> str:
    count = Counter(each.state for each in repairs)
    left = f", left {count['left']:,} as a person said" if count["left"] else ""
    return f"found {len(repairs):,}, would repair {count['planned']:,}, would ask {count['asked']:,}{left}"


def _document(repairs: Sequence[Repair]) -> dict[str, Any]:
    """One object per reference and kind, with its rows."""
    count = Counter(each.state for each in repairs)
    references = [
        {
            "reference": reference, "target": target, "kind": kind,
            "rows": [
                {
                    "row": each.orphan.row, "was": each.orphan.was, "had": each.orphan.had, "name": each.name,
                    "league": each.league, "told": each.orphan.told, "action": each.action, "becomes": each.becomes,
                    "strategy": each.strategy, "confidence": each.confidence, "evidence": each.evidence,
                    "candidates": [
                        {"id": one.id, "name": one.name, "strategy": one.strategy, "confidence": one.confidence}
                        for one in each.candidates
                    ],
                    "state": each.state,
                }
                for each in found
            ],
        }
        for (reference, target, kind), found in _grouped(
            repairs, lambda each: (_reference(each), each.orphan.target, each.orphan.kind)
        ).items()
    ]  # fmt: skip
    return {"orphans": references, "found": len(repairs)} | {state: count[state] for state in STATES}


def _hints(document: dict[str, Any]) -> Iterator[str]:
    if document["planned"]:
        yield "hint: rally-etl orphans --repair --dry-run plans the repair, without --dry-run it is made"
    elif document["asked"]:
        yield "hint: rally-etl orphans --repair puts the questions into the queue that `rally-etl reviews` lists"


def _told(document: dict[str, Any]) -> str:
    from rally_etl.measures import counted

    if not document["asked"]:
        return ""
    return f"; {counted(document['asked'], 'row waits', 'rows wait')} for an answer: rally-etl reviews"


def _look(settings: Settings, league: str) -> tuple[sa.Engine, list[Repair]]:
    from rally_etl.database.engine import connect, read_only
    from rally_etl.database.schema import init
    from rally_etl.protection import find_orphans
    from rally_etl.protection.mending.proposals import propose

    engine = connect(settings)
    init(engine)
    with read_only(engine, "public") as connection:
        found = find_orphans(connection, settings, leagues=[league] if league else None)
        return engine, [each for each in propose(connection, settings, found) if not each.is_settled]


def _ask(engine: sa.Engine, repairs: Sequence[Repair], league: str, dry_run: bool) -> None:
    """Bring the queue up to what was found where nothing is to be planned; no run asks it then."""
    from rally_etl.database.locks import run_lock
    from rally_etl.protection.mending.questions import write_questions

    if not dry_run:
        with run_lock(engine, what="orphans"), engine.begin() as connection:
            write_questions(connection, "", repairs, [league] if league else None)


def _leagues_of(repairs: Sequence[Repair], league: str, engine: sa.Engine, settings: Settings) -> list[str]:
    """Leagues whose rows are mended; a row of no known league concerns them all."""
    if league:
        return [league]
    keys = {each.league for each in repairs if each.state == "planned"}
    return [] if "*" in keys else sorted(keys)


def _run(
    settings: Settings,
    operation: dict[str, Any],
    leagues: list[str],
    dry_run: bool,
    by: str | None,
    reason: str | None,
    as_of: str,
    wait: float,
) -> dict[str, Any]:
    from datetime import date

    from rally_etl import runs
    from rally_etl.commands.repair import signed
    from rally_etl.commands.terminal import Terminal
    from rally_etl.errors import UsageError

    try:
        day = date.fromisoformat(as_of) if as_of else None
    except ValueError:
        raise UsageError(f"{as_of!r} is no date; nothing was planned\nhint: write it as 2025-10-01") from None
    asked = operation | signed("a repair", by, reason)
    with Terminal() as terminal:
        document = runs.operate(settings, asked, leagues, dry_run=dry_run, tell=terminal.tell, as_of=day, wait_s=wait)
    terminal.conclude(document)
    return document


def _print_questions(engine: sa.Engine, league: str) -> None:
    """What only a person can answer, with the numbers that `reviews accept` takes."""
    from rally_etl.commands.reviews import lines_of as lines_of_questions
    from rally_etl.database.engine import read_only
    from rally_etl.identity.reviews import ORPHAN, read_open

    with read_only(engine) as connection:
        questions = [each for each in read_open(connection, league or None) if each.review.kind == ORPHAN]
    for line in lines_of_questions(questions, SHOWN_ROWS):
        typer.echo(line, err=True)
