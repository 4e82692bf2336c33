"""Run the checks: on a candidate, inside a publish, on the live database."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

import sqlalchemy as sa

from rally_etl.checks.constraints import Constraint, candidate_constraints, live_constraints, run_constraint
from rally_etl.checks.files import LAST_YEAR, Check, read_checks
from rally_etl.checks.results import SAMPLE_ROWS, CheckResult, outcome_of, write_results
from rally_etl.database.catalog import quote
from rally_etl.database.engine import clean_message, read_only
from rally_etl.errors import UsageError
from rally_etl.naming import load_leagues
from rally_etl.planning.schema import schemas
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

Progress = Callable[[CheckResult, int, int], None]
"""Called with each result, how many are done, and how many there will be."""

_LIVE = "live"
OF_CONSTRAINTS = "constraint/"
"""How the names of checks begin that ask for what the live tables' own constraints demand."""

_NO_WORSE = sa.text(
    "select check_name, cast(threshold as bigint) from etl.check_results"
    " where run_id = :run_id and league = :league and severity = 'error' and outcome = 'warned'"
)


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


def run_checks(
    engine: sa.Engine, settings: Settings, run_id: str, progress: Progress | None = None
) -> list[CheckResult]:
    """Run every check for every league of the run on its candidate, and keep the results in the ledger.

    A run without a scrape mends what it can: a check that fails in live already, on as many rows or more, is a warning
    there. The undo of such a run brings back what it had mended: what fails then is a warning, but for what the
    database's own constraints demand. An import, and its undo, stay measured by the check itself.

    Raises:
        UsageError: the run is unknown, or a check file is not as it should be.
    """
    checks = read_checks(settings.params_dir)
    plan, candidate = schemas(run_id)
    with read_only(engine, candidate, "public") as connection:
        facts = run_facts(connection, run_id)
        league_ids = find_league_ids(connection, settings, facts.leagues, run_id)
        constraints = candidate_constraints(connection, plan, run_id)
    tasks = _file_tasks(checks, league_ids, facts) + _constraint_tasks(constraints, list(facts.leagues))
    results = _run_all(engine, settings, (candidate, "public"), tasks, progress)
    if not facts.is_import:
        results = _compared_with_live(engine, settings, results, checks, league_ids, facts)
    write_results(engine, run_id, results)
    return results


def check_live(
    engine: sa.Engine, settings: Settings, as_of: dt.date | None = None, progress: Progress | None = None
) -> list[CheckResult]:
    """Run every check for every league of the live database; nothing is written.

    Args:
        as_of: the day that counts as today; None is today in UTC.
    """
    checks = read_checks(settings.params_dir)
    known = load_leagues(settings.params_dir)
    with read_only(engine, "public") as connection:
        rows = connection.execute(sa.text("select league_id, id from leagues order by id")).all()
        constraints = live_constraints(connection)
    keys = {row.league_id: known.canonical(row.league_id) or row.league_id for row in rows}
    facts = RunFacts(_LIVE, as_of or dt.datetime.now(dt.UTC).date(), tuple(keys.values()))
    tasks = [task for row in rows for task in _file_tasks(checks, {keys[row.league_id]: row.id}, facts)]
    tasks += _constraint_tasks(constraints, sorted(set(keys.values())), keys)
    return _run_all(engine, settings, ("public",), tasks, progress)


def blocking_failures(
    connection: sa.Connection,
    checks: Iterable[Check],
    league_id: int | None,
    *,
    league: str,
    run_id: str,
    as_of: dt.date,
    tolerated: Mapping[str, int] | None = None,
) -> list[str]:
    """Names of the `error` checks that fail, or cannot run, on what *connection* sees; for use inside a publish.

    Args:
        connection: an open transaction whose ``search_path`` begins with the schema to check; it stays usable.
        tolerated: check -> failing rows that were there before.
    """
    facts = RunFacts(run_id, as_of, (league,))
    wanted = [check for check in checks if check.severity == "error" and check.is_for(league)]
    results = (run_check(connection, check, league_id, league=league, facts=facts) for check in wanted)
    before = tolerated or {}
    return [
        result.check
        for result in results
        if result.blocks and (result.failing_rows is None or result.failing_rows > before.get(result.check, 0))
    ]


def audit(connection: sa.Connection, settings: Settings, run_id: str, league: str) -> list[str]:
    """Names of the `error` checks that the live tables fail as this open publish has made them."""
    facts = run_facts(connection, run_id)
    _set_local(connection, PARAMETERS | {"search_path": "public"})
    league_id = find_league_ids(connection, settings, [league], run_id)[league]
    checks = read_checks(settings.params_dir)
    tolerated = _tolerated(connection, facts, league)
    return blocking_failures(
        connection, checks, league_id, league=league, run_id=run_id, as_of=facts.as_of, tolerated=tolerated
    )


def blocking_on_live(engine: sa.Engine, settings: Settings, run_id: str, leagues: Iterable[str]) -> list[CheckResult]:
    """Results of `error` checks that the live tables fail, or that cannot run, after a publish of these leagues.

    What fails there and failed before, on as many rows or more, is none where the run may leave it so (`run_checks`).
    """
    checks = [check for check in read_checks(settings.params_dir) if check.severity == "error"]
    with read_only(engine, "public") as connection:
        facts = run_facts(connection, run_id)
        league_ids = find_league_ids(connection, settings, leagues, run_id)
        tolerated = {league: _tolerated(connection, facts, league) for league in league_ids}
    results = _run_all(engine, settings, ("public",), _file_tasks(checks, league_ids, facts), None)
    return [
        result
        for result in results
        if result.blocks
        and (result.failing_rows is None or result.failing_rows > tolerated[result.league].get(result.check, 0))
    ]


def _tolerated(connection: sa.Connection, facts: RunFacts, league: str) -> dict[str, int]:
    """Check -> failing rows that the run may leave as they are."""
    told = {"league": league, "run_id": facts.run_id}
    return {} if facts.is_import else dict(connection.execute(_NO_WORSE, told).all())


def run_check(
    connection: sa.Connection, check: Check, league_id: int | None, *, league: str, facts: RunFacts
) -> CheckResult:
    """Run one check on what *connection* sees; a query that cannot run is `errored`, never passed.

    Args:
        league_id: ``leagues.id`` of the league there; None is an error, since nothing was looked at.

    Raises:
        sqlalchemy.exc.DBAPIError: the connection was lost; that is no answer of a check.
    """
    started = time.perf_counter()
    told = {
        "check": check.name,
        "league": league,
        "severity": check.severity,
        "dimension": check.dimension,
        "title": check.title,
    }
    if league_id is None:
        return CheckResult(**told, outcome="errored", error=f"league {league} is not in the table leagues")
    values = {"league_id": league_id, "run_id": facts.run_id, "as_of": facts.as_of}
    try:
        with connection.begin_nested():
            row = connection.execute(sa.text(counted(check.sql)), {name: values[name] for name in check.binds}).one()
            threshold = _threshold(connection, check, league, values, row.failing_rows)
    except sa.exc.SQLAlchemyError as error:
        if getattr(error, "connection_invalidated", False):
            raise
        return CheckResult(**told, outcome="errored", error=clean_message(error), seconds=time.perf_counter() - started)
    return CheckResult(
        **told,
        outcome=outcome_of(check.severity, row.failing_rows, threshold),
        failing_rows=row.failing_rows,
        threshold=threshold,
        seconds=time.perf_counter() - started,
        sample=row.sample,
    )


def counted(sql: str) -> str:
    """The query wrapped so that one reading of the tables gives the number of failing rows and the first of them."""
    return f"""
        with failing as materialized (
{sql}
        )
        select
            (select count(*) from failing) as failing_rows,
            (select coalesce(jsonb_agg(to_jsonb(s)), '[]') from (select * from failing limit {SAMPLE_ROWS}) as s)
            as sample
        """


def run_facts(connection: sa.Connection, run_id: str) -> RunFacts:
    """Day and leagues of a run as the ledger has them.

    Raises:
        UsageError: there is no such run.
    """
    sql = (
        "select r.as_of, coalesce(r.operation ->> 'kind', 'guard') = 'guard' as is_import,"
        " coalesce(r.operation ->> 'kind' in ('undo', 'restore'), false) as is_way_back"
        " from etl.runs as r where r.run_id = :run_id"
    )
    run = connection.execute(sa.text(sql), {"run_id": run_id}).first()
    if run is None:
        raise UsageError(f"the ledger has no run {run_id}; nothing was read\nhint: `rally-etl runs` lists them")
    sql = "select league from etl.run_leagues where run_id = :run_id order by league"
    leagues = tuple(connection.scalars(sa.text(sql), {"run_id": run_id}))
    return RunFacts(run_id, run.as_of, leagues, run.is_import, run.is_way_back)


def _compared_with_live(
    engine: sa.Engine,
    settings: Settings,
    results: list[CheckResult],
    checks: Iterable[Check],
    league_ids: dict[str, int | None],
    facts: RunFacts,
) -> list[CheckResult]:
    """The results with those as warnings that live fails on as many rows or more, or that a way back brings back."""
    if facts.is_way_back:
        return [
            replace(result, outcome="warned", threshold=result.failing_rows or 0)
            if result.outcome == "failed" and not result.check.startswith(OF_CONSTRAINTS)
            else result
            for result in results
        ]
    failed = {(result.check, result.league) for result in results if result.outcome == "failed"}
    again = [
        task
        for check in checks
        for league in facts.leagues
        if (check.name, league) in failed
        for task in _file_tasks([check], {league: league_ids[league]}, facts)
    ]
    in_live = {
        (result.check, result.league): result.failing_rows or 0
        for result in _run_all(engine, settings, ("public",), again, None)
    }
    return [
        replace(result, outcome="warned", threshold=in_live[result.check, result.league])
        if result.outcome == "failed" and in_live.get((result.check, result.league), -1) >= (result.failing_rows or 0)
        else result
        for result in results
    ]


def find_league_ids(
    connection: sa.Connection, settings: Settings, leagues: Iterable[str], run_id: str | None = None
) -> dict[str, int | None]:
    """Key -> ``leagues.id`` in what *connection* sees, whatever the spelling there; None where it is not.

    Args:
        run_id: a league that this run deletes, as an undo of its first import does, is asked about under its last id.
    """
    known = load_leagues(settings.params_dir)
    found: dict[str, int] = {}
    sql = "select id, league_id from leagues"
    gone = run_id and quote(schemas(run_id)[0], "leagues")
    if gone and connection.scalar(sa.text("select to_regclass(:name) is not null"), {"name": gone}):
        sql = f"select * from ({sql} union all select id, league_id from {gone} where _op = 'delete') as known"
    for row in connection.execute(sa.text(f"{sql} order by id")):
        key = known.canonical(row.league_id) or row.league_id
        if key not in found or row.league_id == key:
            found[key] = row.id
        found.setdefault(row.league_id, row.id)
    return {league: found.get(league) for league in leagues}


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


Task = Callable[[sa.Connection], list[CheckResult]]


def _file_tasks(checks: Iterable[Check], league_ids: dict[str, int | None], facts: RunFacts) -> list[Task]:
    def task(check: Check, league: str, league_id: int | None) -> Task:
        return lambda connection: [run_check(connection, check, league_id, league=league, facts=facts)]

    # The largest table first: a dear query that starts last is waited for alone.
    ordered = sorted(checks, key=lambda check: (check.table != "match_scores", check.name))
    return [
        task(check, key, league_id) for check in ordered for key, league_id in league_ids.items() if check.is_for(key)
    ]


def _constraint_tasks(
    constraints: Iterable[Constraint], leagues: list[str], keys: dict[str, str] | None = None
) -> list[Task]:
    def task(constraint: Constraint) -> Task:
        return lambda connection: run_constraint(connection, constraint, leagues, keys or {})

    return [task(constraint) for constraint in constraints]


def _run_all(
    engine: sa.Engine, settings: Settings, search_path: tuple[str, ...], tasks: list[Task], progress: Progress | None
) -> list[CheckResult]:
    """Spread the tasks over a few read-only transactions; results by league and name."""
    waiting: SimpleQueue[Task] = SimpleQueue()
    for task in tasks:
        waiting.put(task)
    results: list[CheckResult] = []
    done, lock = [0], threading.Lock()

    def work() -> None:
        with read_only(engine, *search_path, timeout_s=settings.statement_timeout_s) as connection:
            _set_local(connection, SHARED_PARAMETERS)
            for task in _taken(waiting):
                found = task(connection)
                with lock:
                    results.extend(found)
                    done[0] += 1
                    for result in found if progress else ():
                        progress(result, done[0], len(tasks))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for future in [pool.submit(work) for _ in range(CONNECTIONS)]:
            future.result()
    return sorted(results, key=lambda result: (result.league, result.check))


def _set_local(connection: sa.Connection, parameters: dict[str, str]) -> None:
    """Set parameters until the end of the transaction."""
    for name, value in parameters.items():
        connection.execute(sa.text("select set_config(:name, :value, true)"), {"name": name, "value": value})


def _taken(waiting: SimpleQueue[Task]) -> Iterator[Task]:
    while True:
        try:
            yield waiting.get_nowait()
        except Empty:
            return
