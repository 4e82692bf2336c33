"""Checks without a file that code asks: a rule that one query of an analyst cannot say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.checks.results import CheckResult, Rule
from rally_etl.checks.running import RunFacts
from rally_etl.database.engine import clean_message
from rally_etl.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """Checks that code asks of one league at a time.

    Attributes:
        rules: what is said of each; the names begin with a table, `series_stats/points_agree`.
        ask: (connection, league, leagues.id, facts) -> one result per rule, for what the connection sees by bare names
            of tables, live or the candidate. It only reads.
        reads: tables whose rows decide; empty stands for every table.
        decides: league -> all that decides the answer beside rows, day and program; None where that is not known.
        leagues: keys of the leagues it is for; empty means all.
    """

    rules: tuple[Rule, ...]
    ask: Callable[[sa.Connection, str, int, RunFacts], Iterable[CheckResult]]
    reads: frozenset[str] = frozenset()
    decides: Callable[[str], str] | None = None
    leagues: tuple[str, ...] = ()

    def is_for(self, league: str) -> bool:
        """Whether they are asked for the league of this key."""
        return not self.leagues or league in self.leagues


def derived_checks(settings: Settings) -> list[Derived]:
    """All of them, with what *settings* and its params say of them."""
    from rally_etl.checks.standings import standings_checks

    return [standings_checks(settings)]


def ask(
    connection: sa.Connection, derived: Derived, league: str, league_id: int | None, facts: RunFacts
) -> list[CheckResult]:
    """Ask one for a league: a result for every rule, errored where it gave none.

    Raises:
        sqlalchemy.exc.DBAPIError: the connection was lost; that is no answer of a check.
    """
    started = time.perf_counter()
    found: dict[str, CheckResult] = {}
    told = "nothing was answered"
    if league_id is None:
        told = f"league {league} is not in the table leagues"
    else:
        try:
            with connection.begin_nested():
                found = {result.check: result for result in derived.ask(connection, league, league_id, facts)}
        except sa.exc.SQLAlchemyError as error:
            if getattr(error, "connection_invalidated", False):
                raise
            told = clean_message(error)
    seconds = time.perf_counter() - started
    return [
        found.get(rule.check) or rule.result(league, "errored", error=told, seconds=seconds) for rule in derived.rules
    ]
