"""References as SQL over what will be live after an undo: which rows point at what goes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote, read_catalog, read_foreign_keys
from rally_etl.database.references import Reference, ReferenceParams, find_map
from rally_etl.measures import counted
from rally_etl.planning.undo.undone import row_key

_TEXTS = '\'"([^"]*)"\''  # every text within JSON


@dataclass(frozen=True, slots=True)
class Pointing:
    """One reference at a table that the undo takes rows from.

    Attributes:
        source, target: the tables as they are live.
        planned: whether the undo's plan has a table for the source.
        has_rows: whether there is anything in the source, live or planned, that could point.
    """

    reference: Reference
    source: Table
    target: Table
    planned: bool
    has_rows: bool

    @property
    def going(self) -> str:
        """SQL of the rows that would go: key, and the value that points at them."""
        return (
            f"(select {row_key(self.target, 'p')} as row_key, {self.key('p')} as value"
            f" from {quote(self.target.name)} as p where p._op = 'delete')"
        )

    @property
    def staying(self) -> str:
        """SQL of what the rows of the source will say: key and value."""
        return " union all ".join(self._values(rows) for rows in self._after)

    @property
    def active(self) -> str:
        """SQL of the values of those rows of another imported table that will be active; "" where none can be."""
        if self.source.name not in IMPORTED or not self.source.has("is_active") or self.reference.how != "id":
            return ""
        return " union all ".join(f"{self._values(rows)} and l.is_active is not false" for rows in self._after)

    @property
    def _after(self) -> list[str]:
        """SQL of the rows that the source will have: what the undo leaves alone, and what it writes."""
        live, plan = quote("public", self.source.name), quote(self.source.name)
        if not self.planned:
            return [live]
        same = self.source.same("p", "l")
        return [
            f"(select l.* from {live} as l where not exists (select from {plan} as p where {same}))",
            f"(select * from {plan} where _op <> 'delete')",
        ]

    @property
    def is_last(self) -> str:
        """SQL: whether no other row that stays is what a value points at; an id is one row's."""
        if self.reference.target_columns == ("id",):
            return "true"
        target = quote(self.target.name)
        return (
            f"not exists (select from {quote('public', self.target.name)} as y where {self.key('y')} = x.value"
            f" and not exists (select from {target} as d where {self.target.same('d', 'y')} and d._op = 'delete'))"
        )

    def of_round(self, number: int) -> str:
        """SQL of the values of rows that were found to stay in a round."""
        name = self.source.name
        live = (
            f"(select l.* from {quote('public', name)} as l join undo_stays as s on s.table_name = '{name}'"
            f" and s.round = {number} and s.row_key = {row_key(self.source, 'l')})"
        )
        return self._values(live)

    def key(self, alias: str) -> str:
        """SQL of what points at a row of the target."""
        columns = [f"{alias}.{quote(name)}" for name in self.reference.target_columns]
        if self.reference.how != "id":
            return f"lower(btrim(concat_ws(' ', {', '.join(columns)})))"
        return columns[0] if self._is_one_type else f"cast({columns[0]} as text)"

    def _values(self, rows: str) -> str:
        column = f"l.{quote(self.reference.column)}"
        limit = f" and ({self.reference.rows})" if self.reference.rows else ""
        head = f"select {row_key(self.source, 'l')} as row_key,"
        if self.reference.how == "names":
            texts = f"regexp_matches(cast({column} as text), {_TEXTS}, 'g') as t(found)"
            head = head.replace("select ", "select distinct ", 1)
            return f"{head} lower(btrim(t.found[1])) as value from {rows} as l cross join {texts} where true{limit}"
        value = column if self._is_one_type else f"cast({column} as text)"
        if self.reference.how == "name":
            pattern = (self.reference.pattern or "").replace("'", "''").replace(":", "\\:")
            value = f"lower(btrim(substring({column} from '{pattern}')))" if pattern else f"lower(btrim({column}))"
        return f"{head} {value} as value from {rows} as l where {column} is not null{limit}"

    @property
    def _is_one_type(self) -> bool:
        target = self.reference.target_columns[0]
        types = {each.type for each in self.source.columns if each.name == self.reference.column}
        return types == {each.type for each in self.target.columns if each.name == target}


def find_pointing(
    connection: sa.Connection, params: ReferenceParams, targets: Mapping[str, Table], planned: Iterable[str]
) -> list[Pointing]:
    """What may point at rows of *targets*: by id from every table, by name from those of users.

    A name in an imported row stands beside an id, which says the same.
    """
    found = [
        each
        for each in find_map(connection, params).references
        if each.target in targets and (each.how == "id" or each.is_users) and not each.is_past
    ]
    found += list(_parts(connection, [name for name in targets if name not in IMPORTED]))
    sources = read_catalog(connection, tuple({each.table for each in found}))
    here = set(planned)
    filled = {
        name: name in here or connection.scalar(sa.text(f"select exists (select from {quote('public', name)})"))
        for name in sources
    }
    return [
        Pointing(each, sources[each.table], targets[each.target], each.table in here, filled[each.table])
        for each in found
        if each.table in sources
    ]


def _parts(connection: sa.Connection, targets: Collection[str]) -> Iterator[Reference]:
    """Rows of users that belong to other rows of users: an undo of a repair may delete what it had brought back."""
    for each in read_foreign_keys(connection):
        if each.target in targets:
            yield Reference(**asdict(each), is_hard=True, is_users=True)


def keep_pointing(connection: sa.Connection, pointing: Iterable[Pointing]) -> None:
    """Keep with the plan what users' rows may point at it with where no foreign key would refuse its deletes."""
    connection.execute(
        sa.text(
            "create table if not exists undo_pointing (table_name text not null, column_name text not null,"
            " target text not null, target_column text not null, rows text)"
        )
    )
    rows = [
        {"table": each.source.name, "column": ref.column, "target": ref.target, "key": ref.target_column}
        | {"rows": ref.rows}
        for each in pointing
        if (ref := each.reference).is_users and not ref.is_hard and ref.how == "id"
    ]
    if rows:
        connection.execute(sa.text("insert into undo_pointing values (:table, :column, :target, :key, :rows)"), rows)


def still_pointing(connection: sa.Connection, plan: str) -> list[str]:
    """Rows of users that point at what the plan has deleted, in words; asked in the transaction that deletes.

    Somebody may have pointed at it after the plan was made, where no foreign key keeps that from being true.
    """
    if not connection.scalar(sa.text("select to_regclass(:name)"), {"name": quote(plan, "undo_pointing")}):
        return []
    told = []
    for row in connection.execute(sa.text(f"select * from {quote(plan, 'undo_pointing')} order by 1, 2")).all():
        live, column, key = quote("public", row.target), quote(row.column_name), quote(row.target_column)
        count = connection.scalar(
            sa.text(
                f"select count(*) from {quote('public', row.table_name)} where ({row.rows or 'true'})"
                f" and cast({column} as text) in ("
                f"select cast(p.{key} as text) from {quote(plan, row.target)} as p where p._op = 'delete'"
                f" except select cast(l.{key} as text) from {live} as l)"
            )
        )
        if count:
            told.append(f"{row.table_name}.{row.column_name}: {counted(count, 'row')}")
    return told
