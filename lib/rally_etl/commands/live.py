"""`rally-etl health`: the live database, now."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from rally_etl import logs


def health(
    detailed: Annotated[bool, typer.Option("--detailed", help="Print the parts and what lowered each.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Score the health of the live database, 0 to 100.

    Exit codes: 0 at 90 and above, 4 from 75 to 90, 3 below 75, 1 failure.
    """
    from rally_etl.commands.terminal import print_json
    from rally_etl.database.engine import connect
    from rally_etl.database.schema import init
    from rally_etl.monitoring import health_live
    from rally_etl.settings import Settings

    settings = Settings.from_env()
    engine = connect(settings)
    init(engine)
    began = time.monotonic()
    found = health_live(engine, settings)
    seconds = time.monotonic() - began
    logs.event("health.looked", score=found["health_score"], level=found["level"], seconds=seconds)
    if as_json:
        print_json(found)
    else:
        typer.echo(f"health {found['health_score']:.1f}  {found['level']}")
        for league, scored in found["leagues"].items():
            typer.echo(f"  {league:14} {scored['health_score']:.1f}")
            for part in scored["parts"] if detailed else ():
                typer.echo(f"    {_told(part)}")
    score = found["health_score"]
    raise typer.Exit(0 if score >= 90 else 3 if score < 75 else 4)


def _told(part: dict) -> str:
    lowered = "; ".join(part.get("detail", ()))
    return f"{part['part']:14} {part['score']:6.1f}  {lowered}".rstrip()
