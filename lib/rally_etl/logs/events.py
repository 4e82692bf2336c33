"""Every event that is logged: its name, its sentence, its level, and the fields that it may have."""

from __future__ import annotations

from dataclasses import dataclass

BOUND = ("command", "process", "run", "league", "stage", "file", "record")
"""What an event happened in, from the outside in; a field of any event."""

ECS_NAMES = {
    "file": "file.name", "sha256": "file.hash.sha256", "bytes": "file.size", "exit_code": "process.exit_code",
    "outcome": "event.outcome", "reason": "event.reason", "duration": "event.duration", "error_type": "error.type",
    "error_message": "error.message", "error_stack": "error.stack_trace", "action": "event.action",
}  # fmt: skip
"""Fields that the Elastic Common Schema has a place for; any other is `rally.<name>`."""


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of event: the sentence that stands as its message, its level, and the fields it may have."""

    told: str
    level: str = "info"  # debug, info, warning, error
    fields: tuple[str, ...] = ()


def _event(told: str, fields: str = "", level: str = "info") -> Event:
    return Event(told, level, tuple(fields.split()))


_ERROR = "error_type error_message error_stack"
EVENTS: dict[str, Event] = {
    "command.started": _event("a command began", "version", "debug"),
    "command.ended": _event("a command ended", "exit_code seconds outcome", "debug"),
    "command.failed": _event("a command could not do what it was asked", f"exit_code seconds {_ERROR}", "error"),
    "command.stopped": _event("a command was stopped by a signal", "exit_code seconds signal", "warning"),
    "exception": _event("something happened that nobody expected: a bug", _ERROR, "error"),
    "run.started": _event("a run began", "leagues as_of dry_run operation"),
    "run.resumed": _event("a run that had died goes on", "first_stage"),
    "run.ended": _event("a run ended", "decision exit_code seconds leagues quarantined outcome"),
    "run.broken": _event("a run ended before its decision", f"where {_ERROR}", "error"),
    "run.dead": _event("a run that had died was closed and cleaned", "where published", "warning"),
    "stage.started": _event("a notebook began", "attempt"),
    "stage.ended": _event("a notebook ran to its seal", "seconds status outcome"),
    "stage.failed": _event("a notebook did not run to its seal", "seconds status outcome error_message", "error"),
    "stage.skipped": _event("a notebook was not run", "error_message", "warning"),
    "file.read": _event("a file of a scrape was read", "sha256 bytes records staged quarantined seconds"),
    "file.refused": _event("a file of a scrape cannot be used", "reason sha256 bytes", "warning"),
    "records.quarantined": _event("records were kept aside", "reason records"),
    "plan.made": _event("a plan was made", "changes"),
    "league.decided": _event("it was decided on a league", "decision rules"),
    "publish.begun": _event("a publish begins", "leagues"),
    "publish.committed": _event("a plan is live", "leagues is_changed seconds"),
    "publish.refused": _event("a publish wrote nothing", f"leagues rule {_ERROR}", "error"),
    "publish.verified": _event("others see on live what was planned", "leagues"),
    "publish.unverified": _event("nobody can say whether live is as planned", "leagues rules", "error"),
    "rollback.begun": _event("a publish is taken back", "leagues rules", "error"),
    "rollback.ended": _event("a publish was taken back", "by_run is_done", "warning"),
    "check.errored": _event("a check could not run", "check error_message", "warning"),
    "incident.opened": _event("an incident is open", "rule severity number", "warning"),
    "alert.sent": _event("a message was delivered", "channel number attempt"),
    "alert.failed": _event("a message could not be sent yet", "channel number attempt answer", "warning"),
    "alert.given_up": _event("a message was given up", "channel number attempt answer", "error"),
    "retry": _event("something that passes by itself is tried again", "what attempt attempts error_message", "warning"),
    "lock.taken": _event("the run lock was taken", "seconds", "debug"),
    "lock.refused": _event("another run holds the lock, and this one ends", "wait_s seconds", "warning"),
    "health.looked": _event("live was looked at", "score level seconds"),
    "migration.applied": _event("a migration of the ledger was applied", "name"),
    "server.started": _event("the embedded server was started"),
    "server.stopped": _event("the embedded server was stopped"),
}
