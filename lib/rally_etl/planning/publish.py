"""Publish a plan: one short transaction that writes exactly what was planned, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote
from rally_etl.errors import PlanIsStale, RallyEtlError
from rally_etl.planning import decisions
from rally_etl.planning.departing import Counts, departing
from rally_etl.planning.recording import plan_hash
from rally_etl.planning.schema import read_planned, schemas
from rally_etl.planning.undo.pointing import still_pointing
from rally_etl.planning.written import check_nothing_else, read_counters

SHOWN_ROWS = 5
ALL_ROWS = "true"
ANALYSED_ROWS = 500  # from here on the next queries would go wrong with the statistics of before


@dataclass(frozen=True, slots=True)
class Published:
    """Rows written per table by one publish."""

    inserted: dict[str, int]
    updated: dict[str, int]
    deleted: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(sum(written.values()) for written in (self.inserted, self.updated, self.deleted))


def publish(
    engine: sa.Engine,
    run_id: str,
    leagues: Iterable[str],
    audit: Callable[[sa.Connection], list[str]] = lambda connection: [],
    first: Callable[[sa.Connection], None] = lambda connection: None,
    last: Callable[[sa.Connection], None] = lambda connection: None,
) -> Published:
    """Apply the plan of these leagues in one transaction.

    Every live row that changes must still be the one the plan was made from; row counts must match the plan; *audit*
    runs on the state made, before the commit, and names what fails. *first* runs in the same transaction, before the
    rows: it drops the constraints that the run takes away; *last* runs in it before the commit: it remembers what was
    written of users' rows.

    Raises:
        PlanIsStale: a live row moved, the plan is not the recorded one, a trigger or a foreign key would write other
            rows, or the database refused a row; then nothing was written.
        RallyEtlError: nobody has decided on the plan of a league, or it is published already.
    """
    keys = sorted(leagues)
    try:
        with engine.begin() as connection:
            _check_decided(connection, run_id, keys)
            first(connection)
            published = apply(connection, run_id, keys)
            # an empty plan makes no state that the candidate's checks have not seen
            if published.rows and (failing := audit(connection)):
                raise PlanIsStale(
                    f"the state that publishing would make fails {', '.join(failing)}; nothing was written"
                    "\nhint: open the report of the run, then run the scrape again"
                )
            last(connection)
            connection.execute(
                sa.text(
                    "update etl.run_leagues set state = 'published', published_at = clock_timestamp(),"
                    " cause = 'the plan was written and committed' where run_id = :run and league = any(:leagues)"
                ),
                {"run": run_id, "leagues": keys},
            )
    except sa.exc.IntegrityError as error:
        raise PlanIsStale(
            f"the database refused a planned row ({str(error.orig).strip().splitlines()[0]}); nothing was written"
            "\nhint: a row with the same key was probably added since the plan was made; run the scrape again"
        ) from error
    return published


def apply(connection: sa.Connection, run_id: str, leagues: Iterable[str]) -> Published:
    """Write the plan of these leagues in the transaction of *connection*, and see that nothing else was written.

    Raises:
        PlanIsStale: as for `publish`; the transaction is to be rolled back.
        sqlalchemy.exc.IntegrityError: the database refused a row.
    """
    keys = sorted(leagues)
    catalog = read_planned(connection, run_id)
    _check_plan_is_recorded(connection, run_id, catalog, keys)
    decisions.before(connection, run_id, keys)
    published = write_rows(connection, run_id, keys)
    decisions.after(connection, run_id, keys)
    return published


def write_rows(connection: sa.Connection, run_id: str, keys: list[str], *, analyses: bool = True) -> Published:
    """Write the planned rows of these leagues and nothing of the ledger; `apply` without what is decided with them.

    Args:
        analyses: whether large tables get new statistics, which stay when the transaction is rolled back.

    Raises:
        PlanIsStale, sqlalchemy.exc.IntegrityError: as for `apply`.
    """
    counters = read_counters(connection)
    catalog = read_planned(connection, run_id)
    published = Published({}, {})
    plan = schemas(run_id)[0]
    planned = {name: _Rows(connection, plan, table, keys, run_id) for name, table in catalog.items()}
    departs = departing(connection, plan, {name: rows.counts for name, rows in planned.items()})
    for rows in planned.values():
        rows.lock_before_images(connection)
    for name in reversed(catalog):  # children first; what points at a row that goes leaves it before
        published.deleted[name] = planned[name].delete(connection)
        published.updated[name] = planned[name].update(connection, departs[name]) if name in departs else 0
    for name, rows in planned.items():
        stays = f"not ({departs[name]})" if name in departs else ALL_ROWS
        published.updated[name] += rows.update(connection, stays)
        rows.check_updated(published.updated[name])
        published.inserted[name] = rows.insert(connection)
        if analyses and published.inserted[name] >= ANALYSED_ROWS:
            connection.execute(sa.text(f"analyze {quote('public', name)}"))
    if pointing := still_pointing(connection, plan):
        raise PlanIsStale(
            f"rows of users point at what would go ({'; '.join(pointing)}); nothing was written\n"
            "hint: they were written after the plan was made; make the plan again"
        )
    check_nothing_else(connection, counters, asdict(published))
    return published


DECIDED = ("audited", "approved")
"""States of a league whose plan may be published; `etl.state_steps` says the same."""


def _check_decided(connection: sa.Connection, run_id: str, keys: list[str]) -> None:
    """Lock the leagues' entries, so that two publishes of one plan are one after the other, and read their states."""
    rows = connection.execute(
        sa.text(
            "select league, state from etl.run_leagues where run_id = :run and league = any(:leagues)"
            " order by league for update"
        ),
        {"run": run_id, "leagues": keys},
    )
    states = {row.league: row.state for row in rows}
    for key in keys:
        if (state := states.get(key, "not of this run")) not in DECIDED:
            raise RallyEtlError(
                f"league {key} of run {run_id} is {state}; nothing was written\n"
                "hint: only a plan that the gate has decided on, or that was approved, is published, and that once"
            )


_PUBLISHED_SINCE = """
    select o.run_id, o.league
    from etl.run_leagues as o
    join etl.runs as r on r.run_id = :run
    where o.run_id <> r.run_id and o.league = any(:leagues) and o.published_at > r.started_at
    order by o.published_at desc limit 1
    """
"""Another run's publish of the league; where live has no unique key, before-images alone would not see its new rows."""
_ANSWERED_SINCE = """
    select q.number, q.league, q.name, q.state
    from etl.reviews as q
    join etl.runs as r on r.run_id = :run
    where q.league = any(:leagues) and q.decided_at > r.started_at
      and (q.kind <> 'orphan' or r.operation ->> 'kind' = 'orphans')
      and (q.state = 'accepted' or q.state = 'rejected' and q.is_held)
    order by q.number limit 1
    """
"""An answer that this plan does not use: it would publish as new what a person has said is known."""


def _check_plan_is_recorded(connection: sa.Connection, run_id: str, catalog: dict[str, Table], keys: list[str]) -> None:
    recorded = dict(
        connection.execute(
            sa.text(
                "select league, plan_hash from etl.run_leagues"
                " where run_id = :run and league = any(:leagues) and (published_at is null or state = 'undone')"
            ),
            {"run": run_id, "leagues": keys},
        ).all()
    )
    plan = schemas(run_id)[0]
    if not connection.execute(sa.text("select to_regnamespace(:plan)"), {"plan": quote(plan)}).scalar():
        raise PlanIsStale(
            f"the plan of run {run_id} is no longer kept; nothing was written\nhint: run the scrape again"
        )
    if overtaken := connection.execute(sa.text(_PUBLISHED_SINCE), {"run": run_id, "leagues": keys}).first():
        raise PlanIsStale(
            f"run {overtaken.run_id} published {overtaken.league} after this plan was made; nothing was written"
            "\nhint: run the scrape again"
        )
    if answered := connection.execute(sa.text(_ANSWERED_SINCE), {"run": run_id, "leagues": keys}).first():
        raise PlanIsStale(
            f"question {answered.number} ({answered.league}: {answered.name}) was {answered.state} after this plan was"
            " made, which does not know of it; nothing was written\nhint: run the scrape again"
        )
    for key in keys:
        if key not in recorded:
            raise RallyEtlError(
                f"league {key} of run {run_id} is published already or was not planned; nothing was written"
            )
        if recorded[key] != plan_hash(connection, run_id, catalog, key):
            raise PlanIsStale(
                f"the plan of {key} is not the one that was decided on; nothing was written\nhint: run the scrape again"
            )


class _Rows:
    """The planned rows of one table for the leagues that are published now.

    A row that several leagues of the run need (a club) goes with the first of them.
    """

    def __init__(self, connection: sa.Connection, plan: str, table: Table, leagues: list[str], run_id: str):
        self.table, self.live = table, quote("public", table.name)
        self.same_row = table.same("l", "p")
        self.after, self.before = quote(plan, table.name), quote(plan, f"{table.name}_before")
        self.binds = {"leagues": leagues, "run": run_id}
        self.due = (
            "p._leagues && cast(:leagues as text[])"
            " and not exists (select from etl.run_leagues as r where r.run_id = :run"
            " and r.published_at is not null and r.state <> 'undone' and r.league = any(p._leagues))"
        )
        self.inserts, self.updates, self.deletes = self._counted(connection)

    @property
    def counts(self) -> Counts:
        return Counts(self.inserts, self.updates, self.deletes)

    def _counted(self, connection: sa.Connection) -> sa.Row:
        return connection.execute(
            sa.text(
                "select count(*) filter (where p._op = 'insert'),"
                " count(*) filter (where p._op not in ('insert', 'delete')), count(*) filter (where p._op = 'delete')"
                f" from {self.after} as p where {self.due}"
            ),
            self.binds,
        ).one()

    def lock_before_images(self, connection: sa.Connection) -> None:
        """Lock the live rows that change and see that each still is what the plan was made from."""
        if not self.updates + self.deletes:
            return
        key = ", ".join(f"l.{quote(name)}" for name in self.table.key)
        connection.execute(
            sa.text(
                f"select {key} from {self.live} as l join {self.after} as p on {self.same_row}"
                f" where p._op <> 'insert' and {self.due} order by {key} for no key update of l"
            ),
            self.binds,
        )
        columns = self._columns_of(connection, self.before)
        same = ", ".join(f"l.{quote(name)}" for name in columns), ", ".join(f"b.{quote(name)}" for name in columns)
        moved = connection.execute(
            sa.text(
                f"select concat_ws(', ', {key.replace('l.', 'p.')}) as id, to_jsonb(b) as planned,"
                f" case when l.{quote(self.table.key[0])} is not null then to_jsonb(l) end as live"
                f" from {self.after} as p join {self.before} as b on {self.table.same('b', 'p')}"
                f" left join {self.live} as l on {self.same_row}"
                f" where p._op <> 'insert' and {self.due} and row({same[0]}) is distinct from row({same[1]})"
                f" order by {key.replace('l.', 'p.')} limit {SHOWN_ROWS}"
            ),
            self.binds,
        ).all()
        if moved:
            raise PlanIsStale(
                f"{'; '.join(_moved(self.table.name, row) for row in moved)}; nothing was written"
                "\nhint: somebody changed live rows after the plan was made; run the scrape again"
            )

    def delete(self, connection: sa.Connection) -> int:
        """Delete the rows that another one says already; their images stay in the plan, for undo."""
        if not self.deletes:
            return 0
        written = connection.execute(
            sa.text(
                f"delete from {self.live} as l using {self.after} as p"
                f" where {self.same_row} and p._op = 'delete' and {self.due}"
            ),
            self.binds,
        ).rowcount
        return self._exactly(written, self.deletes, "deleted")

    def update(self, connection: sa.Connection, which: str) -> int:
        """Write the columns that differ anywhere in the plan; columns kept by hand are not named at all.

        Args:
            which: SQL over the planned row ``p`` and its image before ``b``.
        """
        if not self.updates:
            return 0
        names = [name for name in self.table.column_names if name not in self.table.key]
        flags = ", ".join(f"bool_or(p.{quote(name)} is distinct from b.{quote(name)})" for name in names)
        both = f"{self.after} as p join {self.before} as b on {self.table.same('b', 'p')}"
        differs = connection.execute(sa.text(f"select {flags} from {both}")).one()
        changed = [name for name, is_changed in zip(names, differs, strict=True) if is_changed]
        source = both if which != ALL_ROWS else f"{self.after} as p"
        return connection.execute(
            sa.text(
                f"update {self.live} as l set {', '.join(f'{quote(name)} = p.{quote(name)}' for name in changed)}"
                f" from {source} where {self.same_row} and p._op not in ('insert', 'delete') and {self.due} and {which}"
            ),
            self.binds,
        ).rowcount

    def check_updated(self, written: int) -> None:
        """See that all updates of the table were written, in one step or two."""
        self._exactly(written, self.updates, "updated")

    def insert(self, connection: sa.Connection) -> int:
        """Insert the planned new rows under the ids that were taken for them."""
        if not self.inserts:
            return 0
        columns = ", ".join(quote(name) for name in self.table.column_names)
        written = connection.execute(
            sa.text(
                f"insert into {self.live} ({columns}) overriding system value"
                f" select {columns} from {self.after} as p where p._op = 'insert' and {self.due}"
            ),
            self.binds,
        ).rowcount
        return self._exactly(written, self.inserts, "inserted")

    def _exactly(self, written: int, due: int, verb: str) -> int:
        if written != due:
            raise PlanIsStale(
                f"{self.table.name}: {due:,} rows were planned, {written:,} would be {verb}; nothing was written"
                "\nhint: run the scrape again"
            )
        return written

    def _columns_of(self, connection: sa.Connection, before: str) -> list[str]:
        found = connection.execute(sa.text(f"select * from {before} limit 0")).keys()
        if set(found) != set(self.table.column_names):
            raise PlanIsStale(
                f"the columns of {self.table.name} changed since the plan was made; nothing was written"
                "\nhint: run the scrape again"
            )
        return list(found)


def _moved(table: str, row: sa.Row) -> str:
    if row.live is None:
        return f"{table} row {row.id} is gone"
    differing = [name for name, value in row.planned.items() if row.live.get(name) != value]
    told = ", ".join(f"{name} was {row.planned[name]!r}, is {row.live.get(name)!r}" for name in differing[:3])
    return f"{table} row {row.id} has changed: {told}"
