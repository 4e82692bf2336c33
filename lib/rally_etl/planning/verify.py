"""After a publish, see over another connection that live holds what the candidate promised."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from rally_etl.database.catalog import quote, read_catalog
from rally_etl.planning.schema import schemas


def verify(engine: sa.Engine, run_id: str, leagues: Iterable[str]) -> list[str]:
    """Compare every published row with its planned image, from a connection that did not write it.

    Returns:
        one sentence per table that differs; none means that what was committed is what was audited.
    """
    plan, problems = schemas(run_id)[0], []
    with engine.connect() as connection:
        keys = sorted(leagues)
        for name, table in read_catalog(connection).items():
            columns = ", ".join(quote(column) for column in table.column_names)
            differing = connection.execute(
                sa.text(
                    f"select count(*) from {quote(plan, name)} as p"
                    f" left join {quote('public', name)} as l on l.id = p.id"
                    f" where p._leagues && cast(:leagues as text[])"
                    f" and (l.id is null or row({_of('l', columns)}) is distinct from row({_of('p', columns)}))"
                ),
                {"leagues": keys},
            ).scalar_one()
            if differing:
                problems.append(f"{name}: {differing:,} published rows are not what the plan says")
    return problems


def _of(alias: str, columns: str) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns.split(", "))
