"""The format of a printed name: the name with what changes from team to team taken out, `Club - N SW (2024-25)`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rally_etl.naming.grammar import Reading

_MARKS = {"club": "Club", "number": "N", "upto": "N", "day": "Day", "text": "Text"}
_WORD = re.compile(r"[^\W_]+")


def format_of(reading: Reading) -> str:
    """What a league printed, with the form's own word for it: `Club Na - Series N (numbered series)`.

    ``N`` stands for a number, ``X`` for the letter of a series; an ordinal for one of its kind: ``n``, ``I``, ``a``,
    ``A``. A series that was printed beside the name follows behind ``beside``.
    """
    shape = _shape(reading.match)
    if reading.lent:
        shape += f" beside {_shape(reading.lent)}"
    return f"{shape} ({reading.form.format})" if reading.form.format else shape


def _shape(match: re.Match[str]) -> str:
    groups = {name: value for name, value in match.groupdict().items() if value and _mark(name, value)}
    again = {value: _mark(name, value) for name, value in groups.items()}
    ordinal = groups.get("ordinal", "")
    again |= {value + ordinal: _mark(name, value) + _kind(ordinal) for name, value in groups.items() if ordinal}
    shape, position = "", 0
    for name in sorted(groups, key=match.start):
        shape += _repeated(match.string[position : match.start(name)], again) + _mark(name, groups[name])
        position = match.end(name)
    return shape + _repeated(match.string[position:], again)


def _repeated(text: str, again: dict[str, str]) -> str:
    """Text between the groups, where a form may print the series once more: `5a - Series 5`."""
    return _WORD.sub(lambda word: again.get(word[0], word[0]), text)


def _mark(name: str, value: str) -> str:
    if name == "ordinal":
        return _kind(value)
    if name == "letter":
        return "X" if len(value) == 1 else value
    return value.upper() if name == "suffix" else _MARKS.get(name, "")


def _kind(ordinal: str) -> str:
    """One mark for all ordinals of a kind: `I` and `II`, `a` and `b`, `T1` and `T2`."""
    if re.fullmatch("I+", ordinal):
        return "I"
    letter = "a" if ordinal.islower() else "A"
    return letter if ordinal.isalpha() else re.sub(r"\d+", "n", ordinal)
