"""`rally-etl compare`: what two scrape folders tell differently."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rally_etl.checks.agreement.scrapes import Pair


def compare(
    first: Annotated[Path, typer.Argument(metavar="DIR", help="A scrape folder, DIR/<LEAGUE>/<kind>.json.")],
    second: Annotated[Path, typer.Argument(metavar="OTHER", help="One of another day or provider.")],
    league: Annotated[
        list[str] | None, typer.Option("--league", help="Only this league; may be given several times.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Compare two scrapes fact by fact, without a database.

    Each file is read as an import reads it. Per kind: how many things are in both, and how much of what both tell is
    told alike, with examples.
    """
    from dataclasses import asdict

    from rally_etl.checks.agreement.scrapes import compare_scrapes
    from rally_etl.commands.terminal import print_json, printable
    from rally_etl.settings import Settings

    pairs = compare_scrapes(Settings.from_env(), first, second, tuple(league or ()))
    if as_json:
        print_json({"first": str(first), "second": str(second), "files": [asdict(pair) for pair in pairs]})
        return
    for pair in pairs:
        for line in _lines(pair):
            typer.echo(printable(line))


def _lines(pair: Pair) -> list[str]:
    name = f"{pair.league}/{pair.kind}"
    if pair.fault:
        return [f"{name}  not compared: {pair.fault}"]
    text = f"{name}  {pair.in_both:,} {pair.things} in both"
    if pair.only_first or pair.only_second:
        text += f", {pair.only_first:,} only in the first, {pair.only_second:,} only in the second"
    lines = [text]
    if any(pair.kept_aside):
        lines.append(f"  records kept aside: {pair.kept_aside[0]:,} and {pair.kept_aside[1]:,}")
    if pair.missing:
        lines.append(f"  only in one: {'; '.join(pair.missing)}")
    for told in pair.fields:
        share = 100 * told.agreeing / told.compared
        example = f"  {told.examples[0]}" if told.examples else ""
        lines.append(f"  {told.field:9} {share:6.2f} % of {told.compared:,} alike{example}")
    return lines
