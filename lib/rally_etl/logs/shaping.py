"""From an event to a line: names of the Elastic Common Schema for machines, text for people, nothing of a person."""

from __future__ import annotations

import logging
import math
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rally_etl import __version__
from rally_etl.logs.events import BOUND, ECS_NAMES
from rally_etl.scrubbing import without_values

SERVICE = "rally-etl"
LONGEST = 2000  # letters of a text
FRAMES = 30  # of a stack, the last ones
_PACKAGE = str(Path(__file__).resolve().parents[2])
_OUTSIDE = ("event", "level", "timestamp", "logger", "exception", "_record", "_from_structlog")
_VERBATIM = frozenset(BOUND) | {"action", "outcome", "error_stack", "version", "error_type"}

Line = MutableMapping[str, Any]


class Shape:
    """Processors of structlog that know the secrets of this process.

    Args:
        secrets: texts that may stand in no line.
        process: what this process is: command, worker, kernel.
        root: the project folder; where the machine keeps it is nobody's business.
    """

    def __init__(self, secrets: Iterable[str], process: str, root: Path) -> None:
        self.secrets, self.process = tuple(secrets), process
        self.places = (f"{root}/", f"{_PACKAGE}/")

    def clean(self, logger: Any, name: str, line: Line) -> Line:
        """Let no value of a person through: texts lose what they quote and what looks like a name."""
        _take_exception(line, line["_record"])
        line["event"] = self._without_values(line["event"])
        for key, value in list(line.items()):
            if key not in _OUTSIDE:
                line[key] = self._clean(key, value)
        return line

    def ecs(self, logger: Any, name: str, line: Line) -> Line:
        """Rename fields to those of ECS; `ecs_logging` adds moment, level and version of the schema."""
        shaped: Line = {"event": line["event"], "service.name": SERVICE, "service.version": __version__}
        shaped |= {"process.pid": os.getpid(), "log.level": line.get("level", name)}
        shaped["log.logger"] = line.get("logger", "rally_etl")
        if (seconds := line.pop("seconds", None)) is not None:
            line["duration"] = round(seconds * 1e9)
        line.setdefault("process", self.process)
        for key, value in line.items():
            if key not in _OUTSIDE and value is not None:
                shaped[ECS_NAMES.get(key, f"rally.{key}")] = value
        return shaped

    def text(self, logger: Any, name: str, line: Line) -> str:
        """`07:30:12 info  run.started  a run began  run=… leagues=…`."""
        fields = {key: value for key, value in line.items() if key not in (*_OUTSIDE, "action", "error_stack")}
        words = [f"{key}={_short(value)}" for key, value in fields.items() if value is not None]
        head = f"{datetime.now():%H:%M:%S} {line.get('level', name):7} {line.get('action', line.get('logger', ''))}"
        return "  ".join((head, line["event"], *(words and [" ".join(words)])))

    def _clean(self, key: str, value: Any) -> Any:
        if isinstance(value, str):
            return self._without_values(value) if key not in _VERBATIM else value
        if isinstance(value, bool | int) or value is None:
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, Mapping):
            return {str(inner): self._clean(key, each) for inner, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(key, each) for each in value]
        return self._without_values(value)

    def _without_values(self, value: Any) -> str:
        text = str(value)
        for place in self.places:
            text = text.replace(place, "")
        return without_values(text, self.secrets)[:LONGEST]


def error_fields(error: BaseException) -> dict[str, str]:
    """Class, message and stack of an error; the stack has places, no lines of code and no values."""
    return {"error_type": type(error).__name__, "error_message": message_of(error), "error_stack": stack_of(error)}


def message_of(error: BaseException) -> str:
    """What an error says, one line; of a database its code and the constraint, table and column it names.

    A database repeats values of rows in its own words, so these are left out.
    """
    said = getattr(error, "orig", None) or error
    diagnosis = getattr(said, "diag", None)
    if diagnosis is None or not getattr(said, "pgcode", None):
        return without_values(str(said))
    places = (diagnosis.constraint_name, diagnosis.table_name, diagnosis.column_name)
    told = [f"{what} {name}" for what, name in zip(("constraint", "table", "column"), places, strict=True) if name]
    return ", ".join([f"{type(said).__name__} ({said.pgcode})", *told])


def stack_of(error: BaseException) -> str:
    """The chain of an error, the first cause first: class and places."""
    lines: list[str] = []
    for each in reversed(_chain(error)):
        frames = traceback.extract_tb(each.__traceback__)[-FRAMES:]
        lines += [f"{_place(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames]
        lines.append(f"{type(each).__module__}.{type(each).__qualname__}")
    return "\n".join(lines)


def _chain(error: BaseException) -> list[BaseException]:
    found = [error]
    while (before := found[-1].__cause__ or found[-1].__context__) is not None and before not in found:
        found.append(before)
    return found


def _place(path: str) -> str:
    """A file as the installed package or Python knows it, not where this machine keeps it."""
    for root in (_PACKAGE, *sorted(sys.path, key=len, reverse=True)):
        if root and path.startswith(f"{root}/"):
            return path[len(root) + 1 :]
    return Path(path).name


def _take_exception(line: Line, record: logging.LogRecord) -> None:
    if record.exc_info and record.exc_info[1] is not None:
        line |= error_fields(record.exc_info[1])
    line.pop("exc_info", None)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:.1f}" if isinstance(value, float) else str(value)
