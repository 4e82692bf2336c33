"""What a publish decides about identity: aliases and redirects come into force, and the history is written on."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.identity.aliases import record_aliases
from rally_etl.identity.history import record_history
from rally_etl.planning.schema import read_planned, schemas

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
_END = {
    "redirects": "update etl.redirects set ended_at = clock_timestamp() where run_id = :undone and ended_at is null",
    # one that a league which stays published has brought too, holds
    "aliases": """
        update etl.aliases as a set ended_at = clock_timestamp()
        where a.run_id = :undone and a.ended_at is null and not exists (
            select from {then}.new_aliases as n
            join etl.run_leagues as l on l.run_id = :undone and l.league = n.due_with
            where l.published_at is not null and l.state <> 'undone' and not l.league = any(:leagues)
              and (n.league, n.entity, n.spelling) = (a.league, a.entity, a.spelling))
        """,
}
_UNMADE = (
    "update etl.constraint_changes set undone_at = clock_timestamp()"
    " where run_id = :undone and done_at is not null and undone_at is null"
)
_STATE = """
    update etl.run_leagues set state = :state, cause = :cause
    where run_id = :of and league = any(:leagues) and published_at is not null
      and (state = 'undone') = (:state <> 'undone')
    """
_UNDOES = """
    select operation ->> 'run' as undoes, coalesce(operation ->> 'by', 'nobody named') as by,
           coalesce(operation ->> 'reason', 'not said') as reason
    from etl.runs where run_id = :run and operation ->> 'kind' = 'undo'
    """
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
_REPLACED = """
    insert into etl.aliases (league, entity, spelling, target, strategy, confidence, evidence, run_id, decided_by,
                             reason)
    select distinct on (o.league, o.entity, o.spelling)
           o.league, o.entity, o.spelling, o.target, o.strategy, o.confidence, o.evidence, :run, o.decided_by, o.reason
    from etl.aliases as a
    join etl.runs as r on r.run_id = a.run_id
    join etl.aliases as o on (o.league, o.entity, o.spelling) = (a.league, a.entity, a.spelling)
        and o.ended_at between r.started_at and a.created_at and o.target <> a.target
    where a.run_id = :undone and a.ended_at is not null
    order by o.league, o.entity, o.spelling, o.ended_at desc
    on conflict (league, entity, spelling) where ended_at is null do nothing
    """
"""An alias that one of the undone run had replaced holds again: the run lock let no other run end any meanwhile."""
_NAMELESS = """
    update etl.aliases as a set ended_at = clock_timestamp()
    where a.ended_at is null and (
        a.entity = 'team' and a.target in (select cast(id as text) from {plan}.teams where _op = 'delete')
        or a.entity = 'club' and a.target in (select cast(id as text) from {plan}.clubs where _op = 'delete')
        or a.entity = 'series' and a.target in (select cast(id as text) from {plan}.series where _op = 'delete'))
    """
"""No spelling is one of a row that is gone, whoever said so."""
_NAMED_AGAIN = """
    insert into etl.aliases (league, entity, spelling, target, strategy, confidence, evidence, run_id, decided_by,
                             reason)
    select distinct on (o.league, o.entity, o.spelling)
           o.league, o.entity, o.spelling, o.target, o.strategy, o.confidence, o.evidence, :run, o.decided_by, o.reason
    from etl.aliases as o
    join etl.runs as r on r.run_id = :undone
    where o.run_id is distinct from :again and o.run_id is distinct from :undone
      and o.ended_at between r.started_at and (
          select max(l.published_at) from etl.run_leagues as l where l.run_id = :undone and l.league = any(:leagues))
    order by o.league, o.entity, o.spelling, o.ended_at desc
    on conflict (league, entity, spelling) where ended_at is null do nothing
    """
"""What `_NAMELESS` had ended holds again with the rows."""
_ASKED_IN_VAIN = """
    update etl.reviews set state = 'obsolete', reason = :why, decided_at = clock_timestamp()
    where state = 'open' and first_run = :of and league = any(:leagues)
    """
_ASKED_AGAIN = """
    update etl.reviews as q set state = 'open', reason = null, decided_at = null
    where q.state = 'obsolete' and q.reason = :why and q.league = any(:leagues) and not exists (
        select from etl.reviews as o where o.state = 'open' and o.league = q.league and o.entity = q.entity
          and o.kind = q.kind and o.spelling = q.spelling)
    """
"""Questions that the undone run was the first to ask are asked no more; they are again when it holds again."""
_NAMED = ("clubs", "series", "teams", "players")  # as `identity.history` has them


def before(connection: sa.Connection, run_id: str, leagues: list[str]) -> None:
    """Note in the history what stands in live before this publish, which older importers may have made."""
    _write_history(connection, leagues, run_id, None)


def after(connection: sa.Connection, run_id: str, leagues: list[str]) -> None:
    """Put the plan's decisions into force and note what its rows have become, in the publish's own transaction."""
    plan = quote(schemas(run_id)[0])
    _write_history(connection, leagues, run_id, run_id)
    _close_history(connection, run_id, leagues)
    record_aliases(connection, plan, run_id, leagues)
    operation = connection.execute(sa.text("select operation from etl.runs where run_id = :run"), {"run": run_id})
    doing = operation.scalar()
    if not doing:
        return
    connection.execute(sa.text(_REDIRECTS.format(plan=f"{plan}.new_redirects")), {"run": run_id})
    connection.execute(sa.text(_DECIDED), {"run": run_id})
    if doing["kind"] == "undo":
        _take_back(connection, run_id, doing["run"], leagues)


def _take_back(connection: sa.Connection, run_id: str, undone: str, leagues: list[str]) -> None:
    """End what these leagues of the undone run put into force; where it was an undo, what it had ended holds again."""
    operation = connection.execute(sa.text("select operation from etl.runs where run_id = :run"), {"run": undone})
    was, plan = operation.scalar() or {}, quote(schemas(run_id)[0])
    binds = {"run": run_id, "undone": undone, "leagues": leagues}
    again = was["run"] if was.get("kind") == "undo" else None
    connection.execute(sa.text(_UNMADE), {"undone": undone})
    for table, sql in _END.items():
        connection.execute(sa.text(sql.format(then=quote(schemas(undone)[0]))), binds)
        if again:
            connection.execute(sa.text(_AGAIN[table]), {"run": run_id, "again": again})
    connection.execute(sa.text(_REPLACED), binds)
    connection.execute(sa.text(_NAMELESS.format(plan=plan)), binds)
    if again:
        connection.execute(sa.text(_NAMED_AGAIN), binds | {"again": again})
    _move_chain(connection, run_id, leagues)


def _move_chain(connection: sa.Connection, run_id: str, leagues: list[str]) -> None:
    """States and questions of the undone run, and of those that it had taken back itself, in turn."""
    doing = connection.execute(sa.text(_UNDOES), {"run": run_id}).one()
    other, is_back = doing.undoes, False
    while other:
        done = "took back what had undone it" if is_back else "took it back"
        binds = {"of": other, "leagues": leagues, "state": "verified" if is_back else "undone"}
        binds |= {"cause": f"run {run_id} {done} ({doing.by}: {doing.reason})", "why": f"run {other} was taken back"}
        connection.execute(sa.text(_STATE), binds)
        connection.execute(sa.text(_ASKED_AGAIN if is_back else _ASKED_IN_VAIN), binds)
        before = connection.execute(sa.text(_UNDOES), {"run": other}).first()
        other, is_back = before and before.undoes, not is_back


def _close_history(connection: sa.Connection, run_id: str, leagues: list[str]) -> None:
    """What the run has deleted is called nothing any more."""
    for name in (name for name in read_planned(connection, run_id) if name in _NAMED):
        connection.execute(
            sa.text(
                "update etl.entity_history as h set valid_to = clock_timestamp(), ended_run = :run"
                f" from {quote(schemas(run_id)[0], name)} as p where p._op = 'delete'"
                " and p._leagues && cast(:leagues as text[]) and h.table_name = :table and h.entity_id = p.id"
                " and h.valid_to is null"
            ),
            {"run": run_id, "leagues": leagues, "table": name},
        )


def _write_history(connection: sa.Connection, leagues: list[str], run_id: str, written_by: str | None) -> None:
    found = connection.execute(sa.text(_LEAGUES), {"run": run_id, "leagues": leagues})
    for row in found.all():
        record_history(connection, row.league, row.league_id, written_by)
