"""Rows of users after a guarded command, compared with the picture taken before it: row by row, reference by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote, read_catalog
from rally_etl.database.references import Reference, ReferenceParams, find_references
from rally_etl.naming import Leagues, is_one_name
from rally_etl.planning.merge import own_name
from rally_etl.planning.schema import read_planned, schemas
from rally_etl.protection.guard_users import SCHEDULE, user_tables
from rally_etl.protection.identity import is_same_thing

SHOWN = 20


def unlike_before(connection: sa.Connection, leagues: Leagues, run_id: str, params: ReferenceParams) -> Iterator[str]:
    """What users' rows would say otherwise than before the guarded command, in sentences; none means nothing.

    Compares the picture with the candidate and looks at nothing that planning has worked out. Where the command's rows
    stay, every row of users must be there and say the same; where the old ids stay, no row of users is touched, and
    what each refers to must have the same name.
    """
    guard = connection.execute(
        sa.text("select method, details from etl.guards where run_id = :run"), {"run": run_id}
    ).first()
    if guard is None or guard.method not in ("direct", "old_ids"):
        return
    before = guard.details["snapshot"]
    candidate, planned = schemas(run_id)[1], read_planned(connection, run_id)
    references = [each for each in find_references(connection, params) if each.how == "id"]
    tables = user_tables(connection, before) | read_catalog(connection, (SCHEDULE,))
    names = _LeagueNames(connection, leagues, before)
    for name, table in tables.items():
        if not table.key:
            continue
        now = quote(candidate if name in planned or name in IMPORTED else "public", name)
        rows = f" where {params.practice_rows}" if name == SCHEDULE else ""
        sides = [f"(select * from {part}{rows})" for part in (quote(before, name), now)]
        of_table = [each for each in references if each.table == name]
        if guard.method == "direct":
            yield from _rows_that_differ(connection, table, sides, of_table)
        for each in of_table:
            yield from _other_things(connection, table, each, sides, (before, candidate), params, names)


class _LeagueNames:
    """Grammars of the leagues of before, by their ids."""

    def __init__(self, connection: sa.Connection, leagues: Leagues, before: str) -> None:
        rows = connection.execute(sa.text(f"select id, league_id from {quote(before, 'leagues')}"))
        self.leagues = {row.id: leagues.get(leagues.canonical(row.league_id) or row.league_id) for row in rows}

    def is_same(self, target: str, league_id: int | None, one: str | None, other: str | None, words: list[str]) -> bool:
        """Whether two names are of one thing."""
        one, other = own_name(one), own_name(other)
        if is_same_thing(target, one, other, words):
            return True
        league = self.leagues.get(league_id)
        return target in ("teams", "series") and league is not None and is_one_name(league, one, other)


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


def _other_things(
    connection: sa.Connection,
    table: Table,
    reference: Reference,
    sides: list[str],
    schemas: tuple[str, str],
    params: ReferenceParams,
    names: _LeagueNames,
) -> Iterator[str]:
    """References that would mean another thing than before, or nothing, by the name of what they point at."""
    if table.name == SCHEDULE and reference.rows != params.practice_rows:
        return
    target, key, column = reference.target, quote(reference.target_column), quote(reference.column)
    league = {"leagues": "t.id", "clubs": "null::integer"}.get(target, "t.league_id")
    if (target, "league_id") not in _columns(connection, schemas[0]) and target != "leagues":
        league = "null::integer"
    own = ", ".join(f"t.{quote(name)}" for name in params.identity.get(target, ["id"]))
    in_series = target in ("teams", "players")
    place = "coalesce((select s.name from {0} as s where s.id = t.series_id), '')" if in_series else "''"
    things = [
        f"(select distinct on (t.{key}) t.{key} as key, concat_ws(' ', {own}) as name, {league} as league_id,"
        f" {place.format(quote(schema, 'series'))} as place"
        f" from {quote(schema, target)} as t order by t.{key}, concat_ws(' ', {own}), t.id)"
        for schema in schemas
    ]
    rows = f" and ({reference.rows})" if reference.rows and table.name != SCHEDULE else ""
    users = [f"(select * from {side} as u where {column} is not null{rows})" for side in sides]
    same = table.same("c", "b")
    if table.name == SCHEDULE:
        same = "c.match_date is not distinct from b.match_date and c.home_team is not distinct from b.home_team"
    found = connection.execute(
        sa.text(
            f"select o.name as before, n.name as after, o.place as was_in, n.place as is_in, o.league_id,"
            f" count(*) as row_count"
            f" from {users[0]} as b join {things[0]} as o on o.key = b.{column}"
            f" left join {users[1]} as c on {same} left join {things[1]} as n on n.key = c.{column}"
            " where (n.name, n.place) is distinct from (o.name, o.place) group by 1, 2, 3, 4, 5 order by 6 desc, 1"
        )
    )
    for row in found:
        if row.after is None:
            yield f"{reference.name}: {row.row_count:,} rows of {row.before!r} would be of nothing"
        elif not names.is_same(target, row.league_id, row.before, row.after, params.series_words):
            yield f"{reference.name}: {row.row_count:,} rows of {row.before!r} would be of {row.after!r}"
        elif target == "teams" and not names.is_same(
            "series", row.league_id, row.was_in, row.is_in, params.series_words
        ):
            yield f"{reference.name}: {row.row_count:,} rows of {row.before!r} would be in {row.is_in!r}"


def _columns(connection: sa.Connection, schema: str) -> set[tuple[str, str]]:
    rows = connection.execute(
        sa.text("select table_name, column_name from information_schema.columns where table_schema = :schema"),
        {"schema": schema},
    )
    return {(row.table_name, row.column_name) for row in rows}
