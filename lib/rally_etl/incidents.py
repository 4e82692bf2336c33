"""Incidents: what somebody has to know about beyond one run, open until somebody says that it is over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from rally_etl import logs
from rally_etl.errors import UsageError

Severity = Literal["error", "warn", "info"]

UNVERIFIED = "published_is_verified"
"""Rule of the incident that a death between a publish and its verification opens."""

_COLUMNS = (
    "number, run_id, league, rule, severity, what, done, todo, state, opened_at, resolved_at, resolved_by, reason"
)
_RAISE = sa.text(
    """
    insert into etl.incidents (run_id, league, rule, severity, what, done, todo)
    values (:run_id, :league, :rule, :severity, :what, :done, :todo)
    on conflict (coalesce(run_id, ''), league, rule) where state <> 'resolved' and cause is null
    do update set severity = excluded.severity, what = excluded.what, done = excluded.done, todo = excluded.todo
    returning number
    """
)


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident as the ledger has it.

    Attributes:
        run_id: the run that it came from; None where there was none, or where the ledger has forgotten it.
        league: key of the league, ``*`` for all.
        what: what is wrong, with its values; ``done``: what happened to the data; ``todo``: what to do.
        resolved_by: who said that it is over, and ``reason``: why.
    """

    number: int
    run_id: str | None
    league: str
    rule: str
    severity: Severity
    what: str
    done: str
    todo: str
    state: str
    opened_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    reason: str | None

    def told(self) -> dict[str, str | int | None]:
        """The incident as JSON says it."""
        values = asdict(self)
        for name in ("opened_at", "resolved_at"):
            values[name] = values[name] and values[name].isoformat(timespec="seconds")
        return values


def raise_incident(
    connection: sa.Connection,
    rule: str,
    what: str,
    *,
    done: str = "",
    todo: str = "",
    severity: Severity = "error",
    run_id: str | None = None,
    league: str = "*",
) -> int:
    """Open an incident in the transaction of *connection*; answer its number.

    While one of the same run, league and rule is open there is no second: it says from then on what is said here.
    """
    told = {"what": what, "done": done, "todo": todo}
    binds = {"run_id": run_id, "league": league, "rule": rule, "severity": severity} | told
    number = connection.execute(_RAISE, binds).scalar_one()
    logs.event("incident.opened", number=number, rule=rule, severity=severity, league=league)
    return number


def raise_unverified(connection: sa.Connection, run_id: str | None = None) -> list[tuple[str, str]]:
    """An incident for each league that was published and not verified, of a run that has ended; answer run and league.

    What an incident has told of already is not told again.

    Args:
        run_id: None means all runs, none of which is alive.
    """
    found = connection.execute(
        sa.text(
            "select l.run_id, l.league from etl.run_leagues as l where l.state = 'published'"
            " and l.run_id = coalesce(:run_id, l.run_id) and not exists ("
            " select from etl.incidents as i where i.run_id = l.run_id and i.league = l.league) order by 1, 2"
        ),
        {"run_id": run_id},
    ).all()
    for row in found:
        raise_incident(
            connection,
            UNVERIFIED,
            f"run {row.run_id} ended after {row.league} was published and before it was read again",
            done="its rows are live as the plan says, but nobody has seen that they are",
            todo=f"`rally-etl run --resume {row.run_id}` reads them again; `undo {row.run_id}` takes them back",
            run_id=row.run_id,
            league=row.league,
        )
    return [(row.run_id, row.league) for row in found]


def resolve_unverified(connection: sa.Connection, run_id: str, leagues: Iterable[str], reason: str) -> None:
    """Say that somebody has seen these leagues of a run as planned after all."""
    connection.execute(
        sa.text(
            "update etl.incidents set state = 'resolved', resolved_at = clock_timestamp(), resolved_by = 'rally-etl',"
            " reason = :reason"
            " where run_id = :run and rule = :rule and league = any(:leagues) and state <> 'resolved'"
        ),
        {"run": run_id, "rule": UNVERIFIED, "leagues": list(leagues), "reason": reason},
    )


def read_incidents(connection: sa.Connection, run_id: str | None = None, *, only_open: bool = True) -> list[Incident]:
    """Incidents of one run or of all, the newest first; those of a cause over runs are read by `alerts`."""
    conditions = ["cause is null"] + (["state <> 'resolved'"] if only_open else [])
    conditions += ["run_id = :run_id"] if run_id else []
    rows = connection.execute(
        sa.text(f"select {_COLUMNS} from etl.incidents where {' and '.join(conditions)} order by number desc"),
        {"run_id": run_id} if run_id else {},
    )
    return [Incident(*row) for row in rows]


def resolve(connection: sa.Connection, number: int, by: str, reason: str) -> Incident:
    """Say that an incident is over.

    Raises:
        UsageError: there is none of this number, or it is over already.
    """
    _require_open(connection, number)
    row = connection.execute(
        sa.text(
            "update etl.incidents set state = 'resolved', resolved_at = clock_timestamp(), resolved_by = :by,"
            f" reason = :reason where number = :number returning {_COLUMNS}"
        ),
        {"number": number, "by": by, "reason": reason},
    ).one()
    return Incident(*row)


def acknowledge(connection: sa.Connection, number: int, by: str) -> Incident:
    """Say that somebody looks at an incident: it stays open, and nobody else is called because of it.

    Raises:
        UsageError: there is none of this number, or it is over already.
    """
    _require_open(connection, number)
    row = connection.execute(
        sa.text(
            "update etl.incidents set state = 'acknowledged', acknowledged_at = clock_timestamp(),"
            f" acknowledged_by = :by where number = :number returning {_COLUMNS}"
        ),
        {"number": number, "by": by},
    ).one()
    return Incident(*row)


def _require_open(connection: sa.Connection, number: int) -> None:
    found = connection.execute(
        sa.text(f"select {_COLUMNS} from etl.incidents where number = :number for update"), {"number": number}
    ).first()
    if found is None:
        raise UsageError(
            f"there is no incident {number}; nothing was written\nhint: `rally-etl alerts list` lists them"
        )
    if found.state == "resolved":
        raise UsageError(
            f"incident {number} was resolved by {found.resolved_by} ({found.reason}); nothing was written\n"
            "hint: `rally-etl alerts list` lists those that are open"
        )
