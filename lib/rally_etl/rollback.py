"""The way back by itself: what others do not see as promised after a publish is taken back at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa

from rally_etl import ledger, planning, recovery, states
from rally_etl.database.engine import clean_message
from rally_etl.database.retry import is_transient, retrying
from rally_etl.errors import PlanIsStale, RallyEtlError
from rally_etl.measures import counted
from rally_etl.operations import KINDS
from rally_etl.outcomes import Outcome, finish, no_go
from rally_etl.protection.constraints import ddl
from rally_etl.settings import Settings
from rally_etl.verification import see
from rally_etl.writing import Tell, write

BY = "rally-etl"
PLANS = 3  # plans that are made, where others go on changing the same rows
SHOWN = 5  # rows that a sentence names


@dataclass(frozen=True, slots=True)
class TakenBack:
    """How a rollback ended.

    Attributes:
        run_id: its own run; "" where none could be begun.
        is_done: the rows were taken back.
        problem: why they were not, or what is not as it was all the same; "" when all is well.
        left: rows that stay as others have made them since, each with the reason.
    """

    run_id: str
    is_done: bool
    problem: str = ""
    left: list[str] = field(default_factory=list)

    @property
    def done(self) -> str:
        """What happened to the data, in a sentence."""
        if not self.is_done:
            return f"it could not be taken back ({self.problem}): its rows are still live"
        if self.problem:
            return f"run {self.run_id} took it back at once, but {self.problem}"
        if not self.left:
            return f"run {self.run_id} took it back at once: everything it wrote is as before"
        more = f" and {len(self.left) - SHOWN:,} more" if len(self.left) > SHOWN else ""
        return (
            f"run {self.run_id} took it back at once: everything it wrote is as before but"
            f" {counted(len(self.left), 'row')} that others use or have changed since:"
            f" {', '.join(self.left[:SHOWN])}{more}"
        )


def roll_back(
    engine: sa.Engine, settings: Settings, run_id: str, leagues: Iterable[str], why: str, tell: Tell | None = None
) -> TakenBack:
    """Undo what a run has just published of these leagues, in one transaction and without notebooks.

    It is a run of its own, with a plan, a report and a state; `undo` can take it back. Others may go on writing: then
    it is planned again, a few times. Never raises for what the database or the plan says: that is its answer.
    """
    keys = sorted(leagues)
    began = ""
    try:
        for attempt in retrying(f"take {', '.join(keys)} back", tell, on=_passes, attempts=PLANS):
            with attempt:
                if attempt.num > 1 and _is_undone(engine, run_id, keys):
                    return TakenBack(began, True, "what followed on it was cut short", _left(engine, began))
                run = ledger.require_run(engine, run_id)
                operation = {"kind": "undo", "run": run_id, "by": BY, "reason": f"verification failed: {why}"}
                operation |= {} if run.operation else {"leagues": keys}
                source = KINDS["undo"].told(operation)
                began = ledger.start_run(engine, source, run.as_of, False, keys, operation)
                with recovery.closed_whatever_happens(engine, settings, began):
                    return _take_back(engine, settings, run_id, began, keys, why, tell)
    except RallyEtlError as error:
        return TakenBack(began, _is_undone(engine, run_id, keys), str(error).split("\nhint: ")[0])
    except sa.exc.DBAPIError as error:
        return TakenBack(began, _is_undone(engine, run_id, keys), clean_message(error))
    raise AssertionError("an attempt returns or raises")


def _passes(error: Exception) -> bool:
    """Whether another plan may do: others changed a row in between, or the database was away for a moment."""
    return isinstance(error, PlanIsStale) or is_transient(error)


def _take_back(
    engine: sa.Engine, settings: Settings, run_id: str, undo_id: str, keys: list[str], why: str, tell: Tell | None
) -> TakenBack:
    planning.make_plan(engine, settings, undo_id, kinds=KINDS)
    with engine.begin() as connection:
        states.move(connection, undo_id, keys, "audited", "no gate decides on a rollback: it leads to what was live")
    write(engine, settings, undo_id, keys, is_way_back=True, tell=tell)
    seen = see(engine, settings, undo_id, keys, back_to=run_id, tell=tell)
    problems = [f"reading it again says: {seen.told or seen.unread}"] if seen.told or seen.unread else []
    if not problems:
        with engine.begin() as connection:
            states.move(connection, undo_id, keys, "verified", "live is as before, and users' rows mean the same")
    problems += ddl.add_planned(engine, undo_id)
    told = no_go("live_is_as_promised", "verify", f"run {run_id} was taken back by itself: {why}", "warn")
    outcomes = {key: Outcome("GO", [told], is_published=True, failed=bool(problems)) for key in keys}
    finish(engine, settings, undo_id, outcomes, dry_run=False)
    return TakenBack(undo_id, True, "; ".join(problems), _left(engine, undo_id))


def _left(engine: sa.Engine, undo_id: str) -> list[str]:
    """Rows that the undo leaves as they are, with the reason of each."""
    sql = sa.text("select kind, name, reason from etl.held_rows where run_id = :run order by 1, 2")
    with engine.connect() as connection:
        return [f"{row.kind} {row.name} ({row.reason})" for row in connection.execute(sql, {"run": undo_id})]


def _is_undone(engine: sa.Engine, run_id: str, keys: list[str]) -> bool:
    """Whether the rows were taken back before something else went wrong; False when nobody answers."""
    try:
        with engine.connect() as connection:
            return set(keys) <= set(states.in_states(connection, run_id, ["undone"]))
    except sa.exc.DBAPIError:
        return False
