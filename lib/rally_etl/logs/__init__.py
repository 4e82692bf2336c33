"""The log of the product: events with fields, bound to run, league, stage and file; ECS JSON lines under `logs/`.

A process says once what it is (`configure`); before that, events go nowhere. A log that cannot be written breaks
nothing.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from rally_etl.errors import RallyEtlError
from rally_etl.logs.events import BOUND, ECS_NAMES, EVENTS

if TYPE_CHECKING:
    from rally_etl.logs.files import Lines
    from rally_etl.logs.shaping import Shape
    from rally_etl.settings import Settings

__all__ = [
    "BOUND",
    "ECS_NAMES",
    "EVENTS",
    "bind",
    "bound",
    "configure",
    "event",
    "failed",
    "message_of",
    "shut",
    "unexpected",
]

_LOGGER = "rally_etl"
_BOUND: ContextVar[dict[str, Any] | None] = ContextVar("what events happen in", default=None)
_HANDLERS: list[Handler] = []
_ATTRIBUTE = "_rally_etl_bound"  # of an exception: what it happened in


def configure(settings: Settings, process: str = "command") -> None:
    """Send the events of this process to `logs/` of the project, and to stderr as text where the settings ask for it.

    Warnings of libraries come along. Nothing is opened or imported before the first event.

    Args:
        process: command, worker or kernel.
    """
    shut()
    _HANDLERS.append(Handler(settings, process))
    logging.getLogger().addHandler(_HANDLERS[0])
    if process == "command" and logging.lastResort is not None:
        logging.getLogger().addHandler(logging.lastResort)  # as without a log: libraries that warn are seen
    own = logging.getLogger(_LOGGER)
    own.setLevel(settings.log_level.upper())
    own.propagate = False
    own.addHandler(_HANDLERS[0])


def shut() -> None:
    """Send nothing any more; close what is open."""
    for logger in (logging.getLogger(), logging.getLogger(_LOGGER)):
        for handler in [*_HANDLERS, logging.lastResort]:
            if handler is not None:
                logger.removeHandler(handler)
    for handler in _HANDLERS:
        handler.close()
    _HANDLERS.clear()


def event(action: str, **fields: Any) -> None:
    """Log one event of `EVENTS` with the fields that it has there; what is bound comes by itself."""
    if not _HANDLERS:
        return
    found = EVENTS[action]
    level = getattr(logging, found.level.upper())
    if logging.getLogger(_LOGGER).isEnabledFor(level):
        record = (_BOUND.get() or {}) | {"action": action} | fields
        logging.getLogger(_LOGGER).log(level, found.told, extra={"rally_etl_fields": record})


def unexpected(error: BaseException) -> None:
    """Log an error that is a bug, and tell Sentry of it where `SENTRY_DSN` is set; once per error."""
    if not _HANDLERS or getattr(error, "_rally_etl_logged", False) or isinstance(error, RallyEtlError):
        return
    from rally_etl.logs import sentry
    from rally_etl.logs.shaping import error_fields

    error._rally_etl_logged = True
    with bound(**_bound_of(error)):
        event("exception", **error_fields(error))
        sentry.send(error, _HANDLERS[0].settings, _BOUND.get() or {})


def _bound_of(error: BaseException | None) -> dict[str, Any]:
    """What an error happened in, as far as it or one that it came from remembers."""
    if error is None:
        return {}
    return getattr(error, _ATTRIBUTE, None) or {} | _bound_of(error.__cause__ or error.__context__)


def failed(error: BaseException) -> dict[str, str]:
    """Fields of an error for an event."""
    if not _HANDLERS:
        return {}
    from rally_etl.logs.shaping import error_fields

    return error_fields(error)


def message_of(error: BaseException) -> str:
    """What an error says, without values."""
    return failed(error).get("error_message", "")


def bind(**values: Any) -> None:
    """Bind values to all events that follow in this process."""
    _BOUND.set((_BOUND.get() or {}) | values)


@contextmanager
def bound(**values: Any) -> Iterator[None]:
    """Bind values to the events of the block; an exception that leaves it remembers them."""
    token = _BOUND.set((_BOUND.get() or {}) | values)
    try:
        yield
    except BaseException as error:
        if not hasattr(error, _ATTRIBUTE):
            setattr(error, _ATTRIBUTE, _BOUND.get())
        raise
    finally:
        _BOUND.reset(token)


class Handler(logging.Handler):
    """Writes events, and warnings of libraries, as lines; what fails is said once on stderr and breaks nothing."""

    def __init__(self, settings: Settings, process: str) -> None:
        super().__init__()
        self.settings, self.process = settings, process
        self._lines: Lines | None = None
        self._is_silent = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        if record.name == "traitlets" and record.levelno < logging.ERROR:  # says at the end of each kernel what is well
            return
        try:
            if self._lines is None:
                self._open()
            self._lines.write((self._json.format(record) + "\n").encode())
            if self.settings.log_text and self.process == "command":
                print(self._text.format(record), file=sys.stderr, flush=True)
        except Exception as error:
            self._complain(error)

    def close(self) -> None:
        """Let the file go."""
        super().close()
        if self._lines is not None:
            self._lines.close()

    def _open(self) -> None:
        from rally_etl.logs.files import Lines
        from rally_etl.logs.shaping import Shape
        from rally_etl.scrubbing import secrets_of

        shape = Shape(secrets_of(self.settings), self.process, self.settings.root)
        self._json, self._text = _formatters(shape)
        self._lines = Lines(self.settings.logs_dir, self.settings.log_max_bytes, self.settings.log_keep)

    def _complain(self, error: Exception) -> None:
        if not self._is_silent:
            self._is_silent = True
            told = getattr(error, "strerror", None) or type(error).__name__
            print(f"log: {self.settings.logs_dir.name}/ cannot be written ({told}); the work goes on", file=sys.stderr)


def _formatters(shape: Shape) -> tuple[logging.Formatter, logging.Formatter]:
    from ecs_logging import StructlogFormatter
    from structlog.stdlib import ProcessorFormatter, add_log_level, add_logger_name

    before = [add_log_level, add_logger_name, _take_fields, shape.clean]
    strip = ProcessorFormatter.remove_processors_meta
    return (
        ProcessorFormatter(foreign_pre_chain=before, processors=[strip, shape.ecs, StructlogFormatter()]),
        ProcessorFormatter(foreign_pre_chain=before, processors=[strip, shape.text]),
    )


def _take_fields(logger: Any, name: str, line: dict[str, Any]) -> dict[str, Any]:
    return line | getattr(line["_record"], "rally_etl_fields", _BOUND.get() or {})
