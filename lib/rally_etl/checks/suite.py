"""Run the checks: on a candidate, inside a publish, on the live database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.checks.constraints import Constraint, candidate_constraints, live_constraints, run_constraint
from rally_etl.checks.derived import Derived, ask, derived_checks
from rally_etl.checks.files import Check, read_checks
from rally_etl.checks.results import CheckResult, Rule, write_results
from rally_etl.checks.running import (
    PARAMETERS,
    Progress,
    RunFacts,
    Sessions,
    Task,
    open_sessions,
    run_check,
    set_local,
)
from rally_etl.checks.selection import EVERYTHING, Reach, Selection, touched_by
from rally_etl.checks.tolerance import as_brought_back, no_worse_than, tolerated
from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.database.engine import read_only
from rally_etl.errors import UsageError
from rally_etl.naming import load_leagues
from rally_etl.planning.schema import schemas
from rally_etl.settings import Settings

_LIVE = "live"
_PRESENT = sa.text("select c.name from unnest(cast(:names as text[])) as c(name) where to_regclass(c.name) is not null")
_TOOK = sa.text(
    "select check_name, max(seconds) from etl.check_results"
    " where run_id = (select max(run_id) from etl.check_results) group by check_name"
)

LeagueIds = Sequence[tuple[str, int | None]]
"""Key and ``leagues.id`` of each league that is asked about; a key may stand there twice, as two spellings in live."""


@dataclass(frozen=True, slots=True)
class Suite:
    """All checks of a project: those of files, and those that code asks."""

    files: Sequence[Check]
    derived: Sequence[Derived]

    @classmethod
    def read(cls, settings: Settings) -> Suite:
        """Read them.

        Raises:
            UsageError: a check file is not as it should be.
        """
        return cls(read_checks(settings.params_dir), derived_checks(settings))

    @property
    def blocking(self) -> Suite:
        """Those of severity `error`."""
        return Suite(
            [check for check in self.files if check.severity == "error"],
            [each for each in self.derived if any(rule.severity == "error" for rule in each.rules)],
        )

    def dimensions(self, league: str) -> dict[str, str]:
        """Name of each check for a league -> its dimension."""
        told = {rule.check: rule.dimension for each in self.derived if each.is_for(league) for rule in each.rules}
        return told | {check.name: check.dimension for check in self.files if check.is_for(league)}

    def tasks(
        self, connection: sa.Connection, leagues: LeagueIds, facts: RunFacts, selection: Selection = EVERYTHING
    ) -> list[Task]:
        """One task for each check and league; of those that are not asked a task that says why.

        Args:
            connection: sees what the tasks will see.
        """
        reach = Reach(connection)
        present = set(connection.scalars(_PRESENT, {"names": list(IMPORTED)}))
        took: dict[str, float] = dict(connection.execute(_TOOK).all())
        found: list[tuple[float, Task]] = []
        for check in self.files:
            reads = reach.reads(check)
            for league, league_id in leagues:
                if not check.is_for(league):
                    continue
                why_not = selection.why_not(check.name, league, reads)
                if check.table not in present:
                    why_not = f"this database has no table {check.table}"
                task = _skips([check.rule], league, why_not) or _asks_file(check, league, league_id, facts)
                found.append((took.get(check.name, 1.0 if check.table == "match_scores" else 0.0), task))
        for each in self.derived:
            for league, league_id in leagues:
                if each.is_for(league):
                    reasons = [selection.why_not(rule.check, league, each.reads) for rule in each.rules]
                    why_not = reasons[0] if all(reasons) else ""
                    task = _skips(each.rules, league, why_not) or _asks_derived(each, league, league_id, facts)
                    found.append((max((took.get(rule.check, 2.0) for rule in each.rules), default=0.0), task))
        # What takes longest first: a dear query that starts last is waited for alone.
        return [task for _, task in sorted(found, key=lambda each: -each[0])]


def _asks_file(check: Check, league: str, league_id: int | None, facts: RunFacts) -> Task:
    return lambda connection: [run_check(connection, check, league_id, league=league, facts=facts)]


def _asks_derived(derived: Derived, league: str, league_id: int | None, facts: RunFacts) -> Task:
    return lambda connection: ask(connection, derived, league, league_id, facts)


def _skips(rules: Iterable[Rule], league: str, why_not: str) -> Task | None:
    skipped = [rule.result(league, "skipped", error=why_not) for rule in rules]
    return (lambda _connection: skipped) if why_not else None


def _constraint_tasks(
    constraints: Iterable[Constraint], leagues: list[str], keys: Mapping[str, str], selection: Selection
) -> list[Task]:
    """One task for each constraint; it asks of all leagues at once, since a row may be none's."""

    def task(constraint: Constraint, why_not: dict[str, str]) -> Task:
        skipped = [constraint.rule.result(league, "skipped", error=told) for league, told in why_not.items() if told]
        if len(skipped) == len(leagues):
            return lambda _connection: skipped
        return lambda connection: (
            skipped
            + [result for result in run_constraint(connection, constraint, leagues, keys) if not why_not[result.league]]
        )

    return [
        task(each, {league: selection.why_not(each.name, league, each.reads) for league in leagues})
        for each in constraints
    ]


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
        tasks += _constraint_tasks(constraints, list(facts.leagues), {}, selection)
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
) -> list[CheckResult]:
    """Run checks for every league of the live database; nothing is written.

    Args:
        as_of: the day that counts as today; None is today in UTC.
        changed_by: a run; only checks that read a table it changed, or one that refers to such, are asked.
    """
    suite = Suite.read(settings)
    known = load_leagues(settings.params_dir)
    with open_sessions(engine, settings, "public") as sessions:
        rows = sessions.first.execute(sa.text("select league_id, id from leagues order by id")).all()
        constraints = live_constraints(sessions.first)
        keys = {row.league_id: known.canonical(row.league_id) or row.league_id for row in rows}
        facts = RunFacts(_LIVE, as_of or dt.datetime.now(dt.UTC).date(), tuple(keys.values()))
        if changed_by:
            selection = _changed(sessions.first, settings, selection, changed_by)
        selection.require(_names(suite, constraints, facts.leagues), facts.leagues)
        leagues = [(keys[row.league_id], row.id) for row in rows]
        tasks = suite.tasks(sessions.first, leagues, facts, selection)
        tasks += _constraint_tasks(constraints, sorted(set(keys.values())), keys, selection)
        return sessions.run(tasks, progress)


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
    """
    suite = Suite.read(settings).blocking
    with open_sessions(engine, settings, "public") as sessions:
        facts = run_facts(sessions.first, run_id)
        league_ids = find_league_ids(sessions.first, settings, leagues, run_id)
        before = {league: tolerated(sessions.first, facts, league) for league in league_ids}
        results = sessions.run(suite.tasks(sessions.first, list(league_ids.items()), facts))
    return [result for result in results if _stops(result, before[result.league])]


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
