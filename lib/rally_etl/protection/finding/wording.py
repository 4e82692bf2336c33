"""How one row is called in a sentence, and what a practice row's text says."""

from __future__ import annotations

import re

from rally_etl.protection.finding.ground import LETTERS

_PRACTICE = re.compile(r"\s*(?P<club>.*?)\s+Practice\s*-\s*(?P<series>.+?)\s*", re.I | re.S)


def called(label: str, row: str, shown: str | None = None) -> str:
    """`poll 12 ("Friday or Monday?")`."""
    text = ""
    if shown:
        line = " ".join(shown.split())
        text = f' ("{line[: LETTERS - 1] + "…" if len(line) > LETTERS else line}")'
    return f"{label} {row}{text}"


def practice_of(text: str | None) -> tuple[str, str] | None:
    """Club and series that ``<Club> Practice - <Series>`` names; None for any other text."""
    found = _PRACTICE.fullmatch(text or "")
    return (found["club"], found["series"]) if found else None
