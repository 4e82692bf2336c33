"""What a plan would do to the columns that people keep by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote, read_catalog
from rally_etl.database.ownership import HandKept
from rally_etl.database.references import ReferenceParams
from rally_etl.measures import counted
from rally_etl.planning.schema import read_planned, schemas

RESTORING = ("guard", "restore")
"""Operations that bring values back which a command, or anybody, has changed."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One column over all its rows.

    Attributes:
        values: live rows that hold a value.
        changes: the name of each row whose value the plan would change, set or take away, and the row's leagues.
    """

    name: str
    values: int
    changes: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def told(self) -> str:
        """`clubs.logo_filename: 63 values, 0 would change`."""
        return f"{self.name}: {counted(self.values, 'value')}, {len(self.changes):,} would change"


def compare_hand_kept(
    connection: sa.Connection,
    ownership: Iterable[HandKept],
    params: ReferenceParams,
    run_id: str,
    operation: Mapping[str, Any] | None,
) -> Iterator[Compared]:
    """Every column kept by hand that the database has, with what the run's plan would do to it.

    An import may do nothing to it; an undo may bring back what the undone run had replaced, and take away a row
    of that run with the value that it had written; a guard may restore.
    """
    kept = list(ownership)
    live = read_catalog(connection, tuple({each.table for each in kept}))
    planned = read_planned(connection, run_id)
    for each in kept:
        if each.table not in live or not live[each.table].has(each.column):
            continue
        column = quote(each.column)
        values = connection.scalar(sa.text(f"select count({column}) from {quote('public', each.table)}"))
        rows: list[sa.Row] = []
        if each.table in planned and not (operation and operation["kind"] in RESTORING):
            sql = _changes(connection, each, live[each.table], params, run_id, operation)
            rows = connection.execute(sa.text(sql)).all()
        yield Compared(each.name, values, tuple((row.shown, tuple(row.leagues)) for row in rows))


def _changes(
    connection: sa.Connection,
    kept: HandKept,
    table: Table,
    params: ReferenceParams,
    run_id: str,
    operation: Mapping[str, Any] | None,
) -> str:
    """SQL of the planned rows whose value is not the live one, without what the operation may do."""
    plan, live = schemas(run_id)[0], quote("public", kept.table)
    column = quote(kept.column)
    default = next(each.default_sql for each in table.columns if each.name == kept.column)
    demanded = any(each.name == kept.column and each.is_required for each in table.columns) and default is None
    differs = [f"p._op not in ('insert', 'delete') and p.{column} is distinct from l.{column}"]
    if operation is None and not kept.is_initial and not demanded:
        differs.append(f"p._op = 'insert' and p.{column} is distinct from ({default or 'null'})")
    if operation and operation["kind"] != "undo":
        gone = f"select from {quote(plan, kept.table)} as d where d.id = c.id and d._op = 'delete'"
        stays = f"select from {live} as c where c.{column} = l.{column} and not exists ({gone})"
        differs.append(f"p._op = 'delete' and l.{column} is not null and not exists ({stays})")
    returned = ""
    if operation and operation["kind"] == "undo" and kept.table in read_planned(connection, operation["run"]):
        then = schemas(operation["run"])[0]
        same = f"t.{column} is not distinct from l.{column}"
        made = f"select from {quote(then, kept.table)} as t where t.id = p.id and t._op = 'insert' and {same}"
        differs.append(f"p._op = 'delete' and l.{column} is not null and not exists ({made})")
        returned = (
            f" and not exists (select from {quote(then, kept.table)} as t"
            f" join {quote(then, f'{kept.table}_before')} as w on w.id = t.id where t.id = p.id"
            f" and t.{column} is not distinct from l.{column} and w.{column} is not distinct from p.{column})"
        )
    name = ", ".join(f"coalesce(l.{quote(part)}, p.{quote(part)})" for part in params.identity.get(kept.table, ["id"]))
    return (
        f"select p._leagues as leagues, concat_ws(' ', {name}) as shown from {quote(plan, kept.table)} as p"
        f" left join {live} as l on l.id = p.id"
        f" where ({' or '.join(f'({each})' for each in differs)}){returned} order by 2, p.id"
    )
