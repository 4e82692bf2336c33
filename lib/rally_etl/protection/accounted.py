"""Rows of users in a plan without a scrape: each must be what the operation makes of it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote
from rally_etl.database.references import Reference, ReferenceParams, find_references
from rally_etl.naming import Leagues, club_key
from rally_etl.planning.schema import read_planned, schemas
from rally_etl.planning.undo import standing
from rally_etl.protection.guard.evidence import unlike_before
from rally_etl.records.values import person_key

PERSON_KEY = "tenniscores_player_id"

BY_REPAIRS = ("orphans", "guard")
"""Kinds of operations that write down each change of a user's row in ``etl.repairs``, with its reason."""


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
    undone run had replaced; a guard gives every row back as it was. The rows expected are worked out here from the
    ledger, not taken from the plan.
    """
    if operation["kind"] == "restore":
        return []  # `stored.evidence` compares whole tables with the snapshot
    planned = read_planned(connection, run_id)
    references = find_references(connection, params)
    parts = [
        _Users(table, "true", tuple(each for each in references if each.table == name))
        for name, table in planned.items()
        if name not in IMPORTED
    ]
    if "schedule" in planned:
        keys = [each for each in find_references(connection, params, with_imported=True) if each.is_hard]
        of_schedule = tuple(each for each in keys if each.table == "schedule" and each.column != "home_team_id")
        hard = any(each.table == "schedule" and each.column == "home_team_id" for each in keys)
        team = replace(_TEAM_OF_PRACTICE, is_hard=hard)
        parts.append(_Users(planned["schedule"], params.practice_rows, (team, *of_schedule)))
    told = []
    if operation["kind"] == "merge":
        told += _unjustified(connection, leagues, run_id, operation)
    elif operation["kind"] == "constraints":
        told += _unjustified_folds(connection, leagues, run_id)
    elif operation["kind"] == "guard":
        told += unlike_before(connection, leagues, run_id, params)
    for part in parts:
        if operation["kind"] in ("merge", "constraints"):
            sql = _expected_of_merge(part, run_id)
        elif operation["kind"] == "undo":
            sql = _expected_of_undo(part, run_id, operation["run"], read_planned(connection, operation["run"]))
        elif operation["kind"] in BY_REPAIRS:
            sql = _expected_of_repairs(part, run_id)
        else:
            sql = _expected_unchanged(part, run_id)
        # what a repair writes down of a row that comes back holds no secrets
        unseen = params.secrets if operation["kind"] == "guard" else frozenset()
        told += [f"{part.table.name} row {row}" for row in _differences(connection, part, run_id, sql, unseen)]
    if operation["kind"] in BY_REPAIRS:
        told += _not_planned(connection, run_id, planned)
    return told


_TEAM_OF_PRACTICE = Reference(
    table="schedule", column="home_team_id", target="teams", target_column="id", is_hard=False
)


def _differences(
    connection: sa.Connection, part: _Users, run_id: str, expected: str, unseen: frozenset[str] = frozenset()
) -> list[str]:
    """Images that the plan has and the operation does not make, or the other way round, without columns *unseen*."""
    columns = ", ".join(quote(name) for name in part.table.column_names if name not in unseen)
    expected = f"select {columns} from ({expected}) as e"
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
    planned = {name: quote(schemas(run_id)[0], name) for name in IMPORTED if name in was_planned}
    names = [quote(name) for name in part.table.column_names]
    keys = [each for each in part.references if each.is_hard]
    back = ", ".join(
        f"case when t.{name} is distinct from w.{name} and b.{name} is not distinct from t.{name}"
        f" and {standing(keys, column, 'w', planned)} then w.{name} else b.{name} end as {name}"
        for name, column in zip(names, part.table.column_names, strict=True)
    )
    again = ", ".join(f"w.{name}" for name in names)
    stands = " and ".join(standing(keys, each.column, "w", planned) for each in keys) or "true"
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
          and {stands}
        """


def _expected_of_repairs(part: _Users, run_id: str) -> str:
    """SQL of the rows with every column changed that a planned repair names, and those that repairs bring back."""
    table = part.table
    live, before = quote("public", table.name), quote(schemas(run_id)[0], f"{table.name}_before")
    due = f"r.run_id = '{run_id}' and r.state = 'planned' and r.table_name = '{table.name}'"
    key = f"concat_ws(', ', {', '.join(f'b.{quote(name)}' for name in table.key)})"
    values = ", ".join(
        f"case when c.changes ? '{column.name}' then cast(c.changes ->> '{column.name}' as {column.type})"
        f" else b.{quote(column.name)} end as {quote(column.name)}"
        for column in table.columns
    )
    columns = ", ".join(quote(name) for name in table.column_names)
    return f"""
        select {values}
        from (select {columns} from {before} where {part.rows}
              union all
              select {columns} from {live} as b where ({part.rows})
                and {key} in (select r.row_key from etl.repairs as r where {due} and r.action = 'update')
                and not exists (select from {before} as x where {table.same("x", "b")})) as b
        left join (select r.row_key, jsonb_object_agg(r.column_name, r.becomes) as changes from etl.repairs as r
                   where {due} and r.action = 'update' and r.column_name <> '' group by r.row_key) as c
            on c.row_key = {key}
        where not exists (select from etl.repairs as r where {due} and r.action = 'delete' and r.row_key = {key})
        union all
        select {columns} from (
            select distinct on (r.row_key) i.* from etl.repairs as r
            cross join lateral jsonb_populate_record(null::{live}, r.image) as i
            where {due} and r.action = 'insert' order by r.row_key, r.number) as i
        where {part.rows}
        """


def _not_planned(connection: sa.Connection, run_id: str, planned: Mapping[str, Table]) -> list[str]:
    """Repairs of users' tables for which the plan has no table."""
    rows = connection.execute(
        sa.text(
            "select table_name, count(*) as row_count from etl.repairs where run_id = :run and state = 'planned'"
            " and action <> 'none' and not table_name = any(:known) group by 1 order by 1"
        ),
        {"run": run_id, "known": [*planned, *IMPORTED]},
    )
    return [f"{row.table_name}: {row.row_count:,} repairs are not in the plan" for row in rows]


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


def _unjustified_folds(connection: sa.Connection, leagues: Leagues, run_id: str) -> Iterator[str]:
    """Redirects of the plan that the repair has not written down, or that are not one thing by their letters."""
    names = {"clubs": "name", "series": "name", "teams": "team_name"}
    for row in connection.execute(
        sa.text(
            f"""
            select r.table_name, r.from_id, r.into_id, exists (
                select from etl.repairs as e
                where e.run_id = :run and e.kind = 'doubled' and e.action = 'merge' and e.state = 'planned'
                  and e.table_name = r.table_name and e.row_key = cast(r.from_id as text)
                  and e.becomes = cast(r.into_id as text)) as is_written_down
            from {quote(schemas(run_id)[0], "new_redirects")} as r order by r.table_name, r.from_id
            """
        ),
        {"run": run_id},
    ).all():
        if row.table_name == "players":
            sql = (
                f"select p.{PERSON_KEY} as name, g.league_id as league from public.players as p"
                " join public.leagues as g on g.id = p.league_id where p.id in (:one, :other)"
            )
        else:
            column = names.get(row.table_name, "id")
            live = quote("public", row.table_name)
            sql = f"select {column} as name, '' as league from {live} where id in (:one, :other)"
        found = connection.execute(sa.text(sql), {"one": row.from_id, "other": row.into_id}).all()
        spelled = {
            person_key(each.name, tuple(leagues.get(each.league).id_prefixes))
            if each.league
            else club_key(str(each.name))
            for each in found
        }
        if not row.is_written_down or len(found) < 2 or len(spelled) > 1 or len({each.league for each in found}) > 1:
            yield f"{row.table_name} {row.from_id} would be merged into {row.into_id}, which nobody asked for"
