"""What can go wrong, each with the exit code an operator sees."""

from __future__ import annotations


class RallyEtlError(Exception):
    """The run or command failed; the message says what is wrong, what happened to the data, and what to do."""

    exit_code = 1


class UsageError(RallyEtlError):
    """A wrong option, an unreadable input, a name that does not exist."""

    exit_code = 2


class EvidenceMissing(RallyEtlError):
    """A scrap that a decision needs is not there, not sealed, or of another run."""


class PlanIsStale(RallyEtlError):
    """A live row moved between plan and publish; nothing was written."""


class LiveIsBusy(RallyEtlError):
    """Others held what a plan changes for too long; nothing was written, and the same plan may be published later."""

    exit_code = 4


class PublishUnknown(RallyEtlError):
    """The connection was lost while committing and the database does not answer: all of it was written, or nothing."""


class RunLocked(RallyEtlError):
    """Another run works on this database."""

    exit_code = 5


class LockLost(RallyEtlError):
    """The run no longer holds the lock that it began with; what it was about to write was not written."""


class StageFailed(RallyEtlError):
    """A notebook did not run to its seal."""


class Stopped(BaseException):
    """A signal asked the program to end; no error, so that nothing takes it for one."""

    def __init__(self, signal: int, name: str):
        super().__init__(f"stopped by {name}")
        self.exit_code = 128 + signal
        self.hint = ""  # what to do about the run that was stopped
