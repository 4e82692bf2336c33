"""Runs without a scrape: what they do, which leagues they concern, and their plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl import naming
from rally_etl.database.catalog import Table, quote, read_catalog
from rally_etl.errors import UsageError
from rally_etl.identity.aliases import PLAN_TABLES
from rally_etl.planning import merge, normalise, schema, undo

if TYPE_CHECKING:
    from rally_etl.settings import Settings

REHEARSAL = "rehearsal"


def of_run(connection: sa.Connection, run_id: str) -> dict[str, Any] | None:
    """What a run without a scrape does; None for an import."""
    return connection.scalar(sa.text("select operation from etl.runs where run_id = :run"), {"run": run_id})


def told(operation: Mapping[str, Any]) -> str:
    """An operation in a few words, which stand where an import has its scrape folder."""
    if operation["kind"] == "merge":
        return merge.told(operation)
    if operation["kind"] == "undo":
        return f"undo {operation['run']}"
    return f"{operation['kind']} {operation['league']}"


def leagues_of(engine: sa.Engine, settings: Settings, operation: Mapping[str, Any]) -> list[str]:
    """Keys of the leagues that an operation concerns.

    Raises:
        UsageError: it names rows or a run that do not exist, or nothing of it is in any league.
    """
    leagues = naming.load_leagues(settings.params_dir)
    with engine.connect() as connection:
        if operation["kind"] == "merge":
            keys = merge.leagues_of(connection, leagues, operation)
        elif operation["kind"] == "undo":
            keys = undo.leagues_of(connection, operation)
        else:
            keys = [leagues.canonical(operation["league"]) or operation["league"]]
        known = connection.scalars(sa.text("select league_id from public.leagues order by 1")).all()
    if not known:
        raise UsageError("the database holds no league; nothing was planned\nhint: import a scrape first")
    return keys or sorted({leagues.canonical(key) or key for key in known})  # what no league has, all answer for


def plan_operation(
    connection: sa.Connection,
    catalog: dict[str, Table],
    settings: Settings,
    run_id: str,
    operation: Mapping[str, Any],
    keys: list[str] | None = None,
) -> dict[str, Table]:
    """Write the plan of an operation; every row of it concerns all leagues of the run, which are published together.

    The plan's schema comes first in ``search_path``.

    Args:
        keys: the leagues; None reads those of the run.

    Returns:
        the user tables that the plan has tables for.

    Raises:
        UsageError: it cannot be done; the message says why.
    """
    if keys is None:
        sql = "select league from etl.run_leagues where run_id = :run order by league"
        keys = list(connection.scalars(sa.text(sql), {"run": run_id}))
    if operation["kind"] == "merge":
        return merge.plan_merge(connection, catalog, settings, run_id, operation, keys)
    if operation["kind"] == "undo":
        touched, held = undo.plan_undo(connection, catalog, settings, run_id, operation, keys)
        _hold(connection, run_id, keys[0], held)
        return touched
    if operation["kind"] == "normalise":
        _hold(connection, run_id, keys[0], normalise.plan_normalise(connection, catalog, settings, run_id, operation))
        return {}
    raise UsageError(f"no run does {operation['kind']!r}; nothing was planned\nhint: merge, undo or normalise")


def _hold(connection: sa.Connection, run_id: str, league: str, held: Mapping[tuple[str, str, str], int]) -> None:
    """Note what stays as it is, and why, for the run's report."""
    if held and run_id != REHEARSAL:
        connection.execute(
            sa.text(
                "insert into etl.held_rows (run_id, league, kind, reason, name, row_count)"
                " values (:run, :league, :kind, :reason, :name, :count)"
            ),
            [
                {"run": run_id, "league": league, "kind": kind, "reason": why, "name": name, "count": count}
                for (kind, why, name), count in held.items()
            ],
        )


def rehearse(engine: sa.Engine, settings: Settings, operation: Mapping[str, Any], keys: list[str]) -> None:
    """Plan an operation and forget the plan, so that what cannot be done is said before a run begins.

    Raises:
        UsageError: it cannot be done.
    """
    with engine.connect() as connection, connection.begin() as transaction:
        catalog = read_catalog(connection)
        schema.create_plan(connection, REHEARSAL, catalog)
        plan = quote(schema.schemas(REHEARSAL)[0])
        connection.execute(sa.text(PLAN_TABLES.format(plan=plan)))
        connection.execute(sa.text(f"set local search_path = {plan}, pg_temp"))
        plan_operation(connection, catalog, settings, REHEARSAL, operation, keys)
        transaction.rollback()
