"""What is found wrong, and the incident of its cause: opened, updated, resolved.

Sources hand in findings: runs today. Whatever looks at live (health, anomalies) calls `note` the same way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from rally_etl.incidents import Severity

SEVERITIES: tuple[Severity, ...] = ("error", "warn", "info")
"""The worst first."""
BY = "rally-etl"
NOTE_LOCK = 0x52414C4C_0011  # advisory lock: one process at a time opens and resolves incidents of causes


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong in one league, worded so that it may leave the house: no names of persons.

    Attributes:
        cause: `<source>/<rule>`; findings of one cause in several leagues are one incident.
        what: what is wrong, in one sentence; ``whom``: whom it touches; ``todo``: what to do.
    """

    cause: str
    league: str
    severity: Severity
    what: str
    whom: str
    todo: str
    stage: str = ""
    dimensions: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()


def note(
    connection: sa.Connection,
    found: Iterable[Finding],
    mended: Mapping[str, Collection[str]],
    *,
    run_id: str | None = None,
    reopen_within: timedelta = timedelta(),
) -> None:
    """Open and update the incidents of what was *found*, and resolve what stands no more, in one transaction.

    Args:
        found: a cause that is found twice in a league counts once, with the worse severity.
        mended: league -> prefixes of causes (`import/`) that were looked for in it: what is not found is over there.
        reopen_within: an incident that resolved itself so short a time ago is opened again instead of a second one.
    """
    connection.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": NOTE_LOCK})
    worst: dict[tuple[str, str], Finding] = {}
    for each in found:
        known = worst.get((each.cause, each.league))
        if known is None or SEVERITIES.index(each.severity) < SEVERITIES.index(known.severity):
            worst[each.cause, each.league] = each
    for cause in dict.fromkeys(cause for cause, _ in worst):
        _note_cause(connection, [each for each in worst.values() if each.cause == cause], run_id, reopen_within)
    for league, prefixes in mended.items():
        still = [cause for cause, other in worst if other == league]
        _clear(connection, league, prefixes, still, f"run {run_id} did not find it" if run_id else "it is not found")


def _note_cause(connection: sa.Connection, found: list[Finding], run_id: str | None, reopen_within: timedelta) -> None:
    first = min(found, key=lambda each: SEVERITIES.index(each.severity))
    binds = {
        "cause": first.cause, "rule": first.cause.split("/", 1)[-1], "severity": first.severity, "what": first.what,
        "whom": first.whom, "todo": first.todo, "stage": first.stage, "run": run_id, "within": reopen_within,
        "dimensions": sorted({name for each in found for name in each.dimensions}),
        "owners": sorted({name for each in found for name in each.owners}), "by": BY,
    }  # fmt: skip
    number = connection.scalar(_UPDATE, binds) or connection.scalar(_INSERT, binds)
    rows = [
        {
            "incident": number, "league": each.league, "severity": each.severity, "what": each.what, "whom": each.whom,
        }
        for each in found
    ]  # fmt: skip
    connection.execute(_LEAGUE, rows)
    connection.execute(_SEVERITY, {"numbers": [number]})


def _clear(connection: sa.Connection, league: str, prefixes: Collection[str], still: list[str], why: str) -> None:
    binds = {"league": league, "prefixes": list(prefixes), "still": still, "by": BY, "why": why}
    touched = list(connection.scalars(_CLEAR, binds))
    connection.execute(_SEVERITY, {"numbers": touched})
    connection.execute(_RESOLVE, binds | {"numbers": touched})


_UPDATE = sa.text(
    """
    update etl.incidents
    set state = case when state = 'resolved' then 'open' else state end,
        opened_at = case when state = 'resolved' then clock_timestamp() else opened_at end,
        escalated_at = case when state <> 'resolved' then escalated_at end,
        acknowledged_at = case when state <> 'resolved' then acknowledged_at end,
        acknowledged_by = case when state <> 'resolved' then acknowledged_by end,
        resolved_at = null, resolved_by = null, reason = null,
        what = :what, whom = :whom, todo = :todo, stage = :stage, dimensions = :dimensions, owners = :owners,
        last_seen_at = clock_timestamp(), seen = seen + 1, last_run = coalesce(:run, last_run)
    where number = (
        select number from etl.incidents
        where cause = :cause and (
            state <> 'resolved' or (resolved_by = :by and resolved_at > clock_timestamp() - cast(:within as interval)))
        order by number desc limit 1)
    returning number
    """
)
_INSERT = sa.text(
    "insert into etl.incidents (cause, rule, severity, what, whom, todo, stage, dimensions, owners, last_run)"
    " values (:cause, :rule, :severity, :what, :whom, :todo, :stage, :dimensions, :owners, :run) returning number"
)
_LEAGUE = sa.text(
    "insert into etl.incident_leagues (incident, league, severity, what, whom)"
    " values (:incident, :league, :severity, :what, :whom) on conflict (incident, league)"
    " do update set severity = excluded.severity, what = excluded.what, whom = excluded.whom"
)
_SEVERITY = sa.text(
    """
    update etl.incidents as i set severity = l.severity, what = l.what, whom = coalesce(nullif(l.whom, ''), i.whom)
    from (
        select distinct on (incident) incident, severity, what, whom from etl.incident_leagues
        where incident = any(:numbers)
        order by incident, array_position(array['error', 'warn', 'info'], severity), league) as l
    where i.number = l.incident
    """
)
_CLEAR = sa.text(
    """
    delete from etl.incident_leagues as l using etl.incidents as i
    where
        i.number = l.incident and i.state <> 'resolved' and l.league = :league and i.cause <> all(:still)
        and exists (select from unnest(cast(:prefixes as text[])) as p(prefix) where starts_with(i.cause, p.prefix))
    returning i.number
    """
)
_RESOLVE = sa.text(
    "update etl.incidents as i set state = 'resolved', resolved_at = clock_timestamp(), resolved_by = :by,"
    " reason = :why where number = any(:numbers)"
    " and not exists (select from etl.incident_leagues as l where l.incident = i.number)"
)
