"""What a publish decides about identity: aliases and redirects come into force, and the history is written on."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.identity.aliases import record_aliases
from rally_etl.identity.history import record_history
from rally_etl.planning.schema import schemas

_LEAGUES = """
    select league, league_id from etl.run_leagues
    where run_id = :run and league = any(:leagues) and league_id is not null
    order by league
    """
_REDIRECTS = """
    insert into etl.redirects (table_name, from_id, into_id, run_id, decided_by, reason)
    select table_name, from_id, into_id, :run, decided_by, reason from {plan}
    """
_DECIDED = """
    update etl.aliases as a set decided_by = r.operation ->> 'by', reason = r.operation ->> 'reason'
    from etl.runs as r where r.run_id = :run and a.run_id = :run and r.operation ->> 'by' is not null
    """
_END = "update etl.{table} set ended_at = clock_timestamp() where run_id = :undone and ended_at is null"
_UNMADE = (
    "update etl.constraint_changes set undone_at = clock_timestamp()"
    " where run_id = :undone and done_at is not null and undone_at is null"
)
_AGAIN = {
    "redirects": """
        insert into etl.redirects (table_name, from_id, into_id, run_id, decided_by, reason)
        select table_name, from_id, into_id, :run, decided_by, reason from etl.redirects
        where run_id = :again and ended_at is not null
        on conflict (table_name, from_id) where ended_at is null do nothing
        """,
    "aliases": """
        insert into etl.aliases (league, entity, spelling, target, strategy, confidence, evidence, run_id, decided_by,
                                 reason)
        select league, entity, spelling, target, strategy, confidence, evidence, :run, decided_by, reason
        from etl.aliases
        where run_id = :again and ended_at is not null
        on conflict (league, entity, spelling) where ended_at is null do nothing
        """,
}
"""An undo of an undo puts into force again what the first one ended."""


def before(connection: sa.Connection, run_id: str, leagues: list[str]) -> None:
    """Note in the history what stands in live before this publish, which older importers may have made."""
    _write_history(connection, leagues, run_id, None)


def after(connection: sa.Connection, run_id: str, leagues: list[str]) -> None:
    """Put the plan's decisions into force and note what its rows have become, in the publish's own transaction."""
    plan = quote(schemas(run_id)[0])
    _write_history(connection, leagues, run_id, run_id)
    record_aliases(connection, plan, run_id, leagues)
    operation = connection.execute(sa.text("select operation from etl.runs where run_id = :run"), {"run": run_id})
    doing = operation.scalar()
    if not doing:
        return
    connection.execute(sa.text(_REDIRECTS.format(plan=f"{plan}.new_redirects")), {"run": run_id})
    connection.execute(sa.text(_DECIDED), {"run": run_id})
    if doing["kind"] == "undo":
        _take_back(connection, run_id, doing["run"])


def _take_back(connection: sa.Connection, run_id: str, undone: str) -> None:
    """End what the undone run put into force; where it was an undo itself, what it had ended holds again."""
    operation = connection.execute(sa.text("select operation from etl.runs where run_id = :run"), {"run": undone})
    was = operation.scalar() or {}
    connection.execute(sa.text(_UNMADE), {"undone": undone})
    for table, again in _AGAIN.items():
        connection.execute(sa.text(_END.format(table=table)), {"undone": undone})
        if was.get("kind") == "undo":
            connection.execute(sa.text(again), {"run": run_id, "again": was["run"]})


def _write_history(connection: sa.Connection, leagues: list[str], run_id: str, written_by: str | None) -> None:
    found = connection.execute(sa.text(_LEAGUES), {"run": run_id, "leagues": leagues})
    for row in found.all():
        record_history(connection, row.league, row.league_id, written_by)
