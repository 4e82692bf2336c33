"""Recorded aliases and redirects: what evidence and people have decided, for every later run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import readable_ledger

EVERYWHERE = "*"
"""The league of an alias of a club: leagues share clubs."""


@dataclass(frozen=True, slots=True)
class Alias:
    """One more spelling of something live.

    ``target``: id of the live row, for players the person key that live knows; ``strategy``: ``review``, ``merge``,
    ``roster`` (by its players) or ``name`` (of a person in the same team).
    """

    league: str
    entity: str
    spelling: str
    target: str
    strategy: str
    confidence: float = 1.0
    evidence: str = ""


def aliases_in_force(connection: sa.Connection, league: str, entity: str) -> dict[str, Alias]:
    """Spelling -> alias of one league (clubs: of `EVERYWHERE`), without ended ones; none without a ledger."""
    if "aliases" not in readable_ledger(connection):
        return {}
    rows = connection.execute(
        sa.text(
            "select league, entity, spelling, target, strategy, confidence, evidence from etl.aliases"
            " where league = :league and entity = :entity and ended_at is null"
        ),
        {"league": league, "entity": entity},
    )
    return {row.spelling: Alias(*row) for row in rows}


def redirected_ids(connection: sa.Connection, table: str) -> dict[int, int]:
    """Id of a live row that was merged -> id of the row it was merged into, at the end of the chain."""
    if "redirects" not in readable_ledger(connection):
        return {}
    rows = connection.execute(
        sa.text("select from_id, into_id from etl.redirects where table_name = :table and ended_at is null"),
        {"table": table},
    )
    into = {row.from_id: row.into_id for row in rows}
    return {row: _end(row, into) for row in into}


def plan_aliases(connection: sa.Connection, league: str, aliases: Iterable[Alias]) -> None:
    """Keep a league's aliases with the plan, whose schema comes first in ``search_path``, until it is published."""
    connection.execute(
        sa.text(
            """
            insert into new_aliases
            select :due, league, entity, spelling, target, strategy, confidence, evidence
            from jsonb_to_recordset(cast(:rows as jsonb)) as r(
                league text, entity text, spelling text, target text, strategy text, confidence double precision,
                evidence text)
            on conflict do nothing
            """
        ),
        {"due": league, "rows": json.dumps([asdict(alias) for alias in aliases])},
    )


PLAN_TABLES = """
    create table {plan}.new_aliases (
        due_with text not null, league text not null, entity text not null, spelling text not null,
        target text not null, strategy text not null, confidence double precision not null, evidence text not null,
        primary key (due_with, league, entity, spelling)
    );
    create table {plan}.new_redirects (
        table_name text not null, from_id integer not null, into_id integer not null, decided_by text not null,
        reason text not null, primary key (table_name, from_id)
    );
"""
"""Tables of a plan for what holds once it is published; ``due_with`` is the league whose publish does it."""


def record_aliases(connection: sa.Connection, plan: str, run_id: str, leagues: Iterable[str]) -> None:
    """Put the planned aliases of the published leagues into force; *plan* is the quoted schema of the plan.

    An alias in force that says something else about a spelling is ended.
    """
    binds = {"run": run_id, "leagues": sorted(leagues)}
    due = "n.due_with = any(:leagues)"
    connection.execute(
        sa.text(
            f"""
            update etl.aliases as a set ended_at = clock_timestamp()
            from {plan}.new_aliases as n
            where {due} and a.league = n.league and a.entity = n.entity and a.spelling = n.spelling
              and a.ended_at is null and a.target <> n.target
            """
        ),
        binds,
    )
    connection.execute(
        sa.text(
            f"""
            insert into etl.aliases (league, entity, spelling, target, strategy, confidence, evidence, run_id)
            select n.league, n.entity, n.spelling, n.target, n.strategy, n.confidence, n.evidence, :run
            from {plan}.new_aliases as n
            where {due}
            on conflict (league, entity, spelling) where ended_at is null do nothing
            """
        ),
        binds,
    )


def _end(row: int, into: dict[int, int]) -> int:
    seen = {row}
    while into.get(row) is not None and into[row] not in seen:
        row = into[row]
        seen.add(row)
    return row
