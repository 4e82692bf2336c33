"""Which leagues of a run an undo takes back, and what cannot be taken back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from rally_etl.errors import UsageError

_LEAGUES = sa.text(
    "select l.league, l.state, l.published_at is not null as is_published, r.operation is not null as is_operation"
    " from etl.run_leagues as l join etl.runs as r using (run_id) where run_id = :run order by league"
)
_TAKEN_BACK_BY = sa.text(
    "select ul.league, max(u.run_id) as by_run from etl.runs as u join etl.run_leagues as ul using (run_id)"
    " where u.operation ->> 'kind' = 'undo' and u.operation ->> 'run' = :run and ul.published_at is not null"
    " and ul.state <> 'undone' and ul.league = any(:leagues) group by 1 order by 1"
)
_GUARDED = sa.text("select command from etl.guards where run_id = :run and method = 'direct'")


def told(operation: Mapping[str, Any]) -> str:
    """The undo in a few words."""
    leagues = operation.get("leagues")
    return f"undo {operation['run']}" + (f" in {', '.join(leagues)}" if leagues else "")


def leagues_of(connection: sa.Connection, operation: Mapping[str, Any]) -> list[str]:
    """Keys of the leagues that an undo takes back: those it names, or all that the run has in force.

    Raises:
        UsageError: there is no such run or league, nothing of it is in force, it was published as a whole, or it
            follows what a guarded command did itself.
    """
    run_id, asked = operation["run"], list(operation.get("leagues") or ())
    rows = connection.execute(_LEAGUES, {"run": run_id}).all()
    if not rows:
        raise UsageError(f"there is no run {run_id!r}; nothing was planned\nhint: `rally-etl runs` lists them")
    if asked and rows[0].is_operation:
        raise UsageError(
            f"run {run_id} was published as a whole, and is taken back as a whole; nothing was planned\n"
            "hint: leave out --league"
        )
    if unknown := [key for key in asked if key not in {row.league for row in rows}]:
        raise UsageError(
            f"run {run_id} has no league {unknown[0]}; nothing was planned\n"
            f"hint: its leagues are {', '.join(row.league for row in rows)}"
        )
    published = [row for row in rows if row.is_published and (not asked or row.league in asked)]
    if missing := set(asked) - {row.league for row in published}:
        raise UsageError(
            f"run {run_id} has published nothing of {', '.join(sorted(missing))}; nothing was planned\n"
            "hint: there is nothing to undo"
        )
    if not published:
        raise UsageError(f"run {run_id} has published nothing; nothing was planned\nhint: there is nothing to undo")
    in_force = [row.league for row in published if row.state != "undone"]
    if not in_force or (asked and len(in_force) < len(published)):
        _refuse_again(connection, run_id, [row.league for row in published if row.state == "undone"])
    if command := connection.scalar(_GUARDED, {"run": run_id}):
        raise UsageError(
            f"run {run_id} gave users' rows the ids that a command had issued, whose own rows are no plan: {command};"
            " nothing was planned\nhint: guard the command that brings the rows back, or restore a backup"
        )
    return in_force


def needed_by(connection: sa.Connection, run_id: str, keys: Iterable[str]) -> list[str]:
    """Leagues of a run that stay published when *keys* are taken back."""
    rows = connection.execute(_LEAGUES, {"run": run_id}).all()
    return [row.league for row in rows if row.is_published and row.state != "undone" and row.league not in set(keys)]


def _refuse_again(connection: sa.Connection, run_id: str, leagues: list[str]) -> None:
    found = connection.execute(_TAKEN_BACK_BY, {"run": run_id, "leagues": leagues}).all()
    by = dict.fromkeys(row.by_run for row in found)
    told_by = f" by run {', '.join(by)}" if by else ""
    hint = f"`rally-etl undo {next(iter(by))}` brings it back" if by else "`rally-etl runs` lists what was done"
    raise UsageError(
        f"run {run_id} is taken back already{told_by} ({', '.join(leagues)}); nothing was planned\nhint: {hint}"
    )
