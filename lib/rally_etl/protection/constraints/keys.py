"""Constraints that are missing, wrong or contradicted, and rows that stand in the way of those that are needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.measures import counted
from rally_etl.protection.constraints import twins
from rally_etl.protection.constraints.needed import ConstraintParams, Key, Link, read_constraint_params
from rally_etl.protection.constraints.standing import ForeignKey, Index, Standing, read_standing

if TYPE_CHECKING:
    from rally_etl.settings import Settings

KINDS = {
    "missing": "a constraint that is needed is not there",
    "partial": "a unique index on these columns is there for some rows only",
    "invalid": "it is there and does not hold: not valid, deferrable, on an expression",
    "contradicted": "a constraint forbids what is true",
    "violated": "rows contradict a constraint that is needed",
    "doubled_key": "the same unique key stands twice",
}
"""What can be wrong with constraints."""

SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with the constraints of the database met.

    Attributes:
        kind: one of `KINDS`.
        columns: of the key, as `params/constraints.yaml` names them.
        name: of the constraint or index that is wrong, "" where there is none.
        severity: ``error`` (no scrape may be read into it) or ``warn``.
        rows: how many rows fail.
        told: a sentence with values.
        why: why it matters.
        mend: what `constraints --repair` does about it.
    """

    kind: str
    table: str
    columns: tuple[str, ...]
    severity: str
    told: str
    why: str
    mend: str
    name: str = ""
    rows: int = 0

    def as_row(self) -> dict[str, Any]:
        """The finding as one flat object, for JSON and tables."""
        return asdict(self) | {"columns": list(self.columns)}


def find_constraints(connection: sa.Connection, settings: Settings) -> list[Finding]:
    """Compare the live database with `params/constraints.yaml`; errors first, then in the order of the file.

    Reads schema ``public`` and the ledger, writes nothing. Tables that are missing are left out.

    Raises:
        UsageError: `params/constraints.yaml` cannot be used.
    """
    params = read_constraint_params(settings.params_dir / "constraints.yaml")
    standing = read_standing(connection, params.tables)
    found = [
        *_keys(connection, params, standing),
        *_forbidden(params, standing),
        *_links(connection, params, standing),
        *_twins(connection, settings, standing),
    ]
    return sorted(found, key=lambda finding: finding.severity != "error")


def _keys(connection: sa.Connection, params: ConstraintParams, standing: Standing) -> Iterator[Finding]:
    for key in params.unique:
        columns = standing.columns.get(key.table)
        if columns is None or not key.is_about(columns):
            continue
        if lacking := [name for name in key.columns if name not in columns]:
            yield _finding(
                key,
                "missing",
                f"{key.table} has no column {', '.join(lacking)}",
                "nothing: a column comes with a migration of the application",
            )
            continue
        indexes = standing.indexes[key.table]
        right = [each for each in indexes if each.columns == set(key.columns) and each.fault(key.rows) is None]
        if len(right) > 1:
            names = " and ".join(each.name for each in right)
            yield _finding(
                key,
                "doubled_key",
                f"{key.table} has {names}, one key twice",
                "nothing: a statement may name either of them",
                name=right[-1].name,
                severity="warn",
            )
        if right:
            continue
        yield _lacking(key, indexes)
        if doubles := _doubles(connection, key):
            rows, told = doubles
            yield _finding(key, "violated", told, _mend_of_doubles(key), rows=rows)


def _lacking(key: Key, indexes: list[Index]) -> Finding:
    """What is said of a key that is not there: nothing like it, or something that does not hold it."""
    shown = f"({', '.join(key.columns)})"
    made = f"adds a unique key on {shown}" + (f" where {key.rows}" if key.rows else "")
    for index in indexes:
        fault = index.fault(key.rows)
        if fault and set(key.columns) in (index.columns, index.columns_used):
            kind = "partial" if index.predicate and index.is_valid and not index.has_expressions else "invalid"
            drops = "" if index.is_valid else f" and drops {index.name}"
            told = f"{key.table} has no unique key on {shown}: {index.name} {fault}"
            return _finding(key, kind, told, made + drops, name=index.name)
    return _finding(key, "missing", f"{key.table} has no unique key on {shown}", made)


def _doubles(connection: sa.Connection, key: Key) -> tuple[int, str] | None:
    """Rows that the key could not hold, with some values; None where there are none."""
    columns = ", ".join(quote(name) for name in key.columns)
    whole = " and ".join(
        [f"{quote(name)} is not null" for name in key.columns] + ([f"({key.rows})"] if key.rows else [])
    )
    row = connection.execute(
        sa.text(
            f"with doubled as (select {columns}, count(*) as row_count from {quote('public', key.table)}"
            f" where {whole} group by {columns} having count(*) > 1)"
            " select coalesce(sum(row_count), 0) as rows, count(*) as things, (select array_agg(said) from"
            f" (select concat_ws(', ', {columns}) as said from doubled order by 1 limit {SHOWN}) as s) as said"
            " from doubled"
        )
    ).one()
    if not row.things:
        return None
    more = f"; and {row.things - SHOWN:,} more" if row.things > SHOWN else ""
    said = f"{counted(int(row.rows), 'row')} of {key.table} share {', '.join(key.columns)}: {'; '.join(row.said)}{more}"
    return int(row.rows), said


def _mend_of_doubles(key: Key) -> str:
    if key.table in IMPORTED:
        return "makes one of those that say the same and asks about the others; then adds the key"
    return "asks a person: rows of users are never folded; the key is not added until they are one"


def _forbidden(params: ConstraintParams, standing: Standing) -> Iterator[Finding]:
    for key in params.forbidden:
        columns = standing.columns.get(key.table)
        if columns is None or not key.is_about(columns):
            continue
        for index in standing.indexes[key.table]:
            if index.columns == set(key.columns) and not index.has_expressions and not index.is_primary:
                shown = ", ".join(key.columns)
                told = f"{key.table}: {index.name} forbids two rows with the same {shown}"
                yield _finding(key, "contradicted", told, f"drops {index.name}", name=index.name)


def wrong_links(
    connection: sa.Connection, params: ConstraintParams, standing: Standing
) -> Iterator[tuple[Link, ForeignKey | None]]:
    """Foreign keys that are needed and do not stand, each with one that is there and not valid."""
    targets = read_standing(connection, {link.target for link in params.links}).columns
    for link in params.links:
        is_known = link.column in standing.columns.get(link.table, ())
        if not is_known or link.target_column not in targets.get(link.target, ()):
            continue
        ends = (link.table, link.column, link.target, link.target_column)
        same = [each for each in standing.foreign if (each.table, each.column, each.target, each.target_column) == ends]
        if not any(each.is_valid for each in same):
            yield link, same[0] if same else None


def dangling_rows(connection: sa.Connection, link: Link) -> tuple[int, str]:
    """Rows that point at nothing, and some of what they say."""
    column = f"x.{quote(link.column)}"
    row = connection.execute(
        sa.text(
            f"select count(*) as rows, (array_agg(distinct {column} order by {column}))[1\\:{SHOWN}] as said"
            f" from {quote('public', link.table)} as x where {column} is not null and not exists"
            f" (select from {quote('public', link.target)} as t where t.{quote(link.target_column)} = {column})"
        )
    ).one()
    return row.rows, ", ".join(str(value) for value in row.said or ())


def _links(connection: sa.Connection, params: ConstraintParams, standing: Standing) -> Iterator[Finding]:
    for link, there in wrong_links(connection, params, standing):
        place = f"{link.table}.{link.column}"
        if there:
            told = f"{place}: {there.name} is not valid: rows from before it were never looked at"
            yield _link_finding(link, "invalid", told, f"validates {there.name}", name=there.name)
        else:
            told = f"{place} has no foreign key to {link.target}"
            yield _link_finding(link, "missing", told, f"adds a foreign key to {link.target}")
        count, said = dangling_rows(connection, link)
        if count:
            told = f"{counted(count, 'row')} of {link.table} point at no row of {link.target}: {link.column} {said}"
            mend = "nothing: `rally-etl orphans --repair` mends them, then the key can be added"
            yield _link_finding(link, "violated", told, mend, rows=count)


def _twins(connection: sa.Connection, settings: Settings, standing: Standing) -> Iterator[Finding]:
    """Rows that no key sees as one, and that are one by the rules of naming."""
    for twin in twins.find_twins(connection, settings, standing):
        yield Finding(
            kind="violated",
            table=twin.table,
            columns=twin.columns,
            severity=twin.severity,
            told=twin.told,
            why=twin.why,
            mend=twin.mend,
            rows=twin.rows,
        )


def _finding(
    key: Key, kind: str, told: str, mend: str, *, name: str = "", rows: int = 0, severity: str = ""
) -> Finding:
    return Finding(
        kind=kind,
        table=key.table,
        columns=key.columns,
        severity=severity or key.severity,
        told=told,
        why=key.why,
        mend=mend,
        name=name,
        rows=rows,
    )


def _link_finding(link: Link, kind: str, told: str, mend: str, *, name: str = "", rows: int = 0) -> Finding:
    return Finding(
        kind=kind,
        table=link.table,
        columns=(link.column,),
        severity=link.severity,
        told=told,
        why=link.why,
        mend=mend,
        name=name,
        rows=rows,
    )
