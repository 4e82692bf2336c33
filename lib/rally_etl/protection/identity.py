"""Whether two names of one row stand for the same thing, or the row has become another."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rapidfuzz import fuzz

from rally_etl.database.catalog import quote
from rally_etl.database.references import ReferenceParams

SAME_WORDS = 80
"""Likeness of words, 0 to 100, from which a difference is a spelling: `Prarie Club` and `Prairie Club` have 96."""

SHORT_WORD = 2
"""Letters up to which a word is a mark of its own (I, II, SW, PD) and must be equal."""


def is_same_thing(table: str, before: str | None, after: str | None, series_words: Iterable[str] = ()) -> bool:
    """Compare two names of the row of one id; case, blanks and punctuation are spelling.

    Teams and series are told apart by their numbers and short words (`12`, `II`, `SW`), persons by their whole name,
    leagues and clubs by their letters.
    """
    first, second = _tokens(before), _tokens(after)
    if first == second:
        return True
    if table == "players":
        # One part of a name may change: a marriage, a nickname. Both changing is another person.
        return bool(set(first) & set(second)) or _alike(first, second)
    if table == "series":
        words = {word.casefold() for word in series_words}
        first, second = ([token for token in tokens if token not in words] for tokens in (first, second))
    if table in ("teams", "series", "clubs"):
        return _marks(first) == _marks(second) and _alike(_words(first), _words(second))
    return "".join(first) == "".join(second)


def name_sql(alias: str, target: str, params: ReferenceParams) -> str:
    """SQL of the name of a row of an imported table; NULL without a row."""
    columns = ", ".join(f"{alias}.{quote(column)}" for column in params.identity.get(target, ["id"]))
    return f"case when {alias}.id is not null then concat_ws(' ', {columns}) end"


def _tokens(name: str | None) -> list[str]:
    return re.findall(r"\d+|[^\W\d_]+", (name or "").casefold())


def _marks(tokens: list[str]) -> list[str]:
    return sorted(token for token in tokens if token.isdigit() or len(token) <= SHORT_WORD)


def _words(tokens: list[str]) -> list[str]:
    return [token for token in tokens if not token.isdigit() and len(token) > SHORT_WORD]


def _alike(first: list[str], second: list[str]) -> bool:
    return fuzz.ratio("".join(first), "".join(second)) >= SAME_WORDS
