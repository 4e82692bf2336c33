"""Rows of users in a plan without a scrape: each must be what the operation makes of it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote
from rally_etl.database.references import Reference, ReferenceParams, find_references
from rally_etl.naming import Leagues
from rally_etl.planning.schema import read_planned, schemas
from rally_etl.records.values import person_key

PERSON_KEY = "tenniscores_player_id"


@dataclass(frozen=True, slots=True)
class _Users:
    """Rows of users in one planned table: all of a user table, the practice rows of the schedule."""

    table: Table
    rows: str  # SQL condition, columns without an alias
    references: tuple[Reference, ...]


def unaccounted_rows(
    connection: sa.Connection, leagues: Leagues, run_id: str, operation: Mapping[str, Any], params: ReferenceParams
) -> list[str]:
    """What a plan without a scrape would do to rows of users beyond what its operation says, in sentences.

    A merge may turn a reference to the row that goes into one to the row that stays; an undo may bring back what the
    undone run had replaced. The rows expected are worked out here from the ledger, not taken from the plan.
    """
    planned = read_planned(connection, run_id)
    references = find_references(connection, params)
    parts = [
        _Users(table, "true", tuple(each for each in references if each.table == name))
        for name, table in planned.items()
        if name not in IMPORTED
    ]
    if "schedule" in planned:
        parts.append(_Users(planned["schedule"], params.practice_rows, _TEAM_OF_PRACTICE))
    told = []
    if operation["kind"] == "merge":
        told += _unjustified(connection, leagues, run_id, operation)
    for part in parts:
        if operation["kind"] == "merge":
            sql = _expected_of_merge(part, run_id)
        elif operation["kind"] == "undo":
            sql = _expected_of_undo(part, run_id, operation["run"], read_planned(connection, operation["run"]))
        else:
            sql = _expected_unchanged(part, run_id)
        told += [f"{part.table.name} row {row}" for row in _differences(connection, part, run_id, sql)]
    return told


_TEAM_OF_PRACTICE = (
    Reference(table="schedule", column="home_team_id", target="teams", target_column="id", is_hard=False),
)


def _differences(connection: sa.Connection, part: _Users, run_id: str, expected: str) -> list[str]:
    """Images that the plan has and the operation does not make, or the other way round."""
    columns = ", ".join(quote(name) for name in part.table.column_names)
    planned = (
        f"select {columns} from {quote(schemas(run_id)[0], part.table.name)} as p where p._op <> 'delete'"
        f" and ({part.rows})"
    )
    # as texts: a column may have a type that knows no equality
    planned, expected = (f"select cast(d as text) as shown from ({rows}) as d" for rows in (planned, expected))
    rows = connection.scalars(
        sa.text(
            f"select shown from (({planned} except all {expected}) union ({expected} except all {planned})) as d"
            " order by 1"
        )
    )
    return list(rows)


def _before(part: _Users, run_id: str) -> str:
    """SQL of the users' rows that the plan replaces, as they are."""
    return f"(select * from {quote(schemas(run_id)[0], f'{part.table.name}_before')} where {part.rows})"


def _expected_unchanged(part: _Users, run_id: str) -> str:
    columns = ", ".join(f"b.{quote(name)}" for name in part.table.column_names)
    return f"select {columns} from {_before(part, run_id)} as b"


def _expected_of_merge(part: _Users, run_id: str) -> str:
    """SQL of the rows with every reference to what is merged turned into one to what stays."""
    values = {each.column: _merged(each, run_id) for each in part.references}
    columns = ", ".join(
        f"{values[name]} as {quote(name)}" if name in values else f"b.{quote(name)}" for name in part.table.column_names
    )
    return f"select {columns} from {_before(part, run_id)} as b"


def _merged(reference: Reference, run_id: str) -> str:
    plan, candidate = schemas(run_id)
    column = f"b.{quote(reference.column)}"
    redirects = quote(plan, "new_redirects")
    if reference.target_column == PERSON_KEY:
        return f"""coalesce((
            select min(w.{PERSON_KEY})
            from {redirects} as r
            join public.players as f on f.id = r.from_id
            join public.players as w on w.id = r.into_id
            where r.table_name = 'players' and f.{PERSON_KEY} = {column} and w.{PERSON_KEY} <> f.{PERSON_KEY}
              and not exists (
                  select from {quote(candidate, "players")} as o
                  where o.{PERSON_KEY} = f.{PERSON_KEY} and not exists (
                      select from {redirects} as m where m.table_name = 'players' and m.from_id = o.id))
            ), {column})"""
    return (
        f"coalesce((select r.into_id from {redirects} as r where r.table_name = '{reference.target}'"
        f" and r.from_id = {column}), {column})"
    )


def _expected_of_undo(part: _Users, run_id: str, undone: str, was_planned: Mapping[str, Table]) -> str:
    """SQL of the rows as they were before the undone run, where they still are what it made of them."""
    if part.table.name not in was_planned:
        return _expected_unchanged(part, run_id)
    then = schemas(undone)[0]
    after, before = quote(then, part.table.name), quote(then, f"{part.table.name}_before")
    names = [quote(name) for name in part.table.column_names]
    back = ", ".join(
        f"case when t.{name} is distinct from w.{name} and b.{name} is not distinct from t.{name}"
        f" then w.{name} else b.{name} end as {name}"
        for name in names
    )
    again = ", ".join(f"w.{name}" for name in names)
    as_is = ", ".join(f"b.{name}" for name in names)
    return f"""
        select {as_is} from {_before(part, run_id)} as b
        where not exists (select from {after} as t where {part.table.same("t", "b")} and t._op <> 'delete')
        union all
        select {back} from {_before(part, run_id)} as b
        join {after} as t on {part.table.same("t", "b")} and t._op in ('update', 'deactivate')
        join {before} as w on {part.table.same("w", "b")}
        union all
        select {again} from (select * from {before} where {part.rows}) as w
        join {after} as t on {part.table.same("t", "w")} and t._op = 'delete'
        where not exists (select from {quote("public", part.table.name)} as l where {part.table.same("l", "w")})
        """


def _unjustified(
    connection: sa.Connection, leagues: Leagues, run_id: str, operation: Mapping[str, Any]
) -> Iterator[str]:
    """Redirects of the plan that the merge does not call for: besides its own, memberships of one person."""
    own = (operation["table"], operation["from"], operation["into"])
    rows = connection.execute(
        sa.text(
            f"""
            select r.table_name, r.from_id, r.into_id, f.team_id as from_team, w.team_id as into_team,
                   f.{PERSON_KEY} as from_person, w.{PERSON_KEY} as into_person, g.league_id as league
            from {quote(schemas(run_id)[0], "new_redirects")} as r
            left join public.players as f on r.table_name = 'players' and f.id = r.from_id
            left join public.players as w on r.table_name = 'players' and w.id = r.into_id
            left join public.leagues as g on g.id = f.league_id and g.id = w.league_id
            order by r.table_name, r.from_id
            """
        )
    ).all()
    persons = {(row.from_person, row.into_person) for row in rows if (row.table_name, row.from_id, row.into_id) == own}
    for row in rows:
        if (row.table_name, row.from_id, row.into_id) == own:
            continue
        is_called_for = row.table_name == "players" and row.league is not None
        if is_called_for and operation["table"] == "teams":
            prefixes = tuple(leagues.get(row.league).id_prefixes)
            is_one_person = person_key(row.from_person, prefixes) == person_key(row.into_person, prefixes)
            is_called_for = is_one_person and (row.from_team, row.into_team) == own[1:]
        elif is_called_for:
            is_called_for = (row.from_person, row.into_person) in persons and row.from_team == row.into_team
        if not is_called_for:
            yield f"{row.table_name} {row.from_id} would be merged into {row.into_id}, which nobody asked for"
