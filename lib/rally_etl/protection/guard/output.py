"""What a guarded command prints: kept in a file, without secrets, to a limit; the last lines told."""

from __future__ import annotations

import codecs
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TextIO
from urllib.parse import quote, unquote

LARGEST = 20_000_000  # characters of output that are kept
LONGEST_LINE = 10_000  # characters after which a line is cut
HELD_BACK = 1_000  # characters of a line without an end that wait: a secret may be cut in two
TAIL_LINES = 40
TAIL_WIDTH = 500
TOLD_EVERY_S = 0.5
SHORTEST_SECRET = 4
BLANK = "***"

_NAMES = re.compile(r"pass(?!file)|secret|token|credential|api_?key|access_?key|private|pwd", re.IGNORECASE)
_NO_SECRETS = ("PWD", "OLDPWD")
_IN_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*):([^\s/]*)@", re.IGNORECASE)
_WORDS = r"(?:password|passwd|pwd|secret|token|api[_-]?key)"
_IN_WORDS = re.compile(rf"({_WORDS}\s*[=:]\s*['\"]?|--{_WORDS}\s+['\"]?)([^\s'\"&,;]+)", re.IGNORECASE)


def secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Values of an environment that nobody may read: those that are called so, and passwords within addresses."""
    found = {
        value
        for name, value in environment.items()
        if _NAMES.search(name) and name not in _NO_SECRETS and "\n" not in value
    }
    for value in environment.values():
        found |= {match[2] for match in _IN_ADDRESS.finditer(value)}
    found |= {unquote(value) for value in found} | {quote(value, safe="") for value in found}
    return tuple(sorted((value for value in found if len(value) >= SHORTEST_SECRET), key=len, reverse=True))


def without_secrets(text: str, secrets: tuple[str, ...]) -> str:
    """The text without these, without passwords in addresses, and without what follows the word password."""
    for secret in secrets:
        text = text.replace(secret, BLANK)
    text = _IN_ADDRESS.sub(rf"\1:{BLANK}@", text)
    return _IN_WORDS.sub(rf"\1{BLANK}", text)


class Output:
    """Takes bytes of any kind and any number; keeps lines of text."""

    def __init__(self, file: TextIO, secrets: tuple[str, ...], tell: Callable[[str], None]):
        self._file, self._secrets, self._tell = file, secrets, tell
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest, self._kept, self._dropped = "", 0, 0
        self._last: deque[str] = deque(maxlen=TAIL_LINES)
        self._told_at = 0.0

    @property
    def tail(self) -> str:
        """The last lines."""
        return "\n".join(self._last)

    def write(self, chunk: bytes) -> None:
        """Take what has come; bytes that are no text are marked."""
        text = self._rest + self._decoder.decode(chunk)
        *lines, self._rest = re.split(r"\r\n|\r|\n", text)
        for line in lines:
            self._line(line)
        while len(self._rest) > LONGEST_LINE + HELD_BACK:
            # masked before it is cut, so that no half of a secret is left
            self._rest = without_secrets(self._rest, self._secrets)
            self._line(self._rest[:LONGEST_LINE])
            self._rest = self._rest[LONGEST_LINE:]

    def close(self) -> None:
        """Write what is left, and how much was not kept."""
        if self._rest:
            self._line(self._rest)
            self._rest = ""
        if self._dropped:
            self._file.write(f"... {self._dropped:,} more characters were printed and are not kept; the last lines:\n")
            self._file.write(self.tail + "\n")
        self._file.flush()

    def _line(self, line: str) -> None:
        line = without_secrets(line, self._secrets)
        line = "".join(letter if letter.isprintable() or letter == "\t" else " " for letter in line)
        if line.strip():
            self._last.append(line[:TAIL_WIDTH])
            if time.monotonic() - self._told_at >= TOLD_EVERY_S:
                self._told_at = time.monotonic()
                self._tell(line[:TAIL_WIDTH])
        if self._kept + len(line) > LARGEST:
            self._dropped += len(line) + 1
            return
        self._kept += len(line) + 1
        self._file.write(line + "\n")
        self._file.flush()
