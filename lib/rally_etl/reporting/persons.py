"""Persons in what is kept of a run: by their id, never by their name; the names stay in the database.

A report holds team, club and league names, and texts of many queries. Whatever words in it are the name of a player or
a user stands there as `player 12`; who may ask the database finds the name under that id.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rally_etl.database.engine import read_only
from rally_etl.database.retry import patiently
from rally_etl.planning.schema import schemas
from rally_etl.scrubbing import without_addresses

WITHHELD = "…"
NAME_COLUMNS = {
    "first_name", "last_name", "folded_name", "player_name", "recipient_name", "email", "user_email", "phone_number",
    "recipient_contact", "viewer_contact", "password_hash", "temporary_password_hash", "club_automation_password",
}  # fmt: skip
"""Columns whose values no report shows, whatever stands in them."""

MOST_WORDS = 5  # of a name
MOST_IDS = 3  # of a name that several rows have
_WORD = re.compile(r"(?:[^\W\d_]|\\u00[c-f][0-9a-f])(?:[\w.’'-]|&#(?:39|x27);|\\u[0-9a-f]{4})*")
_BETWEEN = re.compile(r",? {1,2}")
_TAIL = re.compile(r"(?:(?:['’]|&#(?:39|x27);)s?)?[.’'-]*$")  # of a word, and maybe not of the name: `Lee's`, `Lee.`
_ESCAPE = re.compile(r"\\u([0-9a-f]{4})")
_PERSON_KEY = re.compile(r"name|player|partner|captain|e-?mail|phone", re.I)
_NO_PERSON_KEY = re.compile(r"\bid\b|_id|team|club|file|league|series", re.I)
_FIGURE_KEY = re.compile(r"\bid\b|_id$|date|score|winner|^line$|pti|wins|losses|win %", re.I)
_PAIR = re.compile(r'"([^"\\]*)"(\s*:\s*)("(?:[^"\\]|\\.)*"?)')
_IS_NO_PERSON = ("is no person", "is an entry of the site's menu")

Replace = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Persons:
    """Persons that the database of a run knows: players and users of live, players of its scrape and its plan."""

    engine: sa.Engine
    run_id: str

    def replacing(self, texts: Iterable[str]) -> Replace:
        """What puts ids in the place of names in *texts*, which are looked up at once; addresses go as well."""
        windows = {text: list(_windows(text)) for text in set(texts)}
        wanted = {name.lower() for found in windows.values() for _, _, name in found}
        known = self._known(wanted) if windows else {}
        odd = _as_written(known)
        return lambda text: without_addresses(_replaced(text, windows.get(text) or _windows(text), known, odd))

    def _known(self, names: set[str]) -> dict[str, tuple[str, set[str]]]:
        """Name in small letters -> what stands in its place, and how the database writes it."""
        plan = schemas(self.run_id)[0]
        for attempt in patiently("the names of persons"):
            with attempt, read_only(self.engine, "public") as connection:
                there = set(connection.scalars(_THERE, {"names": [name.format(plan=plan) for name in _SOURCES]}))
                found = {name: sql for name, sql in _SOURCES.items() if name.format(plan=plan) in there}
                if not found:
                    return {}
                sources = " union all ".join(sql.format(plan=f'"{plan}"') for sql in found.values())
                rows = connection.execute(sa.text(_KNOWN.format(sources=sources)), {"names": sorted(names)}).all()
                places = _places(connection, there)
        return {
            row.name: (_told(row.told), set(row.written))
            for row in rows
            if not any(row.name in place for place in places)
        }


def withheld(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without the values of columns that say who somebody is."""
    return {key: WITHHELD if key in NAME_COLUMNS and value else value for key, value in row.items()}


def without_persons(original: str) -> str:
    """A record as its file has it, cut or damaged as it may be, without the values that name a person."""

    def blank(found: re.Match[str]) -> str:
        is_person = names_a_person(found[1]) or _is_shifted(found[1], found[3])
        return f'"{found[1]}"{found[2]}"{WITHHELD}"' if is_person else found[0]

    return _PAIR.sub(blank, original)


def names_a_person(field: str) -> bool:
    """Whether a field of a record holds a name: `First Name`, `Home Player 1`, and not `Player ID`, `Team Name`."""
    return bool(_PERSON_KEY.search(field)) and not _NO_PERSON_KEY.search(field)


def shown_value(fault: Mapping[str, Any]) -> Any:
    """The value that a fault quotes; of a field that names a person only what is none, of one of figures no name."""
    if names_a_person(str(fault["field"])) and not any(text in fault["problem"] for text in _IS_NO_PERSON):
        return WITHHELD
    return WITHHELD if _is_shifted(str(fault["field"]), str(fault["value"])) else fault["value"]


def _is_shifted(field: str, value: str) -> bool:
    """Whether a field of figures holds what may be a name: the columns of its record are shifted."""
    is_words = not any(letter.isdigit() for letter in value) and any(True for _ in _windows(value))
    return is_words and bool(_FIGURE_KEY.search(field))


def _windows(text: str) -> Iterator[tuple[int, int, str]]:
    """What may be a name, the longest first: start, end, the name as `First Last`.

    Two to five words side by side, the first and the last with a capital letter, with and without what may follow a
    name; with a comma it is `Last, First` or, as a database writes a row, `First, Last`.
    """
    words = list(_WORD.finditer(text))
    for place, first in enumerate(words):
        if first[0][0].islower():
            continue
        parts, turn, windows = [first[0]], 0, []
        for before, word in zip(words[place:], words[place + 1 : place + MOST_WORDS], strict=False):
            between = text[before.end() : word.start()]
            if between != " " and (not _BETWEEN.fullmatch(between) or (turn and "," in between)):
                break
            turn = len(parts) if "," in between else turn
            parts = [*parts, word[0]]
            if not word[0][0].islower():
                windows.append((first.start(), word.end(), parts, turn))
        for start, end, found, turn in reversed(windows):
            tail = _TAIL.search(found[-1])[0]
            for first_word in {turn, 0}:
                yield start, end, _name(found, first_word)
                if tail:
                    yield start, end - len(tail), _name([*found[:-1], found[-1].removesuffix(tail)], first_word)


def _name(words: list[str], turn: int) -> str:
    """The words, from *turn* on first, without what HTML and JSON have escaped."""
    name = " ".join([*words[turn:], *words[:turn]])
    if "&" in name or "\\" in name:
        name = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), html.unescape(name))
    return name


def _replaced(
    text: str,
    windows: Iterable[tuple[int, int, str]],
    known: Mapping[str, tuple[str, set[str]]],
    odd: Mapping[str, str],
) -> str:
    if not known:
        return text
    for name, told in odd.items():
        if name in text:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", lambda _, told=told: told, text)
            windows = _windows(text)
    parts, end = [], 0
    for start, stop, name in windows:
        if start >= end and name.lower() in known:
            parts += [text[end:start], known[name.lower()][0]]
            end = stop
    return "".join([*parts, text[end:]])


def _as_written(known: Mapping[str, tuple[str, set[str]]]) -> dict[str, str]:
    """Names that no window shows (small letters, brackets, many words), in each form that a text has -> their place."""
    names = {name: told for told, written in known.values() for name in written if not _is_plain(name)}
    forms = {
        form: told
        for name, told in names.items()
        for plain in (name, html.escape(name), html.escape(name).replace("&quot;", "&#34;"))
        for form in (plain, json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1])
    }
    return dict(sorted(forms.items(), key=lambda pair: -len(pair[0])))


def _is_plain(name: str) -> bool:
    """Whether `_windows` finds it: two to five words, the first and the last with a capital letter."""
    windows = list(_windows(name))
    return bool(windows) and windows[0][:2] == (0, len(name))


def _told(ids: list[str]) -> str:
    """`player 12`, or `player 12, 40 and 3 more` of a name that several have."""
    kinds: dict[str, list[str]] = {}
    for kind, _, number in (each.partition(" ") for each in ids):
        kinds.setdefault(kind, []).append(number)
    kind = next((kind for kind in ("player", "user", "person") if kind in kinds), "person")
    numbers = sorted(filter(None, kinds.get(kind, ())), key=lambda number: (len(number), number))
    more = f" and {len(numbers) - MOST_IDS} more" if len(numbers) > MOST_IDS else ""
    return f"{kind} {', '.join(numbers[:MOST_IDS])}{more}".rstrip() if numbers else "a person"


def _places(connection: sa.Connection, there: set[str]) -> list[str]:
    """Names of teams and clubs in small letters: who is called like one stays as it is written."""
    named = [("teams", "team_name"), ("clubs", "name")]
    parts = [f"select lower({column}) from public.{table}" for table, column in named if f"public.{table}" in there]
    return [name for name in connection.scalars(sa.text(" union ".join(parts))) if name] if parts else []


_WRITTEN = "replace(concat_ws(' ', nullif(btrim(first_name), ''), nullif(btrim(last_name), '')), '  ', ' ')"
_SOURCES = {
    "public.players": f"select {_WRITTEN} as written, 'player ' || id as told from public.players",
    "{plan}.players": f"select {_WRITTEN}, 'player ' || id from {{plan}}.players",
    "public.users": f"select {_WRITTEN}, 'user ' || id from public.users",
    "etl.staged_players": f"select {_WRITTEN}, 'person' from etl.staged_players",
    "public.player_availability": "select btrim(player_name), 'person' from public.player_availability",
}
"""Table -> who stands in it: the name as it is written, and the id by which a report calls them."""
_THERE = sa.text(
    "select name from unnest(cast(:names as text[]) || array['public.teams', 'public.clubs']) as t(name)"
    " where to_regclass(name) is not null"
)
_KNOWN = """
    with wanted as (select unnest(cast(:names as text[])) as name), known as ({sources})
    select w.name, array_agg(distinct k.told) as told, array_agg(distinct k.written) as written
    from wanted as w join known as k on lower(k.written) = w.name
    group by w.name
    union all
    select lower(written), array_agg(distinct told), array_agg(distinct written)
    from known where written ~ '^[^[:upper:]].* |[^[:alpha:] .’''-]|( .*){{5}}| [^[:upper:]][^ ]*$' and written ~ ' '
    group by 1
"""
