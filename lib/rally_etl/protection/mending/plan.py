"""Plan the repair of orphans: images of the rows as they will be, and what is written down about each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote, read_catalog
from rally_etl.planning import schema
from rally_etl.planning.operations import REHEARSAL, Kind, Planned
from rally_etl.protection.automatic.references import due_of
from rally_etl.protection.finding import find_orphans
from rally_etl.protection.mending import row_images
from rally_etl.protection.mending.proposals import propose
from rally_etl.protection.mending.questions import write_questions
from rally_etl.protection.mending.repair import PLANNED, Repair

if TYPE_CHECKING:
    from rally_etl.naming import Leagues
    from rally_etl.settings import Settings


def told(operation: Mapping[str, Any]) -> str:
    """The repair in a few words."""
    return f"orphans of {operation['league']}" if operation.get("league") else "orphans"


def leagues_of(connection: sa.Connection, leagues: Leagues, operation: Mapping[str, Any]) -> list[str]:
    """Keys of the leagues that a repair concerns: the one it is limited to, or all."""
    return [leagues.get(operation["league"]).key] if operation.get("league") else []


def plan_mending(
    connection: sa.Connection,
    catalog: dict[str, Table],
    settings: Settings,
    run_id: str,
    operation: Mapping[str, Any],
    keys: list[str],
) -> Planned:
    """Find the orphans of live, and plan what is known of them; the plan's schema comes first in ``search_path``.

    What is planned, asked and left stands in ``etl.repairs``; what is asked also in the review queue. An automatic
    repair plans what it is about alone, and not again what somebody has taken back.
    """
    only = keys if operation.get("league") else None
    with _looking_at_live(connection):
        found = propose(connection, settings, find_orphans(connection, settings, leagues=only))
    repairs = [repair for repair in found if not repair.is_settled]
    repairs, others = due_of(connection, operation, repairs)
    tables = read_catalog(connection, tuple({*IMPORTED, *(repair.orphan.table for repair in repairs)}))
    touched, repairs = write_plan(connection, catalog, tables, run_id, repairs, keys)
    if run_id != REHEARSAL:
        write_repairs(connection, run_id, repairs)
        write_questions(connection, run_id, [*repairs, *others], only)
    return Planned(touched)


@contextmanager
def _looking_at_live(connection: sa.Connection) -> Iterator[None]:
    """Within it names without a schema are live tables, not the plan's."""
    path = connection.scalar(sa.text("show search_path"))
    to = sa.text("select set_config('search_path', :path, true)")
    connection.execute(to, {"path": "public, pg_temp"})
    yield
    connection.execute(to, {"path": path})


def write_plan(
    connection: sa.Connection,
    catalog: Mapping[str, Table],
    tables: Mapping[str, Table],
    run_id: str,
    repairs: Sequence[Repair],
    keys: list[str],
) -> tuple[dict[str, Table], list[Repair]]:
    """Write the rows of what is planned; a row that several repairs change is one row of the plan.

    Args:
        tables: every table that a repair is about, as live has it.

    Returns:
        the user tables for which plan tables were made; and the repairs, those that cannot be done as questions.
    """
    repairs = [_without_key(repair, tables) for repair in repairs]
    touched: dict[str, Table] = {}
    while True:
        due = [repair for repair in repairs if repair.state == PLANNED]
        for name in sorted({repair.orphan.table for repair in due} - catalog.keys() - touched.keys()):
            touched[name] = tables[name]
            schema.add_tables(connection, run_id, {name: tables[name]})
        for name in {repair.orphan.table for repair in due}:
            row_images.write(connection, tables[name], [each for each in due if each.orphan.table == name], keys)
        clashing = row_images.clashing_rows(connection, {**catalog, **touched})
        if not clashing:
            return touched, repairs
        before, repairs = repairs, [_unless_clashing(repair, clashing) for repair in repairs]
        if before == repairs:  # a row whose key changes clashes under the key that it would have
            tables_of = {table: why for (table, _), why in clashing.items()}
            repairs = [_asked_if(repair, tables_of.get(repair.orphan.table)) for repair in repairs]
        for name in {*touched, *(repair.orphan.table for repair in due)}:
            connection.execute(sa.text(f"delete from {quote(name)}"))


def _without_key(repair: Repair, tables: Mapping[str, Table]) -> Repair:
    table = tables.get(repair.orphan.table)
    if repair.state == PLANNED and (table is None or not table.key):
        return repair.asked(f"{repair.evidence}; but {repair.orphan.table} has nothing that tells its rows apart")
    return repair


def _unless_clashing(repair: Repair, clashing: Mapping[tuple[str, str], str]) -> Repair:
    return _asked_if(repair, clashing.get((repair.orphan.table, repair.orphan.row)))


def _asked_if(repair: Repair, why: str | None) -> Repair:
    return repair.asked(f"{repair.evidence}; but {why}") if why and repair.state == PLANNED else repair


def write_repairs(connection: sa.Connection, run_id: str, repairs: Iterable[Repair]) -> None:
    """Write down what a run makes of what it found: one row per column that changes, or per row or question."""
    rows = []
    for repair in repairs:
        orphan = repair.orphan
        shared = {
            "kind": orphan.kind, "action": repair.action, "table_name": orphan.table, "row_key": orphan.row,
            "image": repair.image, "target_table": orphan.target, "name": repair.name, "league": repair.league,
            "strategy": repair.strategy, "confidence": repair.confidence, "evidence": repair.evidence,
            "state": repair.state,
        }  # fmt: skip
        rows.append(shared | {"column_name": orphan.column, "was": orphan.was, "becomes": repair.becomes})
        rows += [
            shared | {"column_name": column, "was": was, "becomes": becomes}
            for column, (was, becomes) in repair.follows.items()
        ]
    connection.execute(
        sa.text(
            """
            insert into etl.repairs (run_id, number, kind, action, table_name, row_key, column_name, was, becomes,
                                     image, target_table, name, league, strategy, confidence, evidence, state)
            select :run, r.number, r.kind, r.action, r.table_name, r.row_key, r.column_name, r.was, r.becomes, r.image,
                   r.target_table, r.name, r.league, r.strategy, r.confidence, r.evidence, r.state
            from jsonb_to_recordset(cast(:rows as jsonb)) as r(
                number integer, kind text, action text, table_name text, row_key text, column_name text, was text,
                becomes text, image jsonb, target_table text, name text, league text, strategy text,
                confidence double precision, evidence text, state text)
            """
        ),
        {"run": run_id, "rows": json.dumps([row | {"number": number} for number, row in enumerate(rows, start=1)])},
    )


KIND = Kind(told, leagues_of, plan_mending)
"""The operation ``orphans``: ``league`` limits it to one, ``by`` and ``reason`` go to the ledger."""
