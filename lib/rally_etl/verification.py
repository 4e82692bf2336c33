"""What others see after a publish: live as the candidate promised, its checks, and what users' rows mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa

from rally_etl import planning
from rally_etl.checks import blocking_on_live
from rally_etl.database.engine import clean_message
from rally_etl.database.ownership import read_ownership
from rally_etl.database.retry import retrying
from rally_etl.ledger import require_run
from rally_etl.measures import counted
from rally_etl.protection import verify_users
from rally_etl.settings import Settings
from rally_etl.writing import Tell

RULES = ("live_equals_candidate", "live_passes_checks", "users_keep_their_rows")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen.

    Attributes:
        differs: rule -> sentences, each with its values; empty when everything is as it should be.
        unread: why something could not be looked at; "" when all was.
    """

    differs: dict[str, list[str]] = field(default_factory=dict)
    unread: str = ""

    @property
    def told(self) -> str:
        """All that differs in one line."""
        return "; ".join(sentence for found in self.differs.values() for sentence in found)


def see(
    engine: sa.Engine,
    settings: Settings,
    run_id: str,
    leagues: Iterable[str],
    *,
    back_to: str | None = None,
    tell: Tell | None = None,
) -> Seen:
    """Look at live over other connections, after leagues of a run were published.

    Three questions: does every row say what the plan said (apart from what people keep by hand), does no blocking check
    fail on live, and do users' rows mean the same. A connection that is lost is tried again.

    Args:
        back_to: the run that *run_id* has taken back. Then live has to be as planned and users' rows as before that
            one; which checks the state of before had passed is not asked.
    """
    keys = sorted(leagues)
    try:
        for attempt in retrying(f"read {', '.join(keys)} again", tell):
            with attempt:
                return _look(engine, settings, run_id, keys, back_to)
    except sa.exc.DBAPIError as error:
        return Seen(unread=clean_message(error))
    raise AssertionError("an attempt returns or raises")


def _look(engine: sa.Engine, settings: Settings, run_id: str, keys: list[str], back_to: str | None) -> Seen:
    is_import = not require_run(engine, run_id).operation
    kept = {(each.table, each.column) for each in read_ownership(settings.params_dir)} if is_import else set()
    failing = [] if back_to else blocking_on_live(engine, settings, run_id, keys)
    failed = [result for result in failing if result.outcome != "errored"]
    errored = [f"check {result.check} could not run: {result.error}" for result in failing if result not in failed]
    found = (
        planning.verify(engine, run_id, keys, kept),
        [
            f"{result.league} fails {result.check} in {counted(result.failing_rows, 'row')}"
            + (f": {_words(result.sample[0])}" if result.sample else "")
            for result in failed
        ],
        verify_users(engine, settings, run_id, back_to),
    )
    differs = {rule: sentences for rule, sentences in zip(RULES, found, strict=True) if sentences}
    return Seen(differs, "; ".join(errored))


def _words(row: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())
