"""Invented people, and ids in the form that the leagues' sites give out."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator

STARTS = ("B", "Br", "C", "Cl", "D", "Dr", "F", "Fl", "G", "Gr", "H", "J", "K", "Kl", "L", "M", "N", "P", "Pl", "R",
          "S", "St", "T", "Tr", "V", "W", "Z")  # fmt: skip
MIDDLES = ("a", "ai", "ea", "e", "i", "o", "oa", "ou", "u", "ui")
ENDS = ("b", "ck", "d", "ff", "ld", "ll", "m", "n", "nd", "rd", "rn", "ss", "st", "th", "v", "x")
TAILS = ("", "", "", "ley", "man", "son", "ton", "wick", "by", "er")
ALPHABET = string.ascii_letters + string.digits


def names(dice: random.Random) -> Iterator[tuple[str, str]]:
    """Answer first and last names for ever, no two alike."""
    seen = set()
    while True:
        name = (_word(dice), _word(dice) + dice.choice(TAILS))
        if name not in seen:
            seen.add(name)
            yield name


def ids(dice: random.Random, prefix: str = "nndz-") -> Iterator[str]:
    """Answer ids for ever, no two alike: a prefix and 16 characters that look like base64."""
    seen = set()
    while True:
        body = "".join(dice.choices(ALPHABET, k=13)) + "T09"
        if body not in seen:
            seen.add(body)
            yield prefix + body


def _word(dice: random.Random) -> str:
    return dice.choice(STARTS) + dice.choice(MIDDLES) + dice.choice(ENDS)
