"""Sequences that would give a new row an id that means something already: to a user's row, to the table, to history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import quote, read_catalog
from rally_etl.database.references import Reference, ReferenceParams, find_references
from rally_etl.measures import counted

TARGETS = ("leagues", "clubs", "series", "teams", "players")


@dataclass(frozen=True, slots=True)
class Behind:
    """One sequence that lags behind: the table it numbers, its next id, and the largest id that means something."""

    table: str
    sequence: str
    upcoming: int
    most: int
    told: str


def sequences_behind(connection: sa.Connection, params: ReferenceParams) -> list[str]:
    """One sentence per sequence, with the statement that mends it."""
    return [each.told for each in find_behind(connection, params)]


def find_behind(connection: sa.Connection, params: ReferenceParams) -> list[Behind]:
    """Sequences whose next ids mean something already.

    A row of a user that points at an id which is not there yet would silently belong to the next new team.
    """
    references = [each for each in find_references(connection, params) if each.is_users and each.target_column == "id"]
    behind = []
    for name, table in read_catalog(connection, TARGETS).items():
        if table.sequence is None:
            continue
        upcoming = connection.scalar(
            sa.text(f"select last_value + case when is_called then 1 else 0 end from {table.sequence}")
        )
        found = list(_taken(connection, name, upcoming, [each for each in references if each.target == name]))
        if found:
            most = max(number for number, _ in found)
            told = (
                f"{name}: the next new id is {upcoming}, but {' and '.join(text for _, text in found)}:"
                f" select setval('{table.sequence}', {most})"
            )
            behind.append(Behind(name, table.sequence, upcoming, most, told))
    return behind


def _taken(
    connection: sa.Connection, name: str, upcoming: int, references: list[Reference]
) -> Iterator[tuple[int, str]]:
    """Ids from *upcoming* on that mean something: the largest, and what it means it to."""
    largest = connection.scalar(sa.text(f"select max(id) from {quote('public', name)}"))
    if largest is not None and largest >= upcoming:
        yield largest, f"there is a row {largest}"
    history = connection.scalar(
        sa.text("select max(entity_id) from etl.entity_history where table_name = :name"), {"name": name}
    )
    if history is not None and history >= upcoming and history != largest:
        yield history, f"{history} was given before"
    for each in references:
        column = f"cast(u.{quote(each.column)} as bigint)"
        count, most = connection.execute(
            sa.text(
                f"select count(*), max({column}) from {quote('public', each.table)} as u"
                f" where {column} >= :upcoming and ({each.rows or 'true'})"
                f" and not exists (select from {quote('public', name)} as t where t.id = {column})"
            ),
            {"upcoming": upcoming},
        ).one()
        if count:
            yield most, f"{counted(count, 'row')} of {each.name} point at {most}"
