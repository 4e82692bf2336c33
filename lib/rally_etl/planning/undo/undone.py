"""One table of a run that is taken back, as SQL over its plan, the plan of the undo, and live."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote
from rally_etl.database.references import Reference
from rally_etl.errors import UsageError

DUE = "p._leagues && cast(:leagues as text[]) and not p._leagues && cast(:needed as text[])"
"""SQL: whether a row is taken back; one that a league which stays published needs too goes with the last of them."""

LEAGUES = "array(select unnest(p._leagues) intersect select unnest(cast(:leagues as text[])) order by 1)"


@dataclass(frozen=True, slots=True)
class Undone:
    """One table of the run that is taken back; aliases in SQL: ``p`` planned, ``b`` before, ``l`` live.

    Attributes:
        plan: schema of the undone run's plan; the schema of the undo's own plan comes first in ``search_path``.
        keys: its references that the database itself guards.
        here: tables of the undo's own plan.
        binds: ``leagues`` that are taken back, ``needed`` those of the run that stay published.
    """

    table: Table
    plan: str
    keys: tuple[Reference, ...] = ()
    here: Collection[str] = ()
    binds: Mapping[str, Any] = field(default_factory=dict)

    @property
    def after(self) -> str:
        return quote(self.plan, self.table.name)

    @property
    def before(self) -> str:
        return quote(self.plan, f"{self.table.name}_before")

    @property
    def live(self) -> str:
        return quote("public", self.table.name)

    @property
    def columns(self) -> str:
        return ", ".join(quote(name) for name in self.table.column_names)

    @property
    def rows(self) -> str:
        """SQL of the run's rows with their images of before and what is live now; `DUE` says which are taken back."""
        same = self.table.same
        return (
            f"from {self.after} as p left join {self.before} as b on {same('b', 'p')}"
            f" left join {self.live} as l on {same('l', 'p')}"
        )

    @property
    def is_live(self) -> str:
        """SQL: whether the row is there now."""
        return f"l.{quote(self.table.key[0])} is not null"

    def stands(self, column: str) -> str:
        """SQL: whether the value of before still points at something, where the database would refuse it otherwise."""
        return standing(self.keys, column, planned={name: quote(name) for name in self.here})

    def of(self, alias: str, values: Mapping[str, str] | None = None) -> str:
        """The columns of an image, some of them with other *values*."""
        return ", ".join((values or {}).get(name, f"{alias}.{quote(name)}") for name in self.table.column_names)

    def plan_rows(self, connection: sa.Connection, image: str, operation: str, source: str) -> None:
        """Plan rows of the table: *image* and *operation* are SQL over *source*, which ends in `DUE` and more."""
        connection.execute(
            sa.text(
                f"insert into {quote(self.table.name)} ({self.columns}, _op, _leagues)"
                f" select {image}, {operation}, {LEAGUES} {source}"
            ),
            self.binds,
        )

    def check_columns(self, connection: sa.Connection, undone: str) -> None:
        """See that the images still have the columns of the live table.

        Raises:
            UsageError: they have not.
        """
        found = connection.execute(sa.text(f"select * from {self.before} limit 0")).keys()
        if set(found) != set(self.table.column_names):
            raise UsageError(
                f"the columns of {self.table.name} have changed since run {undone}; nothing was planned\n"
                "hint: import the scrape before it again"
            )


def row_key(table: Table, alias: str) -> str:
    """SQL of a row's key as one text; of a row that nothing tells apart, its place."""
    if not table.key:
        return f"cast({alias}.ctid as text)"
    return f"concat_ws(', ', {', '.join(f'{alias}.{quote(name)}' for name in table.key)})"


def standing(keys: Iterable[Reference], column: str, image: str = "b", planned: Mapping[str, str] | None = None) -> str:
    """SQL: whether a column of an image may be written again: it is NULL, or what it points at is live or comes back.

    Args:
        planned: imported table -> its table in the plan that writes it.
    """
    value = f"{image}.{quote(column)}"
    parts = []
    for each in keys:
        if each.column == column:
            same = f"x.{quote(each.target_column)} = {value}"
            part = f"{value} is null or exists (select from {quote('public', each.target)} as x where {same})"
            if coming := (planned or {}).get(each.target):
                part += f" or exists (select from {coming} as x where x._op = 'insert' and {same})"
            parts.append(f"({part})")
    return " and ".join(parts) or "true"
