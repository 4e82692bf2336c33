"""After a publish, see over another connection that live holds what the candidate promised."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote
from rally_etl.planning.schema import read_planned, schemas


def verify(engine: sa.Engine, run_id: str, leagues: Iterable[str]) -> list[str]:
    """Compare every published row with its planned image, from a connection that did not write it.

    Returns:
        one sentence per table that differs; none means that what was committed is what was audited.
    """
    plan, problems = schemas(run_id)[0], []
    with engine.connect() as connection:
        keys = sorted(leagues)
        for name, table in read_planned(connection, run_id).items():
            differing = connection.execute(
                sa.text(
                    f"select count(*) from {quote(plan, name)} as p"
                    f" left join {quote('public', name)} as l on {table.same('l', 'p')}"
                    " where p._leagues && cast(:leagues as text[]) and"
                    f" case when p._op = 'delete' then {_is('l', table)}"
                    f" else not {_is('l', table)} or row({_of('l', table)}) is distinct from row({_of('p', table)}) end"
                ),
                {"leagues": keys},
            ).scalar_one()
            if differing:
                problems.append(f"{name}: {differing:,} published rows are not what the plan says")
    return problems


def _is(alias: str, table: Table) -> str:
    return f"{alias}.{quote(table.key[0])} is not null"


def _of(alias: str, table: Table) -> str:
    return ", ".join(f"{alias}.{quote(column)}" for column in table.column_names)
