"""Scores: every printed form -> one text per orientation, and which side won when that is beyond doubt.

The forms and their meanings were found in real files: sets, tie-breaks in brackets, tie-break digits glued to the
games ("66-78" for 6-7 with 6-8), tie-breaks listed as further sets, match tie-breaks as third sets, unfinished sets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rally_etl.naming.text import clean_name
from rally_etl.records.reasons import Doubt

PAIR = re.compile(r"(\d{1,3})-(\d{1,3})(?: ?[\[(](\d{1,2})-(\d{1,2})[\])])?")
MONTH = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
DATE = re.compile(
    rf"(?:(?:{MONTH})[a-z]* \d{{1,2}},? \d{{4}}|\d{{1,2}}[-/](?:{MONTH}|\d{{1,2}})[-/]\d{{2,4}}|\d{{4}}-\d\d-\d\d)",
    re.I,
)
TEAM_POINTS = re.compile(r"\d{1,3}\.\d|\d{1,3}(?:\.\d)? - \d{1,3}(?:\.\d)?")
MOST_PAIRS = 6  # three sets, each with its tie-break listed behind it
MOST_GAMES = 30


@dataclass(frozen=True, slots=True)
class Set:
    """One set: games of the first and second number, and the tie-break's points when they are printed."""

    first: int
    second: int
    tie_break: tuple[int, int] | None = None

    def __str__(self) -> str:
        """As printed, with the tie-break in brackets."""
        points = f" [{self.tie_break[0]}-{self.tie_break[1]}]" if self.tie_break else ""
        return f"{self.first}-{self.second}{points}"

    @property
    def lead(self) -> int:
        """1 when the first number won the set, -1 when the second did, 0 when they are equal."""
        return (self.first > self.second) - (self.first < self.second)

    @property
    def swapped(self) -> Set:
        """The same set seen from the other side."""
        return Set(self.second, self.first, self.tie_break and self.tie_break[::-1])

    @property
    def complete(self) -> bool:
        """Was the set played to its end?"""
        high, low = max(self.first, self.second), min(self.first, self.second)
        return (high == 6 and low <= 4) or (high == 7 and low in (5, 6))

    @property
    def match_tie_break(self) -> bool:
        """Is this a tie-break to ten in place of a third set, printed 10-8 or 1-0 [10-8]?"""
        high, low = max(self.first, self.second), min(self.first, self.second)
        return (high >= 10 and high - low >= 2) or (self.tie_break is not None and (high, low) == (1, 0))


@dataclass(frozen=True, slots=True)
class Score:
    """A line's score. ``lead``: 1 the first number won, -1 the second, 0 cannot be told for certain."""

    printed: str
    swapped: str
    lead: int


def read_score(text: str) -> Score:
    """Read a printed score.

    Raises:
        Doubt: `shifted_row` for a date, team points or another column's value, `placeholder`, `bad_score`.
    """
    pairs = _pairs(text)
    sets, certain = _fold_tie_breaks(pairs)
    return Score(
        printed=", ".join(map(str, sets)),
        swapped=", ".join(str(one.swapped) for one in sets),
        lead=_lead(sets) if certain else 0,
    )


def _pairs(text: str) -> list[Set]:
    tidy = clean_name(text)
    if DATE.fullmatch(tidy):
        raise Doubt("shifted_row", "is a date where the scores belong")
    if TEAM_POINTS.fullmatch(tidy):
        raise Doubt("shifted_row", "is a team's points where the scores belong")
    pairs = [_pair(part.strip()) for part in re.split(r"[,;]", tidy)]
    if len(pairs) > MOST_PAIRS:
        raise Doubt("bad_score", f"has {len(pairs)} sets")
    return pairs


def _pair(part: str) -> Set:
    match = PAIR.fullmatch(part)
    if match is None:
        if re.search(r"[A-Za-z]{3}", part):
            raise Doubt("shifted_row", "is words where the scores belong")
        raise Doubt("bad_score", f"`{part}` is no set")
    if glued := _unglue(match[1], match[2]):
        return glued
    first, second = int(match[1]), int(match[2])
    if max(first, second) > MOST_GAMES:
        raise Doubt("bad_score", f"`{part}` is no set")
    return Set(first, second, (int(match[3]), int(match[4])) if match[3] else None)


def _unglue(first: str, second: str) -> Set | None:
    """`66-78` is 6-7 with the tie-break 6-8: superscript digits that lost their position."""
    if {first[0], second[0]} != {"6", "7"} or len(first) == 1 or len(second) == 1:
        return None
    return Set(int(first[0]), int(second[0]), (int(first[1:]), int(second[1:])))


def _fold_tie_breaks(pairs: list[Set]) -> tuple[list[Set], bool]:
    """Put tie-breaks that are listed as further sets into brackets, where the pairs make no match as they stand.

    Returns:
        the sets, and whether they are as printed and can be read in no other way. The winner printed beside listed
        tie-breaks is not to be trusted: the scraper counted them as sets.
    """
    readings = _readings(pairs)
    folded = [reading for reading in readings if len(reading) < len(pairs) and _is_match(reading)]
    if not folded:
        return pairs, True
    complete = [reading for reading in folded if _lead(reading)] or folded
    if _is_match(pairs) or len(complete) > 1:
        return pairs, False
    return complete[0], False


def _readings(pairs: list[Set]) -> list[list[Set]]:
    if any(one.tie_break or max(one.first, one.second) > 9 for one in pairs):
        return [pairs]
    return _columns("".join(str(one.first) for one in pairs), "".join(str(one.second) for one in pairs))


def _columns(first: str, second: str) -> list[list[Set]]:
    """All ways to read two columns of digits: each 7-6 may be followed by its tie-break.

    A tie-break of 10-8 takes two digits of one column and one of the other; the shorter column ends in a 0 then.
    """
    if not first or not second:
        return [] if (first + second).strip("0") else [[]]
    head = Set(int(first[0]), int(second[0]))
    found = [[head, *reading] for reading in _columns(first[1:], second[1:])]
    if {head.first, head.second} != {6, 7}:
        return found
    for a, b in ((1, 1), (1, 2), (2, 1), (2, 2)):
        points = first[1 : 1 + a], second[1 : 1 + b]
        if (len(points[0]), len(points[1])) != (a, b) or any(len(p) == 2 and p[0] == "0" for p in points):
            continue
        owner = Set(head.first, head.second, (int(points[0]), int(points[1])))
        if _wins_tie_break(owner):
            found += [[owner, *reading] for reading in _columns(first[1 + a :], second[1 + b :])]
    return found


def _wins_tie_break(owner: Set) -> bool:
    """Do the points end a tie-break to seven, by two, for the side that won the set?"""
    first, second = owner.tie_break or (0, 0)
    high, low = max(first, second), min(first, second)
    ended = (high == 7 and low <= 5) or (7 < high < MOST_GAMES and high - low == 2)
    return ended and (first > second) == (owner.lead > 0)


def _is_match(sets: list[Set]) -> bool:
    """Could *sets* be one line: at most three, all but the last complete, and none after it was won?"""
    if not 1 <= len(sets) <= 3 or not all(one.complete for one in sets[:-1]):
        return False
    if len(sets) == 3:
        return sets[0].lead != sets[1].lead
    last = sets[-1]
    return max(last.first, last.second) <= 7 and (last.complete or abs(last.first - last.second) < 6)


def _lead(sets: list[Set]) -> int:
    """Who won, from complete sets and a strict majority of them; 0 when that cannot be told."""
    *early, last = sets
    if not early or not all(one.complete for one in early):
        return 0
    if not (last.complete or (len(sets) == 3 and last.match_tie_break)):
        return 0
    won = sum(one.lead for one in sets)
    if len(sets) == 2:
        return won // 2 if abs(won) == 2 else 0
    return (won > 0) - (won < 0) if len(sets) == 3 and abs(won) == 1 else 0
