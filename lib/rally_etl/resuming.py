"""A run that died goes on from the first stage that is not sealed, if everything it was begun with is the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from rally_etl import ledger, logs, pipeline, scraps, states
from rally_etl.database.engine import connect
from rally_etl.database.locks import run_lock
from rally_etl.database.schema import init
from rally_etl.errors import EvidenceMissing, UsageError
from rally_etl.incidents import UNVERIFIED, raise_incident, resolve_unverified
from rally_etl.inputs import differences
from rally_etl.leftovers import tidy
from rally_etl.outcomes import Outcome, finish, no_go
from rally_etl.pipeline import STAGES, StageResult
from rally_etl.planning import schema
from rally_etl.protection import check_params
from rally_etl.protection.constraints import ddl
from rally_etl.publishing import publish
from rally_etl.runs import Tell, go_through
from rally_etl.settings import Settings
from rally_etl.verification import see

GUARD = "guard"


def resume(settings: Settings, run_id: str, wait_s: float = 0, tell: Tell = lambda label, text: None) -> dict[str, Any]:
    """Take up a run that died: sealed stages stay, the others run, leagues that are not live yet are published.

    It keeps its id, its source and its day. A league that it had published and not verified is read again. Of a run
    that has ended only that is done, unless one of its notebooks did not end.

    Returns:
        the document of ``run --json``.

    Raises:
        UsageError: it cannot go on; the message says why, and nothing was changed.
        RunLocked: another run works on this database.
    """
    check_params(settings.params_dir)
    engine = connect(settings)
    init(engine)
    ledger.require_run(engine, run_id)
    with run_lock(engine, wait_s, what=f"run {run_id}"):
        tidy(engine, settings, tell, keep=run_id)
        run = ledger.require_run(engine, run_id)
        if run.status == "completed" and not _is_broken(engine, run_id):
            return _only_look(engine, settings, run, tell)
        sealed = _sealed(engine, settings, run_id)
        _check(engine, settings, run, sealed)
        _begin(engine, run, sealed)
        first = STAGES[len(sealed)] if len(sealed) < len(STAGES) else "the publish"
        kept = f"; sealed already: {', '.join(result.stage for result in sealed)}" if sealed else ""
        tell("run", f"{run_id}  {run.source}  goes on with {first}{kept}")
        logs.event("run.resumed", run=run_id, first_stage=first)
        return go_through(engine, settings, run_id, run.dry_run, tell, sealed=sealed, publishing=_publish)


def _is_broken(engine: sa.Engine, run_id: str) -> bool:
    """Whether a notebook of a run that has ended did not."""
    sql = "select exists (select from etl.stages where run_id = :run and status in ('failed', 'timed_out', 'died'))"
    with engine.connect() as connection:
        return bool(connection.scalar(sa.text(sql), {"run": run_id}))


def _only_look(engine: sa.Engine, settings: Settings, run: sa.Row, tell: Tell) -> dict[str, Any]:
    """Read live again for leagues of a run that has ended and that nobody has verified (an approval died)."""
    leagues = ledger.leagues_in_state(engine, run.run_id, "published")
    if not leagues:
        waits = ledger.leagues_in_state(engine, run.run_id, "held")
        hint = f"`rally-etl approve {run.run_id}` publishes {', '.join(waits)}" if waits else "run the scrape again"
        raise UsageError(
            f"run {run.run_id} has ended with the decision {run.decision}, there is nothing to go on with;"
            f" nothing was changed\nhint: {hint}"
        )
    found = ledger.decisions(engine, run.run_id)
    outcomes = {
        league: Outcome(decision or "NO-GO", list(reasons), is_published=league in leagues)
        for league, (decision, reasons) in found.items()
        if league in leagues
    }
    _look(engine, settings, run.run_id, outcomes, tell)
    return finish(engine, settings, run.run_id, outcomes, run.dry_run)


def _sealed(engine: sa.Engine, settings: Settings, run_id: str) -> list[StageResult]:
    """The first stages, as far as each is complete in the ledger and its notebook there, sealed and of this run."""
    sql = (
        "select stage, status, cast(extract(epoch from finished_at - started_at) as double precision) as seconds"
        " from etl.stages where run_id = :run"
    )
    with engine.connect() as connection:
        rows = {row.stage: row for row in connection.execute(sa.text(sql), {"run": run_id})}
    sealed: list[StageResult] = []
    for ordinal, stage in enumerate(STAGES, start=1):
        notebook = settings.reports_dir / run_id / f"{pipeline.notebook_name(stage)}.ipynb"
        if stage not in rows or rows[stage].status != "completed":
            break
        try:
            scraps.read(notebook, stage=stage, run_id=run_id)
        except EvidenceMissing:
            break
        page = notebook.with_suffix(".html")
        sealed.append(
            StageResult(
                stage=stage,
                ordinal=ordinal,
                status="completed",
                seconds=rows[stage].seconds or 0.0,
                notebook=notebook,
                html=page if page.exists() else None,
            )
        )
    return sealed


def _check(engine: sa.Engine, settings: Settings, run: sa.Row, sealed: list[StageResult]) -> None:
    """Refuse a run that cannot go on, or whose inputs are not the same.

    Raises:
        UsageError: every difference is named.
    """
    if run.operation and run.operation["kind"] == GUARD:
        raise UsageError(
            f"run {run.run_id} guarded a command, and the database is back at its snapshot; nothing was changed\n"
            "hint: guard the command again"
        )
    with engine.connect() as connection:
        live = states.in_states(connection, run.run_id, states.LIVE)
        regretted = connection.scalars(
            sa.text(
                "select league from etl.run_leagues where run_id = :run and published_at is not null"
                " and state in ('failed', 'undone') order by 1"
            ),
            {"run": run.run_id},
        ).all()
    problems = differences(engine, settings, run, is_planned=len(sealed) > STAGES.index("import"))
    problems += [f"{league} was published and is not as it was published" for league in regretted]
    if live and len(sealed) < len(STAGES):
        problems.append(f"{', '.join(live)} is published, and the notebooks before the publish are not all there")
    if problems:
        raise UsageError(
            f"run {run.run_id} cannot go on: {'; '.join(problems)}; nothing was changed\n"
            "hint: run the scrape again; its plan leaves out what is live already"
        )


def _begin(engine: sa.Engine, run: sa.Row, sealed: list[StageResult]) -> None:
    """Open the run again, and rebuild the candidate's views where a run in between has dropped them."""
    first = STAGES[len(sealed)] if len(sealed) < len(STAGES) else None
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into etl.resumptions (run_id, number, first_stage, had_died)"
                " select :run, 1 + count(*), :first, :died from etl.resumptions where run_id = :run"
            ),
            {"run": run.run_id, "first": first, "died": run.error or ""},
        )
        connection.execute(
            sa.text(
                "update etl.runs set status = 'running', finished_at = null, decision = null, exit_code = null,"
                " error = null, report = null where run_id = :run"
            ),
            {"run": run.run_id},
        )
        failed = states.in_states(connection, run.run_id, ["failed"])
        told = f"the run was resumed with {f'stage {first}' if first else 'the publish'}"
        states.move(connection, run.run_id, failed, "planned", told)
        if first is not None:
            connection.execute(
                sa.text(
                    "update etl.run_leagues set decision = null, reasons = '[]'"
                    " where run_id = :run and league = any(:leagues)"
                ),
                {"run": run.run_id, "leagues": failed},
            )
        candidate = schema.schemas(run.run_id)[1]
        is_there = connection.scalar(sa.text("select to_regnamespace(:name) is not null"), {"name": candidate})
        if len(sealed) > STAGES.index("import") and not is_there:
            schema.create_candidate(connection, run.run_id, schema.read_planned(connection, run.run_id))


def _publish(
    engine: sa.Engine, settings: Settings, run_id: str, outcomes: Mapping[str, Outcome], tell: Tell | None = None
) -> None:
    """Publish leagues that are not live yet, and read again those that are and that nobody has verified."""
    with engine.connect() as connection:
        live = states.in_states(connection, run_id, states.LIVE)
        unverified = states.in_states(connection, run_id, ["published"])
    if not live or not outcomes.keys() <= set(live):
        publish(engine, settings, run_id, outcomes, tell)
        return
    for outcome in outcomes.values():
        outcome.is_published = True
    if outcomes.keys() & set(unverified):
        _look(engine, settings, run_id, outcomes, tell)


def _look(
    engine: sa.Engine, settings: Settings, run_id: str, outcomes: Mapping[str, Outcome], tell: Tell | None
) -> None:
    """Verify leagues that an attempt which died had published.

    Nothing is taken back by itself: since then others may have changed what differs.
    """
    seen = see(engine, settings, run_id, outcomes, tell=tell)
    problems = ddl.add_planned(engine, run_id)
    if not (seen.differs or seen.unread or problems):
        with engine.begin() as connection:
            states.move(connection, run_id, outcomes, "verified", "the run was resumed: live is as planned")
            resolve_unverified(connection, run_id, outcomes, "the run was resumed, and live is as planned")
        return
    what = seen.told or seen.unread or "; ".join(problems)
    done = "its rows are live since before the run died; nothing was taken back, as others may have changed them since"
    todo = f"look who changed these rows; `rally-etl undo {run_id}` takes the run back and keeps what users changed"
    with engine.begin() as connection:
        for league in outcomes:
            raise_incident(connection, UNVERIFIED, what, done=done, todo=todo, run_id=run_id, league=league)
    for outcome in outcomes.values():
        outcome.failed = True
        outcome.reasons.insert(0, no_go(UNVERIFIED, "verify", f"{what}; {done}. To do: {todo}"))
