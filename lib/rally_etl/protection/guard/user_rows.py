"""Rows of users after a guarded command: each as it was before, under the ids that the command has issued."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote, read_catalog
from rally_etl.database.references import Reference
from rally_etl.planning import schema
from rally_etl.planning.pointers import PERSON_KEY
from rally_etl.protection.guard.imported_rows import Source
from rally_etl.protection.guard.reissued import ENTITIES

SCHEDULE = "schedule"

_TABLES = sa.text(
    "select relname from pg_class where relnamespace = to_regnamespace(quote_ident(:schema)) and relkind = 'r'"
    " and not relname = any(:imported) and relname not like '\\_%' order by 1"
)


def user_tables(connection: sa.Connection, picture: str) -> dict[str, Table]:
    """Tables of a picture of the database that are not imported, as live has them."""
    names = connection.scalars(_TABLES, {"schema": picture, "imported": list(IMPORTED)}).all()
    return read_catalog(connection, tuple(names))


def expected_rows(source: Source, table: Table, references: Iterable[Reference]) -> str:
    """SQL of the rows of users in one table as they were, with every id as it is now.

    ``pg_temp.renumbered`` and ``renumbered_persons`` say what an id or a person has become.
    """
    into: dict[str, str] = {}
    for each in references:
        if each.table == table.name and each.how == "id" and each.column not in into:
            column = f"s.{quote(each.column)}"
            value = _into(each, column)
            if value:
                into[each.column] = (
                    f"case when {each.rows} then coalesce(({value}), {column}) else {column} end"
                    if each.rows
                    else f"coalesce(({value}), {column})"
                )
    columns = ", ".join(
        f"{into[name]} as {quote(name)}" if name in into else f"s.{quote(name)}" for name in table.column_names
    )
    users = f" where {source.practice_rows}" if table.name == SCHEDULE else ""
    return f"select {columns} from {quote(source.schema, table.name)} as s{users}"


def plan_users(
    source: Source, run_id: str, tables: Mapping[str, Table], references: Iterable[Reference], keys: list[str]
) -> dict[str, Table]:
    """Plan the rows of users that the command has deleted, changed or left with ids that are no longer theirs.

    What users have added meanwhile stays.

    Returns:
        the tables for which plan tables were made.
    """
    touched = {}
    for name, table in tables.items():
        expected = f"expected_{name}"
        source.connection.execute(sa.text(f"drop table if exists pg_temp.{quote(expected)}"))
        source.connection.execute(
            sa.text(
                f"create temporary table {quote(expected)} on commit drop as {expected_rows(source, table, references)}"
            )
        )
        if source.connection.scalar(sa.text(f"select exists ({_different(table, expected)})")):
            schema.add_tables(source.connection, run_id, {name: table})
            touched[name] = table
            _plan(source, table, expected, keys)
    return touched


def plan_practices(source: Source, table: Table, references: Iterable[Reference], keys: list[str]) -> None:
    """Plan users' rows of the schedule likewise; one whose id something else has now gets another one."""
    expected = "expected_schedule"
    source.connection.execute(sa.text(f"drop table if exists pg_temp.{expected}"))
    source.connection.execute(
        sa.text(f"create temporary table {expected} on commit drop as {expected_rows(source, table, references)}")
    )
    practice = f"(select id from public.schedule where {source.practice_rows})"
    source.connection.execute(
        sa.text(
            f"update {expected} as e set id = nextval('{table.sequence}') where exists ("
            f" select from (select id from public.schedule union all select id from {quote(table.name)}) as l"
            f" where l.id = e.id) and not exists (select from {practice} as l where l.id = e.id)"
        )
    )
    _plan(source, table, expected, keys)


def unkeyed(source: Source, tables: Mapping[str, Table]) -> list[str]:
    """Tables whose rows nothing tells apart and that are not as they were: they cannot be mended row by row."""
    found = []
    for name, table in tables.items():
        if table.key:
            continue
        sides = [
            f"select cast(row({_columns(table, 't')}) as text) from {quote(each, name)} as t"
            for each in (source.schema, "public")
        ]
        sql = f"select exists (({sides[0]} except all {sides[1]}) union all ({sides[1]} except all {sides[0]}))"
        if source.connection.scalar(sa.text(sql)):
            found.append(name)
    return found


def _into(reference: Reference, column: str) -> str:
    if reference.target in ENTITIES and reference.target_column == "id":
        return (
            f"select r.into_id from renumbered as r where r.table_name = '{reference.target}' and r.from_id = {column}"
        )
    if reference.target_column == PERSON_KEY:
        return f"select r.into_key from renumbered_persons as r where r.from_key = {column}"
    return ""


def _columns(table: Table, alias: str) -> str:
    return ", ".join(f"{alias}.{quote(name)}" for name in table.column_names)


def _different(table: Table, expected: str) -> str:
    """SQL of the expected rows that live has not, or has otherwise."""
    if not table.key:
        return "select where false"
    first = f"l.{quote(table.key[0])}"
    live = f"{quote('public', table.name)} as l on {table.same('l', 'e')}"
    return (
        f"select {_columns(table, 'e')}, case when {first} is null then 'insert' else 'update' end as op"
        f" from {quote(expected)} as e left join {live} where {first} is null"
        f" or cast(row({_columns(table, 'l')}) as text) is distinct from cast(row({_columns(table, 'e')}) as text)"
    )


def _plan(source: Source, table: Table, expected: str, keys: list[str]) -> None:
    columns = ", ".join(quote(name) for name in table.column_names)
    source.connection.execute(
        sa.text(
            f"insert into {quote(table.name)} ({columns}, _op, _leagues)"
            f" select *, cast(:keys as text[]) from ({_different(table, expected)}) as d"
        ),
        {"keys": keys},
    )
    if table.key == ("id",):
        return
    # a row whose key says what it refers to has another key now
    source.connection.execute(
        sa.text(
            f"insert into {quote(table.name)} ({columns}, _op, _leagues)"
            f" select {_columns(table, 'l')}, 'delete', cast(:keys as text[])"
            f" from {quote('public', table.name)} as l"
            f" join {quote(source.schema, table.name)} as s on {table.same('l', 's')}"
            f" where not exists (select from {quote(expected)} as e where {table.same('e', 'l')})"
        ),
        {"keys": keys},
    )


_REPAIRS = """
    insert into etl.repairs (run_id, number, kind, action, table_name, row_key, column_name, was, becomes, image,
                             target_table, name, league, strategy, confidence, evidence, state)
    select :run, :first + row_number() over (order by row_key, column_name), kind, action, :table, row_key, column_name,
           was, becomes, image, '', '', '*', 'snapshot', 1.0, evidence, 'planned'
    from (
        select {key} as row_key, '' as column_name,
               case p._op when 'insert' then 'gone' else 'moved' end as kind, p._op as action,
               cast(null as text) as was, cast(null as text) as becomes,
               to_jsonb(p) - '_op' - '_leagues' - cast(:secrets as text[]) as image,
               'as in the picture taken before the command, with the ids of now' as evidence
        from {plan} as p where p._op <> 'update'
        union all
        select {key}, a.key, 'moved', 'update', l.value, a.value, null,
               'as in the picture taken before the command, with the ids of now'
        from {plan} as p
        join {live} as o on {same}
        cross join lateral jsonb_each_text(to_jsonb(p) - '_op' - '_leagues' - cast(:secrets as text[])) as a
        cross join lateral jsonb_each_text(to_jsonb(o)) as l
        where p._op = 'update' and l.key = a.key and l.value is distinct from a.value
    ) as found
    """


def write_repairs(
    connection: sa.Connection, run_id: str, tables: Mapping[str, Table], secrets: Iterable[str], practice_rows: str
) -> int:
    """Write what the plan does to rows of users into ``etl.repairs``, a row per column; answer how many."""
    written = 0
    for name, table in tables.items():
        users = f"(select * from {quote(name)} where {practice_rows})" if name == SCHEDULE else quote(name)
        written += connection.execute(
            sa.text(
                _REPAIRS.format(
                    plan=users,
                    live=quote("public", name),
                    same=table.same("o", "p"),
                    key="concat_ws(', ', " + ", ".join(f"p.{quote(column)}" for column in table.key) + ")",
                )
            ),
            {"run": run_id, "table": name, "first": written, "secrets": list(secrets)},
        ).rowcount
    return written
