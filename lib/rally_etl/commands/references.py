"""`rally-etl references`: every path from a row of users or of imports to an imported row."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rally_etl.protection.map import Counted

HEADINGS = ("column", "points at", "by", "marks", "rows", "empty", "a row is a")


def references(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """List what points at imported rows, rows of users first.

    By: key (a foreign key), id (without one), name, names (within JSON). Marks: fixed, the application never changes
    it; required, empty it has lost what it is about; past, it says what was. What the map does not cover is named on
    stderr.
    """
    from rally_etl.commands.terminal import print_json
    from rally_etl.database.engine import connect, read_only
    from rally_etl.database.references import find_map, read_reference_params
    from rally_etl.protection.map import count_rows, uncovered_texts
    from rally_etl.settings import Settings

    settings = Settings.from_env()
    params = read_reference_params(settings.params_dir / "references.yaml")
    with read_only(connect(settings), "public") as connection:
        found = count_rows(connection, find_map(connection, params).references)
        uncovered = uncovered_texts(connection, params)
    if as_json:
        print_json({"references": [_document(each) for each in found], "uncovered": uncovered})
    else:
        _print(found)
    for text in uncovered:
        print(f"warning: {text}", file=sys.stderr)


def _document(found: Counted) -> dict:
    reference = found.reference
    return {
        "table": reference.table,
        "column": reference.column,
        "rows_of": reference.rows,
        "target": f"{reference.target}.{reference.target_column}",
        "by": reference.by,
        "is_users": reference.is_users,
        "is_fixed": reference.is_fixed,
        "is_required": reference.is_required,
        "is_past": reference.is_past,
        "label": reference.label,
        "rows": found.filled,
        "empty": found.empty,
    }


def _print(found: list[Counted]) -> None:
    from rally_etl.measures import counted

    if not found:
        typer.echo("no table of this database points at an imported row")
        return
    for title, is_users in (("rows of users", True), ("imported rows", False)):
        part = [each for each in found if each.reference.is_users == is_users]
        if part:
            typer.echo(f"{'' if is_users else chr(10)}{title} ({counted(len(part), 'reference')})")
            lines = [HEADINGS, *(_cells(each) for each in part)]
            widths = [max(len(line[place]) for line in lines) for place in range(len(HEADINGS))]
            for line in lines:
                cells = [
                    text.rjust(width) if HEADINGS[place] in ("rows", "empty") else text.ljust(width)
                    for place, (text, width) in enumerate(zip(line, widths, strict=True))
                ]
                typer.echo(f"  {'  '.join(cells)}".rstrip())


def _cells(found: Counted) -> tuple[str, ...]:
    reference = found.reference
    marks = {"fixed": reference.is_fixed, "required": reference.is_required, "past": reference.is_past}
    return (
        reference.name,
        f"{reference.target}.{reference.target_column}",
        reference.by,
        " ".join(mark for mark, holds in marks.items() if holds),
        f"{found.filled:,}",
        f"{found.empty:,}",
        reference.label,
    )
