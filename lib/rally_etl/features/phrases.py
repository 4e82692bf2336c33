"""Numbers with their nouns, as the queries of pages say them."""

from __future__ import annotations


def numbered(number: str, one: str, many: str = "") -> str:
    """SQL for a number and what is counted: ``numbered("lines", "line")`` says `1 line` or `2 lines`.

    Args:
        number: an expression; it is written twice. Where it is null, so is the phrase.
        one: the noun for one, and with an s for others unless *many* says otherwise.
    """
    return f"({number}) || case {number} when 1 then ' {one}' else ' {many or one + 's'}' end"
