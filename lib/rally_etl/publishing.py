"""The end of a run on live: leagues published together, seen over other connections, taken back if need be."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from rally_etl import ledger, logs, states
from rally_etl.database.engine import clean_message
from rally_etl.errors import LiveIsBusy, LockLost, PublishUnknown, RallyEtlError
from rally_etl.incidents import raise_incident
from rally_etl.outcomes import Outcome, no_go
from rally_etl.protection.constraints import ddl
from rally_etl.rollback import roll_back
from rally_etl.settings import Settings
from rally_etl.verification import Seen, see
from rally_etl.writing import Tell, write

__all__ = ["Outcome", "no_go", "publish", "transactions"]

VERIFIED = "others see what was planned, its checks hold on live, and users' rows mean the same"


def transactions(engine: sa.Engine, run_id: str, outcomes: dict[str, Outcome]) -> list[dict[str, Outcome]]:
    """Leagues that are published together: each by itself, those of an operation all at once or not at all."""
    if not ledger.require_run(engine, run_id).operation:
        return [{league: outcome} for league, outcome in outcomes.items()]
    worst = max((outcome.decision for outcome in outcomes.values()), key=ledger.DECISIONS.index)
    for league, outcome in outcomes.items():
        if outcome.decision != worst:
            others = ", ".join(key for key, other in outcomes.items() if other.decision == worst)
            message = f"{league} is published with {others} or not at all, which is {worst}"
            outcome.reasons.insert(0, no_go("leagues_go_together", "gate", message))
            outcome.decision = worst
    return [outcomes]


def publish(
    engine: sa.Engine, settings: Settings, run_id: str, outcomes: Mapping[str, Outcome], tell: Tell | None = None
) -> None:
    """Publish leagues in one transaction and look at live over other connections; what went wrong goes into *outcomes*.

    What is not as promised is taken back at once. Leagues whose rows others hold for too long are HOLD.

    Raises:
        LockLost: the run does not hold the run lock any more; nothing was written.
        PublishUnknown: the database went away while committing; nobody can say yet what it holds.
    """
    leagues = sorted(outcomes)
    began = time.monotonic()
    logs.event("publish.begun", leagues=leagues)
    try:
        is_changed = write(engine, settings, run_id, outcomes, tell=tell)
    except LiveIsBusy as busy:
        said, hint = str(busy).split("\nhint: ")
        message = f"{said}. `rally-etl approve {run_id} --by WHO --reason TEXT` publishes the same plan: {hint}"
        _end(outcomes, "HOLD", no_go("live_is_free", "publish", message, "hold"))
        logs.event("publish.refused", leagues=leagues, rule="live_is_free", **logs.failed(busy))
        return
    except (PublishUnknown, LockLost):
        raise
    except RallyEtlError as error:
        _end(outcomes, "NO-GO", no_go("plan_still_holds", "publish", " ".join(str(error).splitlines())))
        logs.event("publish.refused", leagues=leagues, rule="plan_still_holds", **logs.failed(error))
        return
    except sa.exc.DBAPIError as error:
        message = f"the database stopped the publish: {clean_message(error)}; nothing was written. Run the scrape again"
        _end(outcomes, "NO-GO", no_go("database_answers", "publish", message), failed=True)
        logs.event("publish.refused", leagues=leagues, rule="database_answers", **logs.failed(error))
        return
    for outcome in outcomes.values():
        outcome.is_published = True
    logs.event("publish.committed", leagues=leagues, is_changed=is_changed, seconds=time.monotonic() - began)
    seen = see(engine, settings, run_id, outcomes, tell=tell)
    if seen.differs and is_changed:
        _take_back(engine, settings, run_id, outcomes, seen, tell)
        return
    if seen.differs or seen.unread:
        _leave(engine, run_id, outcomes, seen)
    else:
        with engine.begin() as connection:
            states.move(connection, run_id, outcomes, "verified", VERIFIED)
        logs.event("publish.verified", leagues=leagues)
    if problems := ddl.add_planned(engine, run_id):
        message = f"{'; '.join(problems)}. Its rows are published; `rally-etl constraints` says what is still missing"
        _end(outcomes, "", no_go("constraints_stand", "publish", message), failed=True)


def _end(outcomes: Mapping[str, Outcome], decision: str, reason: dict, *, failed: bool = False) -> None:
    """Add a reason to each league, with the decision that it means; "" leaves the decision."""
    for outcome in outcomes.values():
        outcome.decision = decision or outcome.decision
        outcome.failed |= failed
        others = [each for each in outcome.reasons if each["rule"] != reason["rule"]]
        outcome.reasons[:] = [dict(reason), *others]


def _leave(engine: sa.Engine, run_id: str, outcomes: Mapping[str, Outcome], seen: Seen) -> None:
    """Say that nobody can tell whether live is right, or that nothing was written that could be taken back."""
    if seen.differs:
        what, rules = f"what others see is not what was checked: {seen.told}", list(seen.differs)
        done = "the plan was empty, so nothing was written and nothing is taken back: others wrote at the same time"
        todo = "find the other program (`select * from pg_stat_activity`), then run the scrape again"
    else:
        what, rules = f"what was published could not be read again: {seen.unread}", ["live_can_be_read"]
        done = "its rows are live, in one transaction and as the plan says; nobody has seen them from outside"
        todo = f"`rally-etl check` reads live; run the scrape again (its plan is empty if all is well) or undo {run_id}"
    logs.event("publish.unverified", leagues=sorted(outcomes), rules=rules)
    _tell_all(engine, run_id, outcomes, rules[0], what, done, todo)
    for rule in reversed(rules):
        _end(outcomes, "", no_go(rule, "verify", f"{what}; {done}. To do: {todo}"), failed=True)


def _take_back(
    engine: sa.Engine,
    settings: Settings,
    run_id: str,
    outcomes: Mapping[str, Outcome],
    seen: Seen,
    tell: Tell | None,
) -> None:
    """Take a publish back that others do not see as promised, and say everywhere what happened."""
    if tell:
        tell(", ".join(outcomes), f"published, but {seen.told}: it is taken back")
    logs.event("rollback.begun", leagues=sorted(outcomes), rules=list(seen.differs))
    if _is_direct(engine, run_id):  # the guard has a snapshot of before the command, and puts it back when it hears
        back, done, todo = "the guard", "the database goes back to the snapshot of before the command", "guard it again"
        with engine.begin() as connection:
            states.move(connection, run_id, outcomes, "failed", f"verification failed: {seen.told}; {done}")
    else:
        taken = roll_back(engine, settings, run_id, outcomes, seen.told, tell)
        back, done = f"run {taken.run_id}" if taken.is_done else "", taken.done
        todo = "find the program that wrote (`select * from pg_stat_activity`), then run the scrape again"
        if not taken.is_done:
            todo = f"now: find who wrote (`select * from pg_stat_activity`), then `rally-etl undo {run_id}`"
            with engine.begin() as connection:
                states.move(connection, run_id, outcomes, "failed", f"verification failed: {seen.told}; {done}")
    logs.event("rollback.ended", by_run=back or None, is_done=bool(back))
    for outcome in outcomes.values():
        outcome.taken_back_by, outcome.is_published = back, not back
    _tell_all(engine, run_id, outcomes, next(iter(seen.differs)), f"others saw {seen.told}", done, todo)
    for rule, sentences in reversed(seen.differs.items()):
        message = f"others do not see what was checked: {'; '.join(sentences)}; {done}. To do: {todo}"
        _end(outcomes, "NO-GO", no_go(rule, "verify", message), failed=True)


def _tell_all(
    engine: sa.Engine, run_id: str, leagues: Iterable[str], rule: str, what: str, done: str, todo: str
) -> None:
    with engine.begin() as connection:
        for league in leagues:
            raise_incident(connection, rule, what, done=done, todo=todo, run_id=run_id, league=league)


def _is_direct(engine: sa.Engine, run_id: str) -> bool:
    """Whether a guarded command's own rows are live, which no plan describes."""
    sql = sa.text("select exists (select from etl.guards where run_id = :run and method = 'direct')")
    with engine.connect() as connection:
        return bool(connection.scalar(sql, {"run": run_id}))
