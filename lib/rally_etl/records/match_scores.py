"""Records of match files: one line (one court) of a team match, in the formats of 2024-25 and 2025-26.

A million of them must be read in seconds, so a record in good order is a dozen look-ups in what was read before;
one that is not goes through `_explain`, which reads field by field and lists every fault.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from rally_etl.naming.text import clean
from rally_etl.records.context import Context, Team
from rally_etl.records.reading import Fields, Raw, is_empty, read_loosely
from rally_etl.records.reasons import Doubt, Findings, Quarantined
from rally_etl.records.scores import Score, read_score
from rally_etl.records.values import KEPT, Remembered, is_no_show, iso_date, person_name, player_id, text

COLUMNS = (
    "match_id", "line", "match_date", "home_team", "away_team", "series",
    "home_player_1_id", "home_player_2_id", "away_player_1_id", "away_player_2_id",
    "scores", "scores_swapped", "winner", "vote",
)  # fmt: skip
VOTES = {0: "0", 1: "1", -1: "-1"}
SIDES = {"home": ("home", 1), "away": ("away", -1), "tie": (None, 0)}
MOST_ID = 246  # characters of a match id; the live column holds 255
MATCH_ID = re.compile(r"[!-\[\]-~]{1,240}_Line[1-9]")
ID_TEXT = re.compile(r"[!-\[\]-~]{1,246}")
LINES = frozenset("123456789")
LINE_SUFFIX = re.compile(r"(_Line\d+)\1*$")
LINE = re.compile(r"(?:Line|Court)? ?([1-9])(?:\.0)?", re.IGNORECASE)
SEATS = ("h1", "h2", "a1", "a2")


class MatchFields(Fields, rename={
    "match_league": "league_id", "source_league": "source_league", "line": "Line", "date": "Date",
    "home": "Home Team", "away": "Away Team", "series_new": "Series", "scores": "Scores", "winner": "Winner",
    "h1": "Home Player 1", "h1_id": "Home Player 1 ID", "h2": "Home Player 2", "h2_id": "Home Player 2 ID",
    "a1": "Away Player 1", "a1_id": "Away Player 1 ID", "a2": "Away Player 2", "a2_id": "Away Player 2 ID",
}):  # fmt: skip
    """Keys of both generations; the old one has no match id and no line."""

    match_league: str | None = None
    source_league: str | None = None
    match_id: str | None = None
    line: str | None = None
    date: str | None = None
    home: str | None = None
    away: str | None = None
    series: str | None = None
    series_new: str | None = None
    h1: str | None = None
    h1_id: str | None = None
    h2: str | None = None
    h2_id: str | None = None
    a1: str | None = None
    a1_id: str | None = None
    a2: str | None = None
    a2_id: str | None = None
    scores: str | None = None
    winner: str | None = None


class MatchScores:
    """Reads match lines of one league; remembers what it has read of each field."""

    def __init__(self, context: Context) -> None:
        """One per league and file."""
        self._context = context
        foreign = context.league.foreign_id_prefixes
        self._decode = msgspec.json.Decoder(MatchFields).decode
        self._leagues = Remembered(context.own_league)
        self._dates = Remembered(_date)
        self._teams = Remembered(lambda key: _team(context, *key))
        self._ids = Remembered(lambda printed: _seat_id(printed, foreign), 4 * KEPT)
        self._empty_seats = Remembered(_is_empty_seat, 4 * KEPT)
        self._scores = Remembered(_score)
        self._winners = Remembered(_winner)
        self._series = Remembered(text)
        self._lines = Remembered(_line)

    def parse(self, raw: Raw) -> list[tuple[str | None, ...]] | Quarantined:
        """One row, or the record kept aside."""
        try:
            record = self._decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found = Findings()
            return self._explain(read_loosely(raw, MatchFields, found), found)
        try:
            row = self._quick_row(record)
        except Doubt:
            row = None
        return self._explain(record, Findings()) if row is None else [row]

    def _quick_row(self, r: MatchFields) -> tuple[str | None, ...] | None:
        """The row of a record in good order; None, or a Doubt, when it needs a closer look."""
        self._leagues[r.match_league]
        if r.source_league is not r.match_league:
            self._leagues[r.source_league]
        match_id, series = r.match_id, r.series or r.series_new
        if match_id is None:
            line = self._lines[r.line]
        elif match_id[-6:-1] == "_Line" and match_id.isascii() and match_id.count("_") == 1 and match_id.isprintable():
            if (line := match_id[-1]) not in LINES or " " in match_id or "\\" in match_id or len(match_id) > MOST_ID:
                return None
        else:
            return None
        home, away = self._teams[r.home, series], self._teams[r.away, series]
        if home.identity == away.identity:
            return None
        score = self._scores[r.scores]
        winner, side = self._winners[r.winner]
        ids, empty = self._ids, self._empty_seats
        return (
            match_id,
            line,
            self._dates[r.date],
            home.printed,
            away.printed,
            self._series[series],
            None if empty[r.h1] else ids[r.h1_id],
            None if empty[r.h2] else ids[r.h2_id],
            None if empty[r.a1] else ids[r.a1_id],
            None if empty[r.a2] else ids[r.a2_id],
            score.printed,
            score.swapped,
            winner,
            VOTES[score.lead * side],
        )

    def _explain(self, r: MatchFields, found: Findings) -> list[tuple[str | None, ...]] | Quarantined:
        """Read *r* field by field: its row, or every fault it has."""
        if is_empty(r, frozenset({"match_league", "source_league"})) and not found.reasons:
            found.add("empty_fields", "(record)", None, "every field is empty")
            return found.quarantined() or []
        found.take("league_id", r.match_league, self._leagues.__getitem__)
        found.take("source_league", r.source_league, self._leagues.__getitem__)
        series = r.series or r.series_new
        match_id = found.take("match_id", r.match_id, _match_id)
        line = (
            match_id[-1]
            if match_id and MATCH_ID.fullmatch(match_id)
            else found.take("Line", r.line, self._lines.__getitem__)
        )
        date = found.take("Date", r.date, self._dates.__getitem__)
        home = found.take("Home Team", r.home, lambda printed: self._teams[printed, series])
        away = found.take("Away Team", r.away, lambda printed: self._teams[printed, series])
        if home and away and home.identity == away.identity:
            found.add("against_itself", "Away Team", r.away, "is the home team")
        tidy_series = found.take("series", series, self._series.__getitem__)
        seats = [self._seat(r, seat, found) for seat in SEATS]
        score = found.take("Scores", r.scores, self._scores.__getitem__)
        winner, side = found.take("Winner", r.winner, self._winners.__getitem__) or (None, 0)
        if (aside := found.quarantined()) or not (home and away and score):
            return aside or []
        row = (
            match_id, line, date, home.printed, away.printed, tidy_series, *seats,
            score.printed, score.swapped, winner, VOTES[score.lead * side],
        )  # fmt: skip
        return [row]

    def _seat(self, r: MatchFields, seat: str, found: Findings) -> str | None:
        label = f"{'Home' if seat[0] == 'h' else 'Away'} Player {seat[1]}"
        empty = found.take(label, getattr(r, seat), self._empty_seats.__getitem__)
        if empty:
            return None
        return found.take(f"{label} ID", getattr(r, f"{seat}_id"), self._ids.__getitem__)


def _date(printed: str | None) -> str:
    return _required(iso_date(printed))


def _team(context: Context, printed: str | None, series: str | None) -> Team:
    return _required(context.team(printed, series))


def _score(printed: str | None) -> Score:
    tidy = _required(text(printed))
    return read_score(tidy)


def _required(value: Any) -> Any:
    if value is None:
        raise Doubt("missing_field", "is empty or missing")
    return value


def _winner(printed: str | None) -> tuple[str | None, int]:
    side = SIDES.get(clean(printed).lower()) if printed else None
    if side is None:
        raise Doubt("bad_winner", "is neither home, away nor tie")
    return side


def _line(printed: str | None) -> str | None:
    tidy = clean(printed) if printed else ""
    if not tidy:
        return None
    match = LINE.fullmatch(tidy)
    if match is None:
        raise Doubt("bad_number", "is no line from 1 to 9")
    return match[1]


def _match_id(printed: str | None) -> str | None:
    """The id with one `_LineN`; importers once appended it at every run."""
    tidy = clean(printed) if printed else ""
    if not tidy:
        return None
    if tidy.startswith("table_"):
        raise Doubt("shifted_row", "is a row of a standings table")
    once = LINE_SUFFIX.sub(r"\1", tidy)
    if once.count("_Line") > 1 or not ID_TEXT.fullmatch(once):
        raise Doubt("bad_id", "is no match id")
    return once


def _seat_id(printed: str | None, foreign: tuple[str, ...]) -> str | None:
    """A player's id; None where the scraper found a person without one."""
    if printed and printed.startswith("FALLBACK_"):
        return None
    return player_id(printed, foreign)


def _is_empty_seat(printed: str | None) -> bool:
    """Is this place on court filled by a name that is no person ("Court 5 No Player 1")?"""
    name = person_name(printed)
    return name is not None and is_no_show(name)
