"""Runs without a scrape: what they do, which leagues they concern, and their plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from rally_etl import naming
from rally_etl.database.catalog import Table, quote, read_catalog
from rally_etl.errors import UsageError
from rally_etl.identity.aliases import PLAN_TABLES
from rally_etl.planning import merge, normalise, schema, undo

if TYPE_CHECKING:
    from rally_etl.settings import Settings

REHEARSAL = "rehearsal"
T = TypeVar("T")


def of_run(connection: sa.Connection, run_id: str) -> dict[str, Any] | None:
    """What a run without a scrape does; None for an import."""
    return connection.scalar(sa.text("select operation from etl.runs where run_id = :run"), {"run": run_id})


Held = Mapping[tuple[str, str, str], int]
"""(table, reason, what) -> rows that stay as they are, for the run's report."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What planning an operation answers. ``touched``: user tables that the plan has tables for, by name."""

    touched: dict[str, Table] = field(default_factory=dict)
    held: Held = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of operation.

    Attributes:
        told: the operation in a few words, which stand where an import has its scrape folder.
        leagues_of: (connection, leagues, operation) -> keys of the leagues it concerns; none means all.
        plan: (connection, catalog, settings, run_id, operation, keys) writes the plan; the plan's schema comes first
            in ``search_path``. Raises UsageError where it cannot be done.
        makes_rows: False where its plan never has a row, so that no id is taken from a sequence.
    """

    told: Callable[[Mapping[str, Any]], str]
    leagues_of: Callable[[sa.Connection, naming.Leagues, Mapping[str, Any]], list[str]]
    plan: Callable[..., Planned]
    makes_rows: bool = True


Kinds = Mapping[str, Kind]


def told(operation: Mapping[str, Any], kinds: Kinds) -> str:
    """The operation in a few words; one that nobody asked for by hand is told by what it mends."""
    problem = operation.get("problem")
    return f"automatic repair: {problem}" if problem else kinds[operation["kind"]].told(operation)


def leagues_of(engine: sa.Engine, settings: Settings, operation: Mapping[str, Any], kinds: Kinds) -> list[str]:
    """Keys of the leagues that an operation concerns.

    Raises:
        UsageError: it names rows or a run that do not exist, or nothing of it is in any league.
    """
    leagues = naming.load_leagues(settings.params_dir)
    with engine.connect() as connection:
        keys = kinds[operation["kind"]].leagues_of(connection, leagues, operation)
        known = connection.scalars(sa.text("select league_id from public.leagues order by 1")).all()
    if not known and not keys:
        raise UsageError("the database holds no league; nothing was planned\nhint: import a scrape first")
    return keys or sorted({leagues.canonical(key) or key for key in known})  # what no league has, all answer for


def plan_operation(
    connection: sa.Connection,
    catalog: dict[str, Table],
    settings: Settings,
    run_id: str,
    operation: Mapping[str, Any],
    kinds: Kinds,
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
    if operation["kind"] not in kinds:
        raise UsageError(f"no run does {operation['kind']!r}; nothing was planned\nhint: {', '.join(kinds)}")
    planned = kinds[operation["kind"]].plan(connection, catalog, settings, run_id, operation, keys)
    _hold(connection, run_id, keys[0], planned.held)
    return planned.touched


def _hold(connection: sa.Connection, run_id: str, league: str, held: Held) -> None:
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


def rehearse(
    engine: sa.Engine,
    settings: Settings,
    operation: Mapping[str, Any],
    keys: list[str],
    kinds: Kinds,
    reading: Callable[[sa.Connection], T] = lambda connection: None,
) -> T:
    """Plan an operation and forget the plan, so that what cannot be done is said before a run begins.

    Args:
        reading: called before the plan is forgotten, with its schema first in ``search_path``; its answer is answered.

    Raises:
        UsageError: it cannot be done.
    """
    with engine.connect() as connection, connection.begin() as transaction:
        catalog = read_catalog(connection)
        schema.create_plan(connection, REHEARSAL, catalog)
        plan = quote(schema.schemas(REHEARSAL)[0])
        connection.execute(sa.text(PLAN_TABLES.format(plan=plan)))
        connection.execute(sa.text(f"set local search_path = {plan}, pg_temp"))
        plan_operation(connection, catalog, settings, REHEARSAL, operation, kinds, keys)
        answer = reading(connection)
        transaction.rollback()
    return answer


def _merge(*arguments: Any) -> Planned:
    return Planned(merge.plan_merge(*arguments))


def _undo(*arguments: Any) -> Planned:
    return Planned(*undo.plan_undo(*arguments))


def _normalise(*arguments: Any) -> Planned:
    return Planned(held=normalise.plan_normalise(*arguments[:-1]))


def _undone_leagues(connection: sa.Connection, leagues: naming.Leagues, operation: Mapping[str, Any]) -> list[str]:
    asked = [leagues.canonical(key) or key for key in operation.get("leagues") or ()]
    return undo.leagues_of(connection, {**operation, "leagues": asked})


def _league_of(_connection: sa.Connection, leagues: naming.Leagues, operation: Mapping[str, Any]) -> list[str]:
    return [leagues.canonical(operation["league"]) or operation["league"]]


KINDS: Kinds = {
    "merge": Kind(merge.told, merge.leagues_of, _merge),
    "undo": Kind(undo.told, _undone_leagues, _undo),
    "normalise": Kind(lambda operation: f"normalise {operation['league']}", _league_of, _normalise),
}
"""What planning itself can do without a scrape; `rally_etl.operations` has all there is."""
