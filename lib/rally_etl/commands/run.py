"""`rally-etl run` and `approve`: import a scrape, publish what was held."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rally_etl.commands.repair import Wait
from rally_etl.commands.repairs import before_import
from rally_etl.errors import UsageError

if TYPE_CHECKING:
    from rally_etl.runs import Order
    from rally_etl.settings import Settings

PARAMS_KEYS = ("source", "leagues", "as_of", "dry_run")


def run(
    source: Annotated[
        Path | None, typer.Option(help="The scrape folder: DIR/<LEAGUE>/<kind>.json.", metavar="DIR")
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="The next week of a made-up season, with made-up users.")
    ] = False,
    league: Annotated[list[str] | None, typer.Option(help="Only this league; may be repeated.", metavar="KEY")] = None,
    params: Annotated[
        Path | None, typer.Option(help="YAML with source, leagues, as_of, dry_run.", metavar="FILE")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Stop before publish: live tables stay as they are.")
    ] = False,
    as_of: Annotated[
        str, typer.Option(help="The day the data is judged by, YYYY-MM-DD; today if not given.", metavar="DATE")
    ] = "",
    resume: Annotated[
        str, typer.Option(help="Go on with a run that died, from its first stage that is not sealed.", metavar="RUN")
    ] = "",
    wait: Wait = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document on stdout, messages on stderr.")
    ] = False,
) -> None:
    """Import a scrape and publish the leagues that are GO.

    Six notebooks run in this order: baseline, import, validation, integration, monitoring, gate.

    A run that dies leaves live rows as they were, or as the plan of each league says; the next start of anything closes
    and cleans it. --resume goes on with it, if source, params, product and live are what they were; else it names what
    differs, exits with 2 and changes nothing.

    Exit codes: 0 every league GO, 3 at least one NO-GO (its rows were not published), 4 at least one HOLD (see
    approve), 1 failure, or published and taken back, 2 wrong use, 5 another run holds the lock; stopped: 130 by Ctrl-C,
    143 by SIGTERM.
    """
    from rally_etl import resuming, runs
    from rally_etl.commands.terminal import Terminal, print_json
    from rally_etl.settings import Settings

    settings = Settings.from_env()
    with Terminal() as terminal:
        if resume:
            _refuse_beside_resume(source, sample, league, params, dry_run, as_of)
            document = resuming.resume(settings, resume, wait, terminal.tell)
        else:
            order = _order(settings, source, sample, tuple(league or ()), params, dry_run, as_of, wait)
            before_import(settings, terminal, order.dry_run, order.as_of, wait)
            document = runs.run(settings, order, terminal.tell)
        if sample and any(league["published"] for league in document["leagues"].values()):
            _add_sample_users(settings)
    terminal.conclude(document)
    if as_json:
        print_json(document)
    raise typer.Exit(document["exit_code"])


def _refuse_beside_resume(*given: object) -> None:
    if any(given):
        raise UsageError(
            "a run that is resumed keeps its source, leagues, day and params; nothing was read\n"
            "hint: --resume RUN alone, with --wait and --json if need be"
        )


def approve(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="As `rally-etl runs` lists it.")],
    by: Annotated[str, typer.Option(help="Who approves.", metavar="WHO")],
    reason: Annotated[str, typer.Option(help="Why it may be published.", metavar="TEXT")],
    league: Annotated[list[str] | None, typer.Option(help="Only this league; may be repeated.", metavar="KEY")] = None,
    wait: Wait = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run's JSON document on stdout.")] = False,
) -> None:
    """Publish what a run holds for approval.

    Nothing is written unless the live rows still are the ones that the plan was made from. What others then do not see
    as planned is taken back at once.

    Exit codes: 0 published, 3 refused (the plan no longer fits; nothing was written), 4 others hold what is to be
    written (the plan waits on), 1 failure, or published and taken back, 2 nothing is held, 5 another run holds the
    lock.
    """
    from rally_etl import runs
    from rally_etl.commands.terminal import Terminal, print_json
    from rally_etl.settings import Settings

    if not by.strip() or not reason.strip():
        raise UsageError("an approval needs a name and a reason; nothing was published\nhint: --by WHO --reason TEXT")
    settings = Settings.from_env()
    asked: list[str] = []
    with Terminal() as terminal:

        def tell(label: str, text: str) -> None:
            asked.append(label)
            terminal.tell(label, text)

        document = runs.approve(settings, run_id, by.strip(), reason.strip(), tuple(league or ()), tell, wait)
    leagues = [key for key in document["leagues"] if key in asked]
    terminal.conclude(document)
    if as_json:
        print_json(document)
    raise typer.Exit(_approved_code([document["leagues"][key] for key in leagues], document["exit_code"]))


def _approved_code(leagues: list[dict[str, Any]], run_code: int | None = None) -> int:
    """Of an approval.

    0: all that were asked for are published and verified, 1: something could not be done, or live was not as planned,
    3: not all are published, 4: none is refused, but others hold what is to be written.
    """
    if run_code == 1 or any(reason["stage"] == "verify" for found in leagues for reason in found["reasons"]):
        return 1
    if all(found["published"] for found in leagues):
        return 0
    return 4 if all(found["published"] or found.get("state") == "held" for found in leagues) else 3


def _order(
    settings: Settings, source: Path | None, sample: bool, leagues: tuple[str, ...], params: Path | None, dry_run: bool,
    as_of: str, wait: float,
) -> Order:  # fmt: skip
    """The order from options and params file; an option wins over the file."""
    from datetime import UTC, date, datetime

    from rally_etl.runs import Order

    given = _read_params(params) if params else {}
    source = source or (Path(given["source"]) if "source" in given else None)
    if sample == bool(source):
        raise UsageError(
            "a run needs one source; nothing was read\nhint: --source DIR, or --sample for a made-up season"
        )
    day = as_of or str(given.get("as_of", ""))
    if sample:
        from rally_etl.sample.weeks import next_week

        source, sample_day = next_week(settings)
        source = source.relative_to(Path.cwd()) if source.is_relative_to(Path.cwd()) else source
        day = day or sample_day.isoformat()
    try:
        judged_on = date.fromisoformat(day) if day else datetime.now(UTC).date()
    except ValueError:
        raise UsageError(f"{day!r} is no date; nothing was read\nhint: write it as 2025-10-01") from None
    return Order(
        source=source,
        leagues=leagues or tuple(given.get("leagues", ())),
        as_of=judged_on,
        dry_run=dry_run or given.get("dry_run", False),
        wait_s=wait,
    )


def _read_params(path: Path) -> dict:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        given = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise UsageError(
            f"{path} cannot be read: {str(error).splitlines()[0]}; nothing was read\n"
            f"hint: YAML with {', '.join(PARAMS_KEYS)}"
        ) from None
    unknown = sorted(set(given) - set(PARAMS_KEYS)) if isinstance(given, dict) else ["a list or text at the top"]
    if unknown:
        raise UsageError(
            f"{path} holds {', '.join(unknown)}; nothing was read\nhint: its keys are {', '.join(PARAMS_KEYS)}"
        )
    if not isinstance(given.get("leagues", []), list) or not isinstance(given.get("dry_run", False), bool):
        raise UsageError(
            f"{path}: leagues is a list, dry_run is true or false; nothing was read\nhint: leagues: [NSTF]"
        )
    return given


def _add_sample_users(settings: Settings) -> None:
    from rally_etl.database.engine import connect
    from rally_etl.sample.users import users

    users(connect(settings))
