"""Run checks side by side: several read-only sessions that see one state of the database."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

import sqlalchemy as sa

from rally_etl import logs
from rally_etl.checks.files import LAST_YEAR, Check
from rally_etl.checks.results import SAMPLE_ROWS, CheckResult, Keys
from rally_etl.database.engine import clean_message
from rally_etl.database.same_moment import join_moment, one_moment
from rally_etl.settings import Settings

CONNECTIONS = 2
PARAMETERS = {
    "jit": "off",
    "work_mem": "64MB",
    "hash_mem_multiplier": "4",
    "enable_mergejoin": "off",
}
"""Of the session while it checks. Views have no statistics, and the planner would sort a million lines to be safe where
a hash table of the teams is enough."""

SHARED_PARAMETERS = PARAMETERS | {"max_parallel_workers_per_gather": "0"}
"""The same where several connections check at once: they share the processors already."""

Task = Callable[[sa.Connection], list[CheckResult]]
"""Asks one or more checks over a connection; what the database refuses is an errored result, not an exception."""

Progress = Callable[[CheckResult, int, int], None]
"""Called with each result, how many are done, and how many there will be."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the binds of the checks stand for in one run.

    Attributes:
        is_import: it takes in what somebody brings: a scrape, or a guarded command, whose rows may be live already.
        is_way_back: it leads to rows that were live before: an undo, a restore. Which checks these had passed is told.
    """

    run_id: str
    as_of: dt.date
    leagues: tuple[str, ...]
    is_import: bool = True
    is_way_back: bool = False


@dataclass(frozen=True, slots=True)
class Sessions:
    """Read-only sessions on one snapshot: what others write meanwhile shows in none of them."""

    connections: Sequence[sa.Connection]

    @property
    def first(self) -> sa.Connection:
        """The one for questions before and between the checks."""
        return self.connections[0]

    def look_in(self, *schemas: str) -> None:
        """Let bare names of tables be found in these schemas, in this order."""
        quote = self.first.dialect.identifier_preparer.quote_identifier
        for connection in self.connections:
            set_local(connection, {"search_path": ", ".join(quote(name) for name in schemas)})

    def run(self, tasks: Sequence[Task], progress: Progress | None = None) -> list[CheckResult]:
        """Spread the tasks over the sessions; results by league and name."""
        waiting: SimpleQueue[Task] = SimpleQueue()
        for task in tasks:
            waiting.put(task)
        results: list[CheckResult] = []
        done, lock = [0], threading.Lock()

        def work(connection: sa.Connection) -> None:
            for task in _taken(waiting):
                found = task(connection)
                with lock:
                    results.extend(found)
                    done[0] += 1
                    for result in found if progress else ():
                        progress(result, done[0], len(tasks))

        with ThreadPoolExecutor(len(self.connections)) as pool:
            for future in [pool.submit(work, connection) for connection in self.connections]:
                future.result()
        return sorted(results, key=lambda result: (result.league, result.check))


@contextmanager
def open_sessions(engine: sa.Engine, settings: Settings, *schemas: str) -> Iterator[Sessions]:
    """Open the sessions; bare names are found in *schemas*, in order."""
    timeout_s = settings.statement_timeout_s
    # A session that has nothing left to do waits for the other one's longest statement.
    idle = {"idle_in_transaction_session_timeout": f"{int(timeout_s + settings.idle_in_transaction_timeout_s)}s"}
    with ExitStack() as stack:
        connections = [stack.enter_context(engine.connect()) for _ in range(CONNECTIONS)]
        with one_moment(engine) as snapshot:
            for connection in connections:
                join_moment(connection, snapshot, timeout_s)
                set_local(connection, SHARED_PARAMETERS | idle)
        sessions = Sessions(connections)
        sessions.look_in(*schemas)
        yield sessions


def set_local(connection: sa.Connection, parameters: dict[str, str]) -> None:
    """Set parameters until the end of the transaction."""
    for name, value in parameters.items():
        connection.execute(sa.text("select set_config(:name, :value, true)"), {"name": name, "value": value})


def run_check(
    connection: sa.Connection,
    check: Check,
    league_id: int | None,
    *,
    league: str,
    facts: RunFacts,
    keep_keys: bool = True,
) -> CheckResult:
    """Run one check on what *connection* sees; a query that cannot run is `errored`, never passed.

    Args:
        league_id: ``leagues.id`` of the league there; None is an error, since nothing was looked at.
        keep_keys: bring the keys of all failing rows; only their number otherwise.

    Raises:
        sqlalchemy.exc.DBAPIError: the connection was lost; that is no answer of a check.
    """
    started = time.perf_counter()
    if league_id is None:
        return check.rule.result(league, "errored", error=f"league {league} is not in the table leagues")
    values = {"league_id": league_id, "run_id": facts.run_id, "as_of": facts.as_of}
    try:
        with connection.begin_nested():
            sql = counted(check, keep_keys=keep_keys)
            row = connection.execute(sa.text(sql), {name: values[name] for name in check.binds}).one()
            threshold = _threshold(connection, check, league, values, row.failing_rows)
    except sa.exc.SQLAlchemyError as error:
        if getattr(error, "connection_invalidated", False):
            raise
        told = _placed(check, error)
        logs.event("check.errored", league=league, check=check.rule.check, error_message=logs.message_of(error))
        return check.rule.result(league, "errored", error=told, seconds=time.perf_counter() - started)
    return check.rule.counted(
        league,
        row.failing_rows,
        threshold,
        check.silent_rows(league),
        seconds=time.perf_counter() - started,
        sample=row.sample,
        keys=Keys.of(row.keys, row.failing_rows),
    )


def counted(check: Check, *, keep_keys: bool = True) -> str:
    """The query wrapped so that one reading of the tables gives the number, the first and the keys of the failing rows.

    The keys are one text, a JSON array, or NULL where no row fails.
    """
    if not keep_keys:
        keys = "cast(null as text)"
    elif len(check.key) > 1:
        columns = ", ".join(check.key)
        keys = f"(select cast(json_agg(cast(row({columns}) as text)) as text) from failing)"
    elif check.key:
        keys = f"(select cast(json_agg(cast({check.key[0]} as text)) as text) from failing)"
    else:  # the first column, whatever it is called
        keys = "(select cast(json_agg(cast(_key as text)) as text) from failing as f (_key))"
    return f"""{_WRAPPING}{check.sql}
        )
        select
            (select count(*) from failing) as failing_rows,
            (select coalesce(json_agg(to_json(s)), '[]') from (select * from failing limit {SAMPLE_ROWS}) as s)
            as sample,
            {keys} as keys
        """


_WRAPPING = "with failing as materialized (\n"


def _placed(check: Check, error: sa.exc.SQLAlchemyError) -> str:
    """What the database says, with the file and the line that it speaks of."""
    told = clean_message(error)
    said = getattr(error, "orig", None)
    position = getattr(getattr(said, "diag", None), "statement_position", None)
    sent = getattr(getattr(said, "cursor", None), "query", None)
    if check.path is None or not position or not sent:
        return told
    before = sent.decode(errors="replace")[: int(position) - 1].count("\n") - _WRAPPING.count("\n")
    lines = check.sql.count("\n")
    file = Path(*check.path.parts[-4:])  # params/checks/<table>/<statement>.sql
    return f"{told} ({file} line {check.first_line + min(max(before, 0), lines)})"


def _threshold(connection: sa.Connection, check: Check, league: str, values: dict, failing_rows: int) -> float:
    """Failing rows that are tolerated; the share's base is counted only where it decides."""
    rows, share = check.rows_limit(league), check.share_limit(league)
    if failing_rows <= rows or not share or check.share_of is None:
        return float(rows)
    table = check.share_of.removesuffix(LAST_YEAR)
    recent = ""
    if check.share_of.endswith(LAST_YEAR):
        recent = " and (match_date > cast(:as_of as date) - 365 or created_at > cast(:as_of as date) - 365)"
    binds = {name: values[name] for name in ("league_id", "as_of") if name == "league_id" or recent}
    base = connection.scalar(sa.text(f"select count(*) from {table} where league_id = :league_id{recent}"), binds)
    return max(float(rows), share * base)


def _taken(waiting: SimpleQueue[Task]) -> Iterator[Task]:
    while True:
        try:
            yield waiting.get_nowait()
        except Empty:
            return
