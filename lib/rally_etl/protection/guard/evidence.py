"""Rows of users after a guarded command, compared with the picture taken before it: row by row, reference by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote, read_catalog
from rally_etl.database.references import Reference, ReferenceParams, find_references
from rally_etl.naming import Leagues
from rally_etl.planning.schema import read_planned, schemas
from rally_etl.protection.account import account
from rally_etl.protection.guard.user_rows import SCHEDULE, user_tables
from rally_etl.protection.meaning import Meaning, read_meaning

SHOWN = 20


def unlike_before(connection: sa.Connection, leagues: Leagues, run_id: str, params: ReferenceParams) -> Iterator[str]:
    """What users' rows would say otherwise than before the guarded command, in sentences; none means nothing.

    Compares the picture with the candidate and looks at nothing that planning has worked out. Where the command's rows
    stay, every row of users must be there and say the same; where the old ids stay, no row of users is touched. What
    each refers to must have the same name, and teams must be in the same series.
    """
    guard = connection.execute(
        sa.text("select method, details from etl.guards where run_id = :run"), {"run": run_id}
    ).first()
    if guard is None or guard.method not in ("direct", "old_ids"):
        return
    before = guard.details["snapshot"]
    candidate, planned = schemas(run_id)[1], read_planned(connection, run_id)
    meaning = read_meaning(connection, leagues, params.series_words)
    for each in account(connection, params, (before, "public"), (candidate, "public"), meaning):
        yield from (text for kind, _, _, text in each.told if kind != "renamed")
    if guard.method != "direct":
        return
    references = [each for each in find_references(connection, params) if each.how == "id"]
    for name, table in (user_tables(connection, before) | read_catalog(connection, (SCHEDULE,))).items():
        if not table.key:
            continue
        now = quote(candidate if name in planned or name in IMPORTED else "public", name)
        rows = f" where {params.practice_rows}" if name == SCHEDULE else ""
        sides = [f"(select * from {part}{rows})" for part in (quote(before, name), now)]
        of_table = [each for each in references if each.table == name]
        yield from _rows_that_differ(connection, table, sides, of_table)
        for each in of_table:
            if (each.target, each.target_column) == ("teams", "id"):
                yield from _other_series(connection, table, each, sides, (before, candidate), meaning)


def _row(table: Table, alias: str) -> str:
    return f"concat_ws(', ', {', '.join(f'{alias}.{quote(name)}' for name in table.key)})"


def _rows_that_differ(
    connection: sa.Connection, table: Table, sides: list[str], references: Iterable[Reference]
) -> Iterator[str]:
    """Rows that are gone, or say something else beside what they refer to."""
    moving = {each.column for each in references if each.target_column == "id"}
    if table.name == SCHEDULE:
        moving.add("id")  # an id that something else has now is not given twice
        same = " and ".join(
            f"c.{quote(name)} is not distinct from b.{quote(name)}" for name in table.column_names if name not in moving
        )
    else:
        same = table.same("c", "b")
    left = [quote(name) for name in table.column_names if name not in moving]
    texts = [f"cast(row({', '.join(f'{alias}.{name}' for name in left)}) as text)" for alias in ("b", "c")]
    found = connection.execute(
        sa.text(
            f"select {_row(table, 'b')} as row_key, c.{quote(table.key[0])} is null as is_gone"
            f" from {sides[0]} as b left join {sides[1]} as c on {same}"
            f" where c.{quote(table.key[0])} is null or {texts[0]} is distinct from {texts[1]} order by 1 limit {SHOWN}"
        )
    )
    for row in found:
        yield f"{table.name} row {row.row_key} {'would be gone' if row.is_gone else 'would say something else'}"


def _other_series(
    connection: sa.Connection,
    table: Table,
    reference: Reference,
    sides: list[str],
    schemas: tuple[str, str],
    meaning: Meaning,
) -> Iterator[str]:
    """References to another team than before whose series is not the one of before."""
    column = quote(reference.column)
    teams = [
        f"(select t.id, t.team_name, t.league_id, s.name as series from {quote(schema, 'teams')} as t"
        f" join {quote(schema, 'series')} as s on s.id = t.series_id)"
        for schema in schemas
    ]
    found = connection.execute(
        sa.text(
            f"select n.league_id, o.team_name, o.series as was_in, n.series as is_in, count(*) as row_count"
            f" from {sides[0]} as b join {sides[1]} as c on {table.same('c', 'b')} and c.{column} <> b.{column}"
            f" join {teams[0]} as o on o.id = b.{column} join {teams[1]} as n on n.id = c.{column}"
            " where n.series <> o.series group by 1, 2, 3, 4 order by 5 desc, 2"
        )
    )
    for row in found:
        if not meaning.is_same("series", row.league_id, row.was_in, row.is_in):
            yield f"{reference.name}: {row.row_count:,} rows of {row.team_name!r} would be in {row.is_in!r}"
