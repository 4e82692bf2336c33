"""Console blocks of pages: commands, and what they print, as a reader sees both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

INSTALLING = ("making .venv", "installing ")
ANY_LINES = "…"
RUN_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{4}(?:[0-9a-f]{2})?")  # a snapshot's is longer
MASKS = ((RUN_ID, "<run>"), (re.compile(r"\d+\.\d s\b| +\d+ s old"), "<seconds>"),
         (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "<time>"),
         (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"), "<minute>"),
         (re.compile(r"\d+\.\d KiB"), "<size>"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """A command of a console block, and the lines under it."""

    command: str
    lines: tuple[str, ...]

    def is_printed(self, lines: Sequence[str]) -> bool:
        """Whether these lines are the ones that are shown: but for run ids, times and seconds, and what `…` hides."""
        return re.fullmatch(pattern(self.lines), masked(lines)) is not None


def shown_commands(text: str) -> list[Shown]:
    """The commands of all console blocks, in order."""
    found: list[Shown] = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, *lines = part.rstrip("\n").split("\n")
            found.append(Shown(command, tuple(lines)))
    return found


def masked(lines: Sequence[str]) -> str:
    """The lines as one text without what differs from run to run."""
    text = "".join(f"{line.rstrip()}\n" for line in lines)
    for mask, word in MASKS:
        text = mask.sub(word, text)
    return text


def pattern(lines: Sequence[str]) -> str:
    """The expected lines as a pattern; a line `…` stands for any lines."""
    wanted = [line for line in lines if not line.startswith(INSTALLING)]
    return "".join("(?:.*\n)*" if line == ANY_LINES else re.escape(masked([line])) for line in wanted)


def rewrite(page: Path, found: Sequence[Sequence[str]]) -> None:
    """Put what the commands have printed into the page, where it differs from what is shown."""
    text = page.read_text(encoding="utf-8")
    printed: Iterator[tuple[Shown, Sequence[str]]] = iter(zip(shown_commands(text), found, strict=True))

    def rewritten(block: re.Match[str]) -> str:
        parts: list[str] = []
        for shown, lines in islice(printed, len(shown_commands(block[0]))):
            installing = [line for line in shown.lines if line.startswith(INSTALLING)]
            is_true = bool(shown.lines) and shown.is_printed(lines)
            parts += [f"$ {shown.command}", *(shown.lines if is_true else [*installing, *lines])]
        return "\n".join(["```console", *parts, "```"])

    page.write_text(re.sub(r"^```console\n.*?^```$", rewritten, text, flags=re.M | re.S), encoding="utf-8")
