"""The questions that a suite of checks comes to in one database: which task answers each, and what decides it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.checks.constraints import Constraint, run_constraint
from rally_etl.checks.derived import Derived, ask, derived_checks
from rally_etl.checks.files import LAST_YEAR, Check, read_checks
from rally_etl.checks.results import CheckResult, Rule
from rally_etl.checks.running import RunFacts, Task, run_check
from rally_etl.checks.selection import EVERYTHING, Reach, Selection
from rally_etl.database.catalog import IMPORTED, readable_ledger
from rally_etl.settings import Settings

_PRESENT = sa.text("select c.name from unnest(cast(:names as text[])) as c(name) where to_regclass(c.name) is not null")
_TOOK = sa.text(
    "select check_name, max(seconds) from etl.check_results"
    " where run_id = (select max(run_id) from etl.check_results) group by check_name"
)

LeagueIds = Sequence[tuple[str, int | None]]
"""Key and ``leagues.id`` of each league that is asked about; a key may stand there twice, as two spellings in live."""


@dataclass(frozen=True, slots=True)
class Question:
    """One check, or several that are answered together, of one league or of all.

    Attributes:
        name: tells it from the others of a database.
        task: answers it.
        query: its text; "" where code asks that reads nothing but rows of tables.
        decides: all that decides the answer beside rows and program; "" where that is not known.
        reads: tables whose rows decide; empty stands for every table, and for what is no table.
    """

    name: str
    task: Task
    query: str = ""
    decides: str = ""
    reads: frozenset[str] = frozenset()


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
        """The tasks of `questions`."""
        return [question.task for question in self.questions(connection, leagues, facts, selection)]

    def questions(
        self, connection: sa.Connection, leagues: LeagueIds, facts: RunFacts, selection: Selection = EVERYTHING
    ) -> list[Question]:
        """One question for each check and league; the task of those that are not asked says why.

        Args:
            connection: sees what the tasks will see.
        """
        reach = Reach(connection)
        present = set(connection.scalars(_PRESENT, {"names": list(IMPORTED)}))
        has_ledger = "check_results" in readable_ledger(connection)
        took: dict[str, float] = dict(connection.execute(_TOOK).all()) if has_ledger else {}
        found: list[tuple[float, Question]] = []
        for check in self.files:
            reads = reach.reads(check)
            for league, league_id in leagues:
                if not check.is_for(league):
                    continue
                why_not = selection.why_not(check.name, league, reads)
                if check.table not in present:
                    why_not = f"this database has no table {check.table}"
                seconds = took.get(check.name, 1.0 if check.table == "match_scores" else 0.0)
                found.append((seconds, _of_file(check, league, league_id, facts, reads, why_not)))
        for each in self.derived:
            for league, league_id in leagues:
                if each.is_for(league):
                    reasons = [selection.why_not(rule.check, league, each.reads) for rule in each.rules]
                    seconds = max((took.get(rule.check, 2.0) for rule in each.rules), default=0.0)
                    why_not = reasons[0] if all(reasons) else ""
                    found.append((seconds, _of_derived(each, league, league_id, facts, why_not)))
        # What takes longest first: a dear query that starts last is waited for alone.
        return [question for _, question in sorted(found, key=lambda each: -each[0])]


def constraint_questions(
    constraints: Iterable[Constraint], leagues: list[str], keys: Mapping[str, str], selection: Selection = EVERYTHING
) -> list[Question]:
    """One question for each constraint; it asks of all leagues at once, since a row may be none's."""

    def question(constraint: Constraint, why_not: dict[str, str]) -> Question:
        skipped = [constraint.rule.result(league, "skipped", error=told) for league, told in why_not.items() if told]
        if len(skipped) == len(leagues):
            return Question(constraint.name, lambda _connection: skipped)
        decides = "" if skipped else repr((constraint, leagues, sorted(keys.items())))
        return Question(
            constraint.name,
            lambda connection: (
                skipped
                + [each for each in run_constraint(connection, constraint, leagues, keys) if not why_not[each.league]]
            ),
            constraint.sql,
            decides,
            constraint.reads | {"leagues"},  # by which a row finds its league
        )

    return [
        question(each, {league: selection.why_not(each.name, league, each.reads) for league in leagues})
        for each in constraints
    ]


def _of_file(
    check: Check, league: str, league_id: int | None, facts: RunFacts, reads: frozenset[str], why_not: str
) -> Question:
    name = f"{check.name} {league_id}"
    if why_not:
        return Question(name, _skips([check.rule], league, why_not))
    needs_day = "as_of" in check.binds or (check.share_of or "").endswith(LAST_YEAR)
    return Question(
        name,
        lambda connection: [run_check(connection, check, league_id, league=league, facts=facts)],
        check.sql,
        repr((check, league, league_id, _day(facts, needs_day))),
        reads,
    )


def _of_derived(derived: Derived, league: str, league_id: int | None, facts: RunFacts, why_not: str) -> Question:
    name = f"{derived.rules[0].check} {league_id}"
    if why_not:
        return Question(name, _skips(derived.rules, league, why_not))
    decides = derived.decides and repr((derived.rules, derived.decides(league), league, league_id, _day(facts, True)))
    task: Task = lambda connection: ask(connection, derived, league, league_id, facts)  # noqa: E731
    return Question(name, task, "", decides or "", derived.reads)


def _day(facts: RunFacts, is_needed: bool) -> dt.date | None:
    return facts.as_of if is_needed else None


def _skips(rules: Iterable[Rule], league: str, why_not: str) -> Task:
    skipped: list[CheckResult] = [rule.result(league, "skipped", error=why_not) for rule in rules]
    return lambda _connection: skipped
