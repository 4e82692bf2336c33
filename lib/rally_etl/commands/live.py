"""`rally-etl health`: the live database, now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rally_etl import logs

if TYPE_CHECKING:
    import sqlalchemy as sa

WORTH_DOING = 8
"""Recommendations that are printed; ``--json`` has all."""


def health(
    detailed: Annotated[bool, typer.Option("--detailed", help="Print what lowers each part, and what to do.")] = False,
    league: Annotated[str, typer.Option(help="Only this league.", metavar="KEY")] = "",
    as_of: Annotated[str, typer.Option(help="The day that counts as today.", metavar="DATE")] = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask all checks anew, also what cannot have changed.")] = False,
    alert: Annotated[bool, typer.Option("--alert", help="Tell people below 90, and when it is good again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Score the health of the live database, 0 to 100.

    The score is that of the worst league. docs/health.md says how it is made, params/health.yaml what counts.

    Exit codes: 0 at 90 and above, 4 from 75 to 90, 3 below 75, 1 failure, 2 wrong use.
    """
    from datetime import date

    from rally_etl.commands.terminal import print_json
    from rally_etl.database.engine import connect
    from rally_etl.errors import UsageError
    from rally_etl.monitoring import health_live
    from rally_etl.settings import Settings

    try:
        day = date.fromisoformat(as_of) if as_of else None
    except ValueError:
        raise UsageError(f"{as_of!r} is no date; nothing was looked at\nhint: write it as 2025-10-01") from None
    settings = Settings.from_env()
    engine = connect(settings)
    _prepare(engine)
    began = time.monotonic()

    def tell(text: str) -> None:
        typer.echo(text, err=True)

    found = health_live(engine, settings, day, league=league, fresh=fresh, tell=tell)
    seconds = time.monotonic() - began
    logs.event("health.looked", score=found["health_score"], level=found["level"], seconds=seconds)
    if as_json:
        print_json(found)
    else:
        for line in lines_of(found, detailed=detailed):
            typer.echo(line)
    if alert:
        from rally_etl.alerts import after_look

        after_look(engine, settings, found)
    score = found["health_score"]
    raise typer.Exit(0 if score >= 90 else 3 if score < 75 else 4)


def _prepare(engine: sa.Engine) -> None:
    """Bring the ledger up to date; a look at live does without one that is not there or cannot be written."""
    import sqlalchemy as sa

    from rally_etl.database.engine import clean_message
    from rally_etl.database.schema import init
    from rally_etl.errors import RallyEtlError

    try:
        init(engine)
    except (RallyEtlError, sa.exc.DBAPIError) as error:
        told = " ".join(str(error).splitlines()) if isinstance(error, RallyEtlError) else clean_message(error)
        typer.echo(f"the ledger cannot be written ({told}); live is looked at without it", err=True)


def lines_of(found: dict[str, Any], *, detailed: bool) -> Iterator[str]:
    """What an operator reads of a document of ``health --json``."""
    from rally_etl.commands.terminal import printable

    yield f"health {found['health_score']:.1f}  {found['level']}"
    if not found["leagues"]:
        yield from (f"  {printable(text)}" for text in found["missing"])
    for league, scored in found["leagues"].items():
        why = "" if detailed else printable(_why(scored))
        yield f"  {league:14} {scored['health_score']:5.1f}  {scored['level']:8}  {why}".rstrip()
        if detailed:
            yield from _parts(scored)
    for league, texts in found.get("unusual", {}).items():
        yield from (f"  {league:14} unusual: {printable(text)}" for text in texts)
    if detailed and (advice := found["recommendations"]):
        yield ""
        yield "to do, what wins most first"
        for number, each in enumerate(advice[:WORTH_DOING], start=1):
            wins = f"+{each['points']:.1f}" if each["points"] else "with others"
            yield f"{number:>3}  {wins:>11}  {printable(each['what'])}{_where(each)}"
            yield f"{'':18}{printable(each['todo'])}"
            yield f"{'':18}{printable(each['command'])}"
        if (left := len(advice) - WORTH_DOING) > 0:
            yield f"and {left} more: rally-etl health --json"


def _why(scored: dict[str, Any]) -> str:
    """What decides the score, in a few words."""
    caps = [cap for cap in scored["caps"] if cap["score"] < scored["without_caps"]]
    if caps:
        return f"held at {caps[0]['score']:g} by {caps[0]['told']}"
    lowered = [each for part in scored["parts"] for each in part["lowered"]]
    worst = max(lowered, key=lambda each: each["points"], default=None)
    return f"most by {worst['told']}" if worst else ""


def _points(part: dict[str, Any]) -> float:
    return sum(each["points"] for each in part["lowered"])


def _parts(scored: dict[str, Any]) -> Iterator[str]:
    from rally_etl.commands.terminal import printable

    for cap in scored["caps"]:
        yield f"    {'at most ' + format(cap['score'], 'g'):14}         {printable(cap['told'])}"
        yield f"{'':27}{printable(cap['why'])}"
    told = {cap["told"] for cap in scored["caps"]}
    for part in scored["parts"]:
        lost = f"-{_points(part):.1f}" if part["lowered"] else ""
        details = [_detail(part, each, told) for each in part["lowered"]] or part["detail"] or [""]
        yield f"    {part['part']:14} {part['score']:5.1f} {lost:>6}  {printable(details[0])}".rstrip()
        yield from (f"{'':34}{printable(text)}" for text in details[1:])


def _detail(part: dict[str, Any], lowered: dict[str, Any], told: set[str]) -> str:
    """What lowers a part: a finding that a cap has told already by its name, its points where it is not alone."""
    from rally_etl.monitoring.health import shown

    text = lowered["check"] if lowered["told"] in told else lowered["told"]
    return f"{text} (-{shown(lowered['points'])})" if len(part["lowered"]) > 1 else text


def _where(advice: dict[str, Any]) -> str:
    leagues = advice["leagues"]
    return f"  [{', '.join(leagues)}]" if leagues else ""
