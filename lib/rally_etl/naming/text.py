"""One spelling of text: what every value and every name goes through before it is looked at."""

from __future__ import annotations

import re
import unicodedata

DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-"))
WORDS = re.compile(r"[^\W_]+")


def clean(text: str) -> str:
    """Bring *text* to NFC, drop control characters, trim it and fold each run of blanks to one."""
    if text.isascii() and text.isprintable():
        return text if "  " not in text and text[:1] != " " and text[-1:] != " " else " ".join(text.split())
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(_printable(character) for character in composed)
    return unicodedata.normalize("NFC", " ".join(kept.split()))


def _printable(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] == "Z" or character in "\t\n\r\v\f":
        return " "
    return "" if category[0] == "C" else character


def clean_name(text: str) -> str:
    """Clean the name of a team, series or club: also one kind of dash and of apostrophe."""
    return clean(text.translate(DASHES)).replace("’", "'")


def fold(text: str) -> str:
    """Letters and digits of *text* without case: `APTA-Chicago`, `apta_chicago` and `APTACHICAGO` are one."""
    return "".join(WORDS.findall(text.casefold()))
