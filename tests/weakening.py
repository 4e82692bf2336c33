"""Checks weakened on purpose: every query that one small change makes out of the query of a check.

The text is changed where it stands, token by token, so that a mutant differs from its check in nothing else: another
comparison, a condition that is left out, `and` for `or`, `exists` for `not exists`, the greatest for the least, plus
for minus, rows counted more than once, a number one off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

COMPARISONS = ("<", "<=", "=", "<>", ">=", ">")
# Phrases of several words that become one of the others; the longer ones are looked for first.
PHRASES = {
    "is not distinct from": ("is distinct from", "="),
    "is distinct from": ("is not distinct from", "<>"),
    "is not null": ("is null",),
    "is not true": ("is true", "is false"),
    "is not false": ("is false", "is true"),
    "not exists": ("exists",),
    "not ilike": ("ilike",),
    "not like": ("like",),
    "not in": ("in",),
    "is null": ("is not null",),
    "is true": ("is not true", "is not false"),
    "is false": ("is not false",),
    "left join": ("inner join",),
    "not between": ("between",),
    "between": ("not between",),
    "distinct": ("",),
    "greatest": ("least",),
    "least": ("greatest",),
    "max": ("min",),
    "min": ("max",),
    "+": ("-",),
    "-": ("+",),
    "exists": ("not exists",),
    "ilike": ("not ilike",),
    "like": ("not like",),
    "in (": ("not in (",),
    "and": ("or",),
    "or": ("and",),
    "!~*": ("~*",),
    "!~": ("~",),
    "~*": ("!~*",),
    "~": ("!~",),
}
CONDITIONS = ("where", "on", "having", "when", "filter")
"""Words after which a condition stands."""
CLAUSES = (
    "select from group order having where left right inner cross join union limit then else end as using ,".split()
)
"""Words, and the comma, that end a condition of the same depth."""
LONGEST_LINE = 90  # characters of a line that name a change

_TOKEN = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"|:\w+|\d+(?:\.\d+)?|\w+"
    r"|<->|->>|->|=>|<@|@>|<<|>>|\|\||<=|>=|<>|!~\*|!~|~\*|\S",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query, where it begins and ends, and how many brackets are open around it."""

    text: str
    start: int
    end: int
    depth: int


@dataclass(frozen=True, slots=True)
class Mutant:
    """A query with one change; `change` names the line and says what became what, unique within a check."""

    change: str
    sql: str


def mutants(sql: str) -> list[Mutant]:
    """Every mutant of a query, each text once, in the order of the text; what is shown of a row stays."""
    changes = sorted({*_operators(sql), *_numbers(sql), *_left_out(sql)}, key=lambda each: (each[0], each[1], each[2]))
    made: dict[str, Mutant] = {}
    names: dict[str, int] = {}
    shown = _shown(sql)
    for start, end, new in changes:
        if start in shown:
            continue
        text = sql[:start] + new + sql[end:]
        was = " ".join(sql[start:end].split())
        name = f"{_line(sql, start)} | {was if len(was) <= LONGEST_LINE else was[:LONGEST_LINE] + '…'} -> {new}"
        if text != sql and text not in made:
            names[name] = names.get(name, 0) + 1
            made[text] = Mutant(name if names[name] == 1 else f"{name} #{names[name]}", text)
    return list(made.values())


def _shown(sql: str) -> range:
    """Where the query says what is shown of a failing row: it decides about none."""
    place = begin = 0
    for token in tokens(sql):
        if token.depth == 0 and token.text in ("select", "from"):
            begin, place = (token.end, 0) if token.text == "select" else (begin, place or token.start)
    return range(begin, place)


def tokens(sql: str) -> list[Token]:
    """The pieces of a query without its comments."""
    found, depth = [], 0
    for match in _TOKEN.finditer(sql):
        text = match.group()
        if text.startswith(("--", "/*")):
            continue
        depth -= text in (")", "]", "end")
        found.append(Token(text, match.start(), match.end(), depth))
        depth += text in ("(", "[", "case")
    return found


def _line(sql: str, place: int) -> str:
    """The line of the query that holds a place, without its margin and shortened."""
    line = sql[sql.rfind("\n", 0, place) + 1 :].partition("\n")[0].strip()
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"


def _operators(sql: str) -> Iterator[tuple[int, int, str]]:
    """Each comparison as every other one, and each phrase as its opposite."""
    found = tokens(sql)
    place = 0
    while place < len(found):
        token = found[place]
        if token.text in COMPARISONS:
            yield from ((token.start, token.end, other) for other in COMPARISONS if other != token.text)
        for phrase, others in PHRASES.items():
            words = phrase.split()
            if [each.text for each in found[place : place + len(words)]] == words:
                if not (phrase == "and" and _is_of_between(found, place)):
                    yield from ((token.start, found[place + len(words) - 1].end, other) for other in others)
                place += len(words) - 1 - (phrase == "in (")
                break
        place += 1


def _is_of_between(found: list[Token], place: int) -> bool:
    """Whether the `and` there belongs to a `between`."""
    depth = found[place].depth
    for token in reversed(found[:place]):
        if token.depth < depth or (token.depth == depth and token.text in ("and", "or", *CONDITIONS)):
            return False
        if token.depth == depth and token.text == "between":
            return True
    return False


def _numbers(sql: str) -> Iterator[tuple[int, int, str]]:
    """Each number one more and one less, in its last place; those of intervals too. A list of `values` is no logic."""
    found = tokens(sql)
    listed = None  # depth of the list that a token stands in
    for before, token in pairwise(found):
        if before.text == "values":
            listed = before.depth
        elif listed is not None and token.depth < listed:
            listed = None
        if listed is not None:
            continue
        if before.text == "interval" and (length := re.fullmatch(r"'(\d+)( \w+)'", token.text)):
            for step in (1, -1):
                yield token.start, token.end, f"'{int(length[1]) + step}{length[2]}'"
        elif re.fullmatch(r"\d+(\.\d+)?", token.text) and before.text not in ("limit", "["):
            places = len(token.text.partition(".")[2])
            for step in (1, -1):
                yield token.start, token.end, f"{float(token.text) + step * 10**-places:.{places}f}"


def _left_out(sql: str) -> Iterator[tuple[int, int, str]]:
    """Each condition left out: of several that are joined by `and` one becomes true, by `or` false; a lone one true."""
    found = tokens(sql)
    for terms in _conditions(found):
        for number, (begin, end) in enumerate(terms):
            joints = {found[begin - 1].text if number else "", found[end].text if number < len(terms) - 1 else ""}
            neutral = "false" if "or" in joints and "and" not in joints else "true"
            yield found[begin].start, found[end - 1].end, neutral


def _conditions(found: list[Token]) -> Iterator[list[tuple[int, int]]]:
    """Conditions as lists of terms; a term is its first token's place and the one after its last."""
    for place, token in enumerate(found):
        opens = token.text in CONDITIONS or (token.text == "(" and (place == 0 or not _is_name(found[place - 1].text)))
        if not opens or place + 1 == len(found):
            continue
        depth = token.depth + (token.text == "(")
        begin, terms, end = place + 1, [], place + 1
        while end < len(found) and found[end].depth >= depth:
            text = found[end].text
            if found[end].depth == depth and text in CLAUSES:
                break
            if found[end].depth == depth and text in ("and", "or") and not _is_of_between(found, end):
                terms.append((begin, end))
                begin = end + 1
            end += 1
        terms.append((begin, end))
        if (len(terms) > 1 or token.text in CONDITIONS) and all(first < last for first, last in terms):
            yield terms


def _is_name(text: str) -> bool:
    """Whether a bracket after this word is that of a function, not of a condition."""
    return bool(re.fullmatch(r"\w+", text)) and text not in (*CONDITIONS, "and", "or", "not", "then", "else")
