"""The two schemas of a run: the plan's tables, and the candidate's views that show the database as it would be."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote, read_catalog

OPERATIONS = ("insert", "update", "deactivate")
"""What an import plans; a run without a scrape also plans ``delete``: a row that another one says already."""

_PLANNED = sa.text(
    "select c.relname from pg_class as c join pg_class as b using (relnamespace)"
    " where c.relnamespace = to_regnamespace(quote_ident(:plan)) and b.relname = c.relname || '_before'"
)
_PARENTS = sa.text(
    """
    select t.relname as child, r.relname as parent
    from pg_constraint as c
    join pg_class as t on t.oid = c.conrelid and t.relnamespace = to_regnamespace('public')
    join pg_class as r on r.oid = c.confrelid and r.relnamespace = to_regnamespace('public')
    where c.contype = 'f' and t.relname = any(:names) and r.relname = any(:names)
    """
)


def schemas(run_id: str) -> tuple[str, str]:
    """Names of the plan's and the candidate's schema of a run."""
    tail = run_id.lower().replace("-", "_")
    return f"plan_{tail}", f"candidate_{tail}"


def create_plan(connection: sa.Connection, run_id: str, catalog: dict[str, Table]) -> None:
    """Create empty plan tables with the columns of the live tables.

    ``<table>`` holds the image after, with ``_op`` and ``_leagues`` (the leagues that need the change); a row to delete
    stands there as it was. ``<table>_before`` has the image before of rows that exist. Beside them ``names`` (one row
    per printed team name, with its opponent where the file has one), ``identified`` (one row per live or new row that
    the scrape speaks of: how it was found) and ``kept_dates``.
    """
    plan, candidate = schemas(run_id)
    connection.execute(sa.text(f"drop schema if exists {quote(candidate)} cascade"))
    connection.execute(sa.text(f"drop schema if exists {quote(plan)} cascade"))
    connection.execute(sa.text(f"create schema {quote(plan)}"))
    add_tables(connection, run_id, catalog)
    connection.execute(
        sa.text(
            f"create table {quote(plan, 'kept_dates')} (league text not null, id integer not null,"
            " live_date date not null, printed_date date not null)"
        )
    )
    connection.execute(
        sa.text(
            f"""
            create table {quote(plan, "names")} (
                league text not null, kind text not null, printed text not null, series text not null,
                opponent text not null,
                row_count bigint not null, strategy text not null, confidence double precision not null,
                evidence text not null, candidates text[] not null,
                team_id integer, team_name text, series_id integer, series_name text, club_id integer,
                primary key (league, kind, printed, series, opponent)
            )
            """
        )
    )
    connection.execute(
        sa.text(
            f"""
            create table {quote(plan, "identified")} (
                league text not null, table_name text not null, id integer not null, strategy text not null,
                confidence double precision not null, evidence text not null,
                primary key (table_name, id, league)
            )
            """
        )
    )


def add_tables(connection: sa.Connection, run_id: str, catalog: dict[str, Table]) -> None:
    """Create the two empty tables of each live table; a run without a scrape adds those of users that it re-points."""
    plan = schemas(run_id)[0]
    for name, table in catalog.items():
        after, before = quote(plan, name), quote(plan, f"{name}_before")
        columns = ", ".join(quote(column) for column in table.column_names)
        connection.execute(
            sa.text(
                f"create table {after} as select {columns}, cast(null as text) as _op, cast(null as text[]) as _leagues"
                f" from {quote('public', name)} with no data"
            )
        )
        connection.execute(
            sa.text(f"create table {before} as select {columns} from {quote('public', name)} with no data")
        )


def finish_plan(connection: sa.Connection, run_id: str, catalog: dict[str, Table]) -> None:
    """Index and analyse the filled plan and lay the candidate's views over it."""
    for table in catalog.values():
        index_table(connection, run_id, table)
    create_candidate(connection, run_id, catalog)


def create_candidate(connection: sa.Connection, run_id: str, catalog: dict[str, Table]) -> None:
    """Lay the candidate's views over the plan: live rows that it does not touch, and its own."""
    plan, candidate = schemas(run_id)
    connection.execute(sa.text(f"create schema {quote(candidate)}"))
    for name, table in catalog.items():
        columns = ", ".join(quote(column) for column in table.column_names)
        live = f"select {columns} from {quote('public', name)} as l"
        if connection.execute(sa.text(f"select exists (select from {quote(plan, name)})")).scalar():
            live += (
                f" where not exists (select from {quote(plan, name)} as p where {table.same('p', 'l')})"
                f" union all select {columns} from {quote(plan, name)} where _op <> 'delete'"
            )
        connection.execute(sa.text(f"create view {quote(candidate, name)} as {live}"))


def index_table(connection: sa.Connection, run_id: str, table: Table) -> None:
    """Give both filled tables of one live table their keys, and the planner its statistics."""
    plan = schemas(run_id)[0]
    key = ", ".join(quote(column) for column in table.key)
    for name in (table.name, f"{table.name}_before"):
        connection.execute(sa.text(f"alter table {quote(plan, name)} add primary key ({key})"))
    connection.execute(sa.text(f"analyze {quote(plan, table.name)}"))


def planned_names(connection: sa.Connection, run_id: str) -> set[str]:
    """Names of the tables that the plan of a run has tables for, whether live still has them or not."""
    return set(connection.scalars(_PLANNED, {"plan": schemas(run_id)[0]}))


def read_planned(connection: sa.Connection, run_id: str) -> dict[str, Table]:
    """Describe the live tables that the plan of a run has tables for: imported ones first, in their order.

    Those of users follow, parents before children. Empty when the plan is no longer kept.
    """
    names = planned_names(connection, run_id)
    users = _parents_first(connection, sorted(names - set(IMPORTED)))
    return read_catalog(connection, (*(name for name in IMPORTED if name in names), *users))


def _parents_first(connection: sa.Connection, names: list[str]) -> list[str]:
    """Tables in an order in which no foreign key points at a later one; where keys go round, by name."""
    parents: dict[str, set[str]] = {name: set() for name in names}
    for row in connection.execute(_PARENTS, {"names": names}):
        parents[row.child].add(row.parent)
    ordered: list[str] = []
    while left := [name for name in names if name not in ordered]:
        free = [name for name in left if parents[name] <= {*ordered, name}]
        ordered += free or left[:1]
    return ordered


def drop_run(connection: sa.Connection, run_id: str) -> None:
    """Remove both schemas of a run."""
    for name in reversed(schemas(run_id)):
        connection.execute(sa.text(f"drop schema if exists {quote(name)} cascade"))
