"""The plan of a guarded command: what it brought under the ids that users know, or users' rows under its new ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote
from rally_etl.database.ownership import read_ownership
from rally_etl.database.references import ReferenceParams, find_references, read_reference_params
from rally_etl.errors import UsageError
from rally_etl.naming import Leagues
from rally_etl.planning import folding
from rally_etl.planning.operations import Kind, Planned
from rally_etl.planning.temporary import write_temporary
from rally_etl.protection.guard import imported_rows, user_rows
from rally_etl.protection.guard.imported_rows import Source
from rally_etl.protection.guard.reissued import ENTITIES, Reissued, map_ids

if TYPE_CHECKING:
    from rally_etl.settings import Settings

TOLD_LETTERS = 100  # of a command; all of it is in etl.guards
UNSURE = "may be several known ones"
OF_UNKNOWN = "says something of a thing that is not known"


def told(operation: Mapping[str, Any]) -> str:
    """The operation in a few words."""
    return "guard " + shorten(operation["command"], TOLD_LETTERS, placeholder=" …")


def leagues_of(_connection: sa.Connection, _leagues: Leagues, _operation: Mapping[str, Any]) -> list[str]:
    """A command may touch any league."""
    return []


def plan_guard(
    connection: sa.Connection,
    catalog: dict[str, Table],
    settings: Settings,
    run_id: str,
    operation: Mapping[str, Any],
    keys: list[str],
) -> Planned:
    """Plan what the guard of this run has decided on; the plan's schema comes first in ``search_path``.

    ``old_ids``: live is as before the command; what it brought becomes inserts and updates under the ids of before,
    what it dropped is switched off. ``direct``: live is as the command left it; what it dropped and what users had
    comes back under its ids. ``nothing`` and ``snapshot`` plan nothing.

    Raises:
        UsageError: the run has no guard.
    """
    guard = connection.execute(
        sa.text("select method, details from etl.guards where run_id = :run"), {"run": run_id}
    ).first()
    if guard is None:
        raise UsageError(f"run {run_id} guards no command; nothing was planned\nhint: rally-etl guard -- COMMAND")
    if guard.method not in ("old_ids", "direct"):
        return Planned()
    before, after = guard.details["snapshot"], guard.details["after"]
    reissued = map_ids(connection, settings, before, after)
    params = read_reference_params(settings.params_dir / "references.yaml")
    is_news = guard.method == "old_ids"
    ownership = read_ownership(settings.params_dir)
    source = Source(connection, after if is_news else before, is_news, ownership, params.practice_rows)
    held = _plan_imported(source, catalog, reissued, keys[0])
    touched = {} if is_news else _plan_users(source, run_id, catalog, params, keys)
    if not is_news:
        _redirect(connection, reissued, operation)
    for table in catalog.values():
        connection.execute(sa.text(f"update {quote(table.name)} set _leagues = cast(:keys as text[])"), {"keys": keys})
    return Planned(touched, held)


def _plan_imported(
    source: Source, catalog: Mapping[str, Table], reissued: Reissued, league: str
) -> Counter[tuple[str, str, str]]:
    """Plan imported tables, parents first; answer what stays out, and why."""
    held: Counter[tuple[str, str, str]] = Counter()
    _write_numbers(source, reissued)
    for name, table in catalog.items():
        if name not in ENTITIES:
            if left := imported_rows.plan_rows(source, table, league):
                held[name, OF_UNKNOWN, ""] += left
            continue
        pairs = reissued.tables[name]
        lacking = pairs.added if source.is_news else set(pairs.dropped)
        if lacking and (left := len(lacking) - imported_rows.number_added(source, table, lacking)):
            held[name, OF_UNKNOWN, ""] += left
        imported_rows.plan_entities(source, table, league)
        if source.is_news:
            imported_rows.plan_off(source, table, pairs.dropped, league)
        for old, others in pairs.unsure.items():
            held[name, UNSURE, f"{old}: {', '.join(map(str, others))}"] += 1
    return held


def _plan_users(
    source: Source, run_id: str, catalog: Mapping[str, Table], params: ReferenceParams, keys: list[str]
) -> dict[str, Table]:
    """Plan users' rows as they were, with the ids of now; answer their tables."""
    connection = source.connection
    references = find_references(connection, params, with_imported=True)
    tables = user_rows.user_tables(connection, source.schema)
    touched = user_rows.plan_users(source, run_id, tables, references, keys)
    user_rows.plan_practices(source, catalog[user_rows.SCHEDULE], references, keys)
    if found := folding.collisions(connection, touched):
        raise UsageError(
            f"{len(found)} rows of users could not stand beside others: {'; '.join(found)}; nothing was planned\n"
            "hint: look at what users have written while the command ran, then guard it again"
        )
    planned = touched | {user_rows.SCHEDULE: catalog[user_rows.SCHEDULE]}
    user_rows.write_repairs(connection, run_id, planned, params.secrets, params.practice_rows)
    return touched


def _redirect(connection: sa.Connection, reissued: Reissued, operation: Mapping[str, Any]) -> None:
    """Note what old ids are called now, but for those that something else has."""
    rows = [
        {"table": table, "old": old, "new": new, "by": operation["by"], "reason": operation["reason"]}
        for table, pairs in reissued.tables.items()
        for old, new in pairs.ids.items()
        if old != new and old not in pairs.after
    ]
    if rows:
        sql = "insert into new_redirects values (:table, :old, :new, :by, :reason)"
        connection.execute(sa.text(sql), rows)


def _write_numbers(source: Source, reissued: Reissued) -> None:
    """Make the temporary tables that `Source` names."""
    rows = [
        {"table_name": table, "from_id": new if source.is_news else old, "into_id": old if source.is_news else new}
        for table, pairs in reissued.tables.items()
        for old, new in pairs.ids.items()
    ]
    write_temporary(source.connection, "renumbered", rows, "table_name text, from_id integer, into_id integer")
    source.connection.execute(sa.text("create index on renumbered (table_name, from_id)"))
    persons = [
        {"from_key": new if source.is_news else old, "into_key": old if source.is_news else new}
        for old, new in reissued.persons.items()
    ]
    write_temporary(source.connection, "renumbered_persons", persons, "from_key text, into_key text")


KIND = Kind(told, leagues_of, plan_guard)
