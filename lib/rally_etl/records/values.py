"""Single values: what a scraper printed -> text that PostgreSQL reads, or a Doubt."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from rally_etl.naming.text import clean
from rally_etl.records.reasons import Doubt

MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
DAY_MONTH = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3})[a-z]*[- ](\d{4}|\d{2})")
AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})")
ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?")
TIME = re.compile(r"(\d{1,2}):(\d{2})(?::\d{2})?\s*([AaPp])?\.?(?:[Mm]\.?)?")
NUMBER = re.compile(r"[+-]?(?:\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})")
ID = re.compile(r"[A-Za-z0-9+/=_.:-]{1,200}")
# What a scraper writes where it finds no id; a regular expression for SQL too.
NO_ID = "^(?:unknown_|placeholder|FALLBACK_)"
MADE_UP_ID = re.compile(NO_ID, re.IGNORECASE)
NO_NUMBER = frozenset({"", "n/a", "na", "-", "--", "none", "null"})
MADE_UP = re.compile(r"unknown (?:home team|away team|team|scores?|player|opponent)\b.*|x+ x+|x{2,}", re.IGNORECASE)
MENU_IDS = frozenset({"sharing"})
MENU = re.compile(r".*\b(?:PTI Algo|FAQs?|Description & FAQs?)\b.*", re.IGNORECASE)
NO_SHOW = re.compile(r"(?=.*\d).*\bplayer\b.*", re.IGNORECASE)
# "(S)", "(S ↑)", "[Sub]": plays as a substitute. "(Default)", "- Forfeit", "by Forfeit": did not play. What else stands
# in parentheses is a nickname or a club: "(jw)", "(Briarwood)".
SUBSTITUTE = re.compile(r"\s*(?:\(\s*S(?:ub(?:stitute)?)?\W*?\)|\[\s*S(?:ub(?:stitute)?)?\W*?\])\s*", re.IGNORECASE)
ABSENT = re.compile(
    r"\s*[(\[]\s*(?:by )?(?:default|forfeit)(?:ed)?\s*[)\]]\s*"
    r"|(?:^|\s+)(?:- ?)?(?:(?:won )?by )?(?:default|forfeit)(?:ed)?$",
    re.IGNORECASE,
)
CAPTAIN = {"c": "t", "cc": "t", "yes": "t", "y": "t", "true": "t", "captain": "t", "co-captain": "t"}
NO_CAPTAIN = frozenset({"", "no", "n", "false", "player", "none"})
FIRST_YEAR, LAST_YEAR = 1990, 2100  # no line was scraped before, none is scheduled after
KEPT = 65_536  # values remembered per field; more are read again


class Remembered(dict):
    """Value -> what was made of it; reads what it has not met, and forgets everything when it grows too large."""

    __slots__ = ("_kept", "_read")

    def __init__(self, read: Callable[[Any], Any], kept: int = KEPT) -> None:
        """*read* may raise Doubt, which is not remembered."""
        super().__init__()
        self._read, self._kept = read, kept

    def __missing__(self, key: Any) -> Any:
        """Read *key* and remember the outcome."""
        if len(self) >= self._kept:
            self.clear()
        value = self[key] = self._read(key)
        return value


def text(printed: str | None) -> str | None:
    """Cleaned text; None when nothing is left."""
    if not printed:
        return None
    tidy = clean(printed)
    if MADE_UP.fullmatch(tidy):
        raise Doubt("placeholder", "is a placeholder of the scraper")
    return tidy or None


def iso_date(printed: str | None) -> str | None:
    """ISO date of `23-Sep-25`, `09/23/2025` or `2025-09-23`; a year printed with two digits is of this century."""
    tidy = clean(printed) if printed else ""
    if not tidy:
        return None
    if match := DAY_MONTH.fullmatch(tidy):
        day, month, year = int(match[1]), MONTHS.get(match[2].lower(), 0), _year(match[3])
    elif match := AMERICAN.fullmatch(tidy):
        month, day, year = int(match[1]), int(match[2]), _year(match[3])
    elif match := ISO.fullmatch(tidy):
        year, month, day = int(match[1]), int(match[2]), int(match[3])
    else:
        raise Doubt("bad_date", "is no date in a known form")
    try:
        parsed = date(year, month, day)
    except ValueError as error:
        raise Doubt("bad_date", f"is no day of the calendar ({error})") from None
    if not FIRST_YEAR <= parsed.year <= LAST_YEAR:
        raise Doubt("bad_date", f"is of the year {parsed.year}, which cannot be")
    return parsed.isoformat()


def _year(printed: str) -> int:
    return int(printed) + 2000 * (len(printed) == 2)


def clock_time(printed: str | None) -> str | None:
    """`06:30 pm` -> `18:30`; None for an empty time."""
    tidy = clean(printed) if printed else ""
    if not tidy:
        return None
    match = TIME.fullmatch(tidy)
    if match is None:
        raise Doubt("bad_date", "is no time of day")
    hour, minute = int(match[1]), int(match[2])
    if match[3]:
        if not 1 <= hour <= 12:
            raise Doubt("bad_date", "is no hour of a twelve-hour clock")
        hour = hour % 12 + (12 if match[3].lower() == "p" else 0)
    if hour > 23 or minute > 59:
        raise Doubt("bad_date", "is no time of day")
    return f"{hour:02d}:{minute:02d}"


def timestamp(printed: str | None) -> str | None:
    """ISO instant as a timestamp without zone; one with an offset is brought to UTC."""
    tidy = clean(printed) if printed else ""
    if not tidy:
        return None
    try:
        at = datetime.fromisoformat(tidy)
        at = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    except (ValueError, OverflowError):
        raise Doubt("bad_date", "is no ISO date and time") from None
    return at.isoformat(sep=" ")


def number(printed: str | None, *, low: float = -1000, high: float = 1000) -> str | None:
    """Plain decimal text of a number within *low* and *high*; None for N/A and the like."""
    tidy = clean(printed).lower() if printed else ""
    if tidy in NO_NUMBER:
        return None
    try:
        value = Decimal(tidy) if NUMBER.fullmatch(tidy) else None
    except InvalidOperation:
        value = None
    if value is None:
        raise Doubt("bad_number", "is no number")
    if not low <= value <= high:
        raise Doubt("bad_number", f"is not between {low:g} and {high:g}")
    return f"{value + 0:f}"


def whole_number(printed: str | None) -> str | None:
    """A count from 0 to 1,000,000; `12.0` is 12."""
    plain = number(printed, low=0, high=1_000_000)
    if plain is None:
        return None
    value = Decimal(plain)
    if value != value.to_integral_value():
        raise Doubt("bad_number", "is no whole number")
    return str(int(value))


def percentage(printed: str | None) -> str | None:
    """`50.0%` -> `50.0`."""
    return number(clean(printed).removesuffix("%") if printed else None, low=0, high=100)


def captain(printed: str | None) -> str | None:
    """Captain and co-captain marks of every generation -> t; no mark, `No` and the literal `Player` -> f."""
    if printed is None:
        return None
    tidy = clean(printed).lower()
    if tidy in NO_CAPTAIN:
        return "f"
    if tidy not in CAPTAIN:
        raise Doubt("not_readable", "is no captain mark")
    return CAPTAIN[tidy]


def player_id(printed: str | None, foreign_prefixes: tuple[str, ...] = ()) -> str | None:
    """A player's id as printed; None when there is none."""
    tidy = clean(printed) if printed else ""
    if not tidy or tidy.lower() in NO_NUMBER:
        return None
    if tidy.lower() in MENU_IDS:
        raise Doubt("menu_row", "is an entry of the site's menu")
    if MADE_UP_ID.match(tidy):
        raise Doubt("placeholder", "is an id that the scraper made up")
    if not ID.fullmatch(tidy):
        raise Doubt("bad_id", "is no player id")
    if foreign_prefixes and tidy.startswith(foreign_prefixes):
        raise Doubt("foreign_league", "is the id of a player of another league")
    return tidy


def person_key(printed_id: str, prefixes: tuple[str, ...]) -> str:
    """The id without the prefixes under which leagues and scrapes print the same person."""
    body = printed_id
    while prefix := next((prefix for prefix in prefixes if body.startswith(prefix) and body != prefix), None):
        body = body[len(prefix) :]
    return body


def person_name(printed: str | None) -> str | None:
    """A person's name without the marks of substitutes, defaults and forfeits."""
    tidy = text(printed)
    if tidy is None:
        return None
    if MENU.fullmatch(tidy):
        raise Doubt("menu_row", "is an entry of the site's menu")
    return without_marks(tidy) or None


def without_marks(name: str) -> str:
    """*name* without the marks of substitutes, defaults and forfeits, wherever they stand."""
    return ABSENT.sub(" ", SUBSTITUTE.sub(" ", name).strip()).strip()


def is_substitute(*printed: str | None) -> bool:
    """Does any part of a printed name carry the mark of a substitute?"""
    return any(part is not None and SUBSTITUTE.search(part) is not None for part in printed)


def is_no_show(name: str) -> bool:
    """Is *name* a filler for an empty place on court ("Court 5 No Player 1")?"""
    return NO_SHOW.fullmatch(name) is not None
