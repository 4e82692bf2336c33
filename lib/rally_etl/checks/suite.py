"""Run the checks: on a candidate, inside a publish, on the live database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from rally_etl.checks.constraints import Constraint, candidate_constraints, live_constraints
from rally_etl.checks.files import Check
from rally_etl.checks.questions import Question, Suite, constraint_questions
from rally_etl.checks.remembered import keep, open_memory
from rally_etl.checks.results import CheckResult, write_results
from rally_etl.checks.running import PARAMETERS, Progress, RunFacts, Sessions, Task, open_sessions, set_local
from rally_etl.checks.selection import EVERYTHING, Selection, touched_by
from rally_etl.checks.tolerance import as_brought_back, no_worse_than, tolerated
from rally_etl.database.catalog import quote
from rally_etl.database.engine import read_only
from rally_etl.errors import UsageError
from rally_etl.naming import load_leagues
from rally_etl.planning.schema import schemas
from rally_etl.settings import Settings

_LIVE = "live"


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
    results = check_candidate(engine, settings, run_id, progress=progress)
    write_results(engine, run_id, results)
    return results


def check_candidate(
    engine: sa.Engine,
    settings: Settings,
    run_id: str,
    selection: Selection = EVERYTHING,
    *,
    only_changed: bool = False,
    progress: Progress | None = None,
) -> list[CheckResult]:
    """Run checks for the leagues of a run on its candidate as `run_checks` does; nothing is written.

    Args:
        only_changed: leave out checks that read only tables the plan does not touch: live has their answer.
    """
    suite = Suite.read(settings)
    plan, candidate = schemas(run_id)
    with open_sessions(engine, settings, candidate, "public") as sessions:
        facts = run_facts(sessions.first, run_id)
        league_ids = find_league_ids(sessions.first, settings, facts.leagues, run_id)
        constraints = candidate_constraints(sessions.first, plan, run_id)
        if only_changed:
            selection = _changed(sessions.first, settings, selection, run_id)
        leagues = list(league_ids.items())
        selection.require(_names(suite, constraints, facts.leagues), facts.leagues)
        tasks = suite.tasks(sessions.first, leagues, facts, selection)
        tasks += [each.task for each in constraint_questions(constraints, list(facts.leagues), {}, selection)]
        results = sessions.run(tasks, progress)
        if facts.is_way_back:
            results = as_brought_back(results)
        elif not facts.is_import:
            results = _compared_with_live(sessions, results, suite, league_ids, facts)
    return results


def check_live(
    engine: sa.Engine,
    settings: Settings,
    as_of: dt.date | None = None,
    progress: Progress | None = None,
    *,
    selection: Selection = EVERYTHING,
    changed_by: str = "",
    remember: bool = False,
    fresh: bool = False,
) -> list[CheckResult]:
    """Run checks for every league of the live database; without *remember* nothing is written.

    Args:
        as_of: the day that counts as today; None is today in UTC.
        changed_by: a run; only checks that read a table it changed, or one that refers to such, are asked.
        remember: take answers of earlier looks whose rows have not changed since, and keep those of this one.
        fresh: ask everything, whatever is remembered.
    """
    suite = Suite.read(settings)
    with open_sessions(engine, settings, "public") as sessions:
        leagues, keys = _live_leagues(sessions.first, settings)
        constraints = live_constraints(sessions.first)
        facts = RunFacts(_LIVE, as_of or dt.datetime.now(dt.UTC).date(), tuple(keys.values()))
        if changed_by:
            selection = _changed(sessions.first, settings, selection, changed_by)
        selection.require(_names(suite, constraints, facts.leagues), facts.leagues)
        questions = suite.questions(sessions.first, leagues, facts, selection)
        questions += constraint_questions(constraints, sorted(set(keys.values())), keys, selection)
        if not remember:
            return sessions.run([question.task for question in questions], progress)
        return _with_memory(engine, sessions, questions, progress, fresh=fresh)


def _live_leagues(connection: sa.Connection, settings: Settings) -> tuple[list[tuple[str, int]], dict[str, str]]:
    """Key and ``leagues.id`` of each league in live, and spelling there -> key."""
    known = load_leagues(settings.params_dir)
    rows = connection.execute(sa.text("select league_id, id from leagues order by id")).all()
    keys = {row.league_id: known.canonical(row.league_id) or row.league_id for row in rows}
    return [(keys[row.league_id], row.id) for row in rows], keys


def _with_memory(
    engine: sa.Engine, sessions: Sessions, questions: list[Question], progress: Progress | None = None, *, fresh: bool
) -> list[CheckResult]:
    """Answers to questions of live, remembered or asked; those that are asked are kept."""
    memory = open_memory(sessions.first, questions, fresh=fresh)
    results = sessions.run([memory.task(each) if memory else each.task for each in questions], progress)
    keep(engine, memory)
    return results


def blocking_failures(
    connection: sa.Connection,
    checks: Iterable[Check],
    league_id: int | None,
    *,
    league: str,
    run_id: str,
    as_of: dt.date,
    before: Mapping[str, int] | None = None,
) -> list[str]:
    """Names of the `error` checks that fail, or cannot run, on what *connection* sees; for use inside a publish.

    Args:
        connection: an open transaction whose ``search_path`` begins with the schema to check; it stays usable.
        before: check -> failing rows that were there before and are tolerated.
    """
    facts = RunFacts(run_id, as_of, (league,))
    tasks = Suite(list(checks), []).blocking.tasks(connection, [(league, league_id)], facts)
    results = (result for task in tasks for result in task(connection))
    return [result.check for result in results if _stops(result, before or {})]


def audit(connection: sa.Connection, settings: Settings, run_id: str, league: str) -> list[str]:
    """Names of the `error` checks that the live tables fail as this open publish has made them."""
    facts = run_facts(connection, run_id)
    set_local(connection, PARAMETERS | {"search_path": "public"})
    league_id = find_league_ids(connection, settings, [league], run_id)[league]
    before = tolerated(connection, facts, league)
    tasks = Suite.read(settings).blocking.tasks(connection, [(league, league_id)], facts)
    results = (result for task in tasks for result in task(connection))
    return [result.check for result in results if _stops(result, before)]


def blocking_on_live(engine: sa.Engine, settings: Settings, run_id: str, leagues: Iterable[str]) -> list[CheckResult]:
    """Results of `error` checks that the live tables fail, or that cannot run, after a publish of these leagues.

    What fails there and failed before, on as many rows or more, is none where the run may leave it so (`run_checks`).
    The others, and the constraints, are asked as well, so that the next look at live has their answers; none is taken
    from memory.
    """
    suite = Suite.read(settings)
    with open_sessions(engine, settings, "public") as sessions:
        facts = run_facts(sessions.first, run_id)
        league_ids = find_league_ids(sessions.first, settings, leagues, run_id)
        before = {league: tolerated(sessions.first, facts, league) for league in league_ids}
        questions = suite.questions(sessions.first, list(league_ids.items()), facts)
        keys = _live_leagues(sessions.first, settings)[1]
        questions += constraint_questions(live_constraints(sessions.first), sorted(set(keys.values())), keys)
        results = _with_memory(engine, sessions, questions, fresh=True)
    blocking = {league: suite.blocking.dimensions(league) for league in league_ids}
    return [
        result
        for result in results
        if result.check in blocking.get(result.league, ()) and _stops(result, before[result.league])
    ]


def _stops(result: CheckResult, before: Mapping[str, int]) -> bool:
    """Whether a result keeps live from being as it is: it fails on more rows than before, or says nothing."""
    if result.severity != "error" or not result.blocks:
        return False
    return result.failing_rows is None or result.failing_rows > before.get(result.check, 0)


def _changed(connection: sa.Connection, settings: Settings, selection: Selection, run_id: str) -> Selection:
    return Selection(selection.leagues, selection.checks, touched_by(connection, settings, run_id), run_id)


def _names(suite: Suite, constraints: Iterable[Constraint], leagues: Iterable[str]) -> set[str]:
    return {name for league in leagues for name in suite.dimensions(league)} | {each.name for each in constraints}


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


def has_candidate(engine: sa.Engine, run_id: str) -> bool:
    """Whether the candidate of a run is kept.

    Raises:
        UsageError: there is no such run.
    """
    with read_only(engine, "public") as connection:
        run_facts(connection, run_id)
        name = quote(schemas(run_id)[1])
        return connection.scalar(sa.text("select to_regnamespace(:name) is not null"), {"name": name})


def newest_published(engine: sa.Engine) -> str:
    """The run that changed live last.

    Raises:
        UsageError: none has been published.
    """
    sql = "select max(run_id) from etl.run_leagues where state in ('published', 'verified')"
    with read_only(engine, "public") as connection:
        run_id = connection.scalar(sa.text(sql))
    if run_id is None:
        raise UsageError(
            "no run has been published; nothing was checked\nhint: name one, --run RUN, or leave --changed out"
        )
    return run_id


def _compared_with_live(
    sessions: Sessions,
    results: list[CheckResult],
    suite: Suite,
    league_ids: Mapping[str, int | None],
    facts: RunFacts,
) -> list[CheckResult]:
    """The results with those as warnings that live, at the same moment, fails on as many rows or more."""
    failed = {(result.check, result.league) for result in results if result.outcome == "failed"}
    sessions.look_in("public")
    again: list[Task] = []
    for league, league_id in league_ids.items():
        names = frozenset(check for check, of in failed if of == league)
        asked = Suite(
            [check for check in suite.files if check.name in names],
            [each for each in suite.derived if any(rule.check in names for rule in each.rules)],
        )
        again += asked.tasks(sessions.first, [(league, league_id)], facts)
    return no_worse_than(sessions.run(again), results)


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
