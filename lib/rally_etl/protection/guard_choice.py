"""How the outcome of a guarded command is taken over: under its new ids or under the old ones, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rally_etl.database.catalog import IMPORTED, quote, read_catalog
from rally_etl.database.references import find_references, read_reference_params
from rally_etl.errors import UsageError
from rally_etl.measures import counted
from rally_etl.naming.yaml_file import read_mapping
from rally_etl.planning.pointers import PERSON_KEY
from rally_etl.protection import guard_users
from rally_etl.protection.guard_images import TARGETS, Source
from rally_etl.protection.reissued import ENTITIES, map_ids

if TYPE_CHECKING:
    from rally_etl.settings import Settings

DIRECT, OLD_IDS = "direct", "old_ids"


class GuardParams(BaseModel):
    """`params/guard.yaml`; ``preserved`` is a share from 0 to 1, ``timeout_s`` seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    preserved: Annotated[float, Field(ge=0, le=1)]
    timeout_s: Annotated[float, Field(gt=0)]


def load_guard_params(params_dir: Path) -> GuardParams:
    """Read the file.

    Raises:
        UsageError: it is missing, or a value is missing, unknown or out of range.
    """
    path = params_dir / "guard.yaml"
    try:
        return GuardParams.model_validate(read_mapping(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"{path}: key `{'.'.join(map(str, first['loc']))}`: {first['msg']}, not {first.get('input')!r};"
            " the command was not started\nhint: compare it with the project's own file"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The method, in words why, and what it was chosen by.

    Attributes:
        users_changes: references of users' rows that would get new ids.
        imported_changes: imported rows that would get old ids, or references to them.
        counts: what became of the ids, a row per table (`Reissued.counts`).
        unsure, dropped: table -> what may be several things, and what nothing after stands for, as texts.
    """

    method: str
    why: str
    preserved: int
    entities: int
    users_changes: int
    imported_changes: int
    counts: list[dict[str, Any]]
    unsure: dict[str, list[str]]
    dropped: dict[str, list[str]]


def choose(connection: sa.Connection, settings: Settings, before: str, params: GuardParams) -> Choice:
    """Decide by the share of preserved ids, and by which way changes less.

    Args:
        before: schema with the picture taken before the command; live is as the command left it. Temporary tables are
            made, which go with the transaction.
    """
    reissued = map_ids(connection, settings, before, "public")
    reissued.write(connection)
    references = read_reference_params(settings.params_dir / "references.yaml")
    found = find_references(connection, references, with_imported=True)
    tables = guard_users.user_tables(connection, before)
    users = 0
    for each in found:
        if each.table in tables or (each.table == guard_users.SCHEDULE and each.rows == references.practice_rows):
            users += _repointed(connection, before, each.table, each.column, each.target, each.target_column, each.rows)
    imported = _reissued_rows(connection)
    rate = f"{reissued.preserved:,} of {counted(reissued.entities, 'id')} still mean the same ({reissued.rate:.1%})"
    source = Source(connection, before, False, (), references.practice_rows)
    outside = sorted({each.table for each in found} - tables.keys() - set(IMPORTED))
    either = f"{counted(users, 'reference')} of users would get new ids, {counted(imported, 'imported row')} old ones"
    if reissued.is_unsure:
        method, why = OLD_IDS, f"{rate}, but some things may be several others"
    elif outside:
        method, why = OLD_IDS, f"{rate}, but {', '.join(outside)} is not guarded and knows only the old ids"
    elif unkeyed := guard_users.unkeyed(source, tables):
        method, why = OLD_IDS, f"{rate}, but rows of {', '.join(unkeyed)} have changed and have no key"
    elif reissued.rate < params.preserved:
        method, why = OLD_IDS, f"{rate}, fewer than {params.preserved:.0%}; {either}"
    elif imported < users:
        method, why = OLD_IDS, f"{rate}; {either}, which is fewer changes"
    else:
        method, why = DIRECT, f"{rate}; {either}"
    return Choice(
        method=method,
        why=why,
        preserved=reissued.preserved,
        entities=reissued.entities,
        users_changes=users,
        imported_changes=imported,
        counts=reissued.counts(),
        unsure={
            table: [f"{old}: {', '.join(map(str, others))}" for old, others in sorted(pairs.unsure.items())]
            for table, pairs in reissued.tables.items()
            if pairs.unsure
        },
        dropped={
            table: sorted(f"{name} ({old})" for old, name in pairs.dropped.items())
            for table, pairs in reissued.tables.items()
            if pairs.dropped
        },
    )


def _repointed(
    connection: sa.Connection, before: str, table: str, column: str, target: str, target_column: str, rows: str | None
) -> int:
    """Rows of users whose reference has another id now."""
    value = f"s.{quote(column)}"
    if target in ENTITIES and target_column == "id":
        into = f"reissued as r on r.table_name = '{target}' and r.old_id = {value} and r.new_id <> r.old_id"
    elif target_column == PERSON_KEY:
        into = f"reissued_persons as r on r.old = {value}"
    else:
        return 0
    part = f"(select * from {quote(before, table)}{f' where {rows}' if rows else ''})"
    return connection.scalar(sa.text(f"select count(*) from {part} as s join {into}"))


def _reissued_rows(connection: sa.Connection) -> int:
    """Imported rows of live that have another id than before, or refer to one that has."""
    found = 0
    for name, table in read_catalog(connection).items():
        others = [
            f"l.{quote(column)} in (select new_id from reissued where table_name = '{target}' and new_id <> old_id)"
            for column, target in [*TARGETS.items(), *([("id", name)] if name in ENTITIES else [])]
            if table.has(column) and (column == "id" or target != name)
        ]
        if others:
            sql = f"select count(*) from {quote('public', name)} as l where {' or '.join(others)}"
            found += connection.scalar(sa.text(sql))
    return found
