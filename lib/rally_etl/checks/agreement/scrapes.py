"""Two scrape folders, of two days or two providers: how much of what both tell they tell alike.

Nothing is staged and no database is asked; each file is read by the reader that an import uses, names are read by
themselves, without what rosters and schedule say about them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rally_etl import naming, records
from rally_etl.errors import UsageError
from rally_etl.naming.text import fold
from rally_etl.records.values import person_key
from rally_etl.sources import reading
from rally_etl.sources.load import CLEAR_SHARE
from rally_etl.sources.scrape import SourceFile, read_scrape

if TYPE_CHECKING:
    from pathlib import Path

    from rally_etl.naming import Clubs, League, Leagues
    from rally_etl.settings import Settings

EXAMPLES = 5
"""Things told differently that are named, in the order of their names."""

Row = dict[str, str | None]
Facts = dict[Hashable, tuple[str, dict[str, Any]]]
"""What makes two records tell the same thing -> its name for people, and field -> what is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One field of the things that both files have: *agreeing* of *compared* are told alike."""

    field: str
    compared: int
    agreeing: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two files of one league and kind.

    Attributes:
        things: what a record of the kind is about: "memberships".
        kept_aside: records of the first and of the second file that nobody could read.
        in_both, only_first, only_second: things; the last two are named in the examples.
        fault: why nothing was compared.
    """

    league: str
    kind: str
    things: str = ""
    kept_aside: tuple[int, int] = (0, 0)
    in_both: int = 0
    only_first: int = 0
    only_second: int = 0
    missing: tuple[str, ...] = ()
    fields: tuple[Told, ...] = ()
    fault: str | None = None


def compare_scrapes(settings: Settings, first: Path, second: Path, wanted: tuple[str, ...] = ()) -> list[Pair]:
    """Compare every kind of file that both folders hold of a league; a kind that one of them lacks is named.

    Args:
        wanted: league keys or spellings; empty means all that both folders hold.

    Raises:
        UsageError: a folder is missing or holds no league, or they have no league in common.
    """
    leagues, clubs = naming.load_leagues(settings.params_dir), naming.load_clubs(settings.params_dir)
    sides = [read_scrape(folder, leagues, wanted) for folder in (first, second)]
    common = [league for league in sides[0].leagues if league in sides[1].leagues]
    if not common:
        held = " and ".join(", ".join(side.leagues) for side in sides)
        raise UsageError(f"{first} and {second} have no league in common; nothing was compared\nhint: they hold {held}")
    files = [{(file.league, file.kind): file for file in side.files} for side in sides]
    pairs = []
    for league in common:
        for kind in records.KINDS:
            found = [each.get((league, kind)) for each in files]
            if all(found):
                reader = _Reader(leagues.get(league), leagues, clubs, settings.max_file_bytes)
                pairs.append(_compare(reader, kind, found[0], found[1]))
            elif any(found):
                place = "second" if found[0] else "first"
                pairs.append(Pair(league=league, kind=kind, fault=f"the {place} folder has no such file"))
    return pairs


def _compare(reader: _Reader, kind: str, first: SourceFile, second: SourceFile) -> Pair:
    of = {"league": reader.league.key, "kind": kind}
    rows, aside = [], []
    for file in (first, second):
        try:
            found, kept_aside = reader.read(kind, file)
        except reading.FileFault as fault:
            return Pair(**of, fault=f"{file.path} {fault}")
        rows.append(found)
        aside.append(kept_aside)
    things, facts_of = _KINDS[kind]
    by_id = kind == "match_scores" and all(_has_ids(each) for each in rows)
    one, other = (facts_of(reader, each, by_id) for each in rows)
    both = [key for key in one if key in other]
    missing = [f"{one[key][0]} (first)" for key in one if key not in other]
    missing += [f"{other[key][0]} (second)" for key in other if key not in one]
    return Pair(
        **of,
        things=things,
        kept_aside=(aside[0], aside[1]),
        in_both=len(both),
        only_first=len(one) - len(both),
        only_second=len(other) - len(both),
        missing=tuple(sorted(missing)[:EXAMPLES]),
        fields=tuple(_fields(one, other, both)),
    )


def _fields(one: Facts, other: Facts, both: list[Hashable]) -> Iterable[Told]:
    """Each field that both files print for at least one thing."""
    names = dict.fromkeys(name for key in both for name in one[key][1])
    for name in names:
        told = [
            (one[key][0], one[key][1][name], other[key][1][name])
            for key in both
            if one[key][1][name] is not None and other[key][1][name] is not None
        ]
        differing = sorted(f"{thing}: {a}, {b}" for thing, a, b in told if a != b)
        if told:
            yield Told(
                field=name,
                compared=len(told),
                agreeing=len(told) - len(differing),
                examples=tuple(differing[:EXAMPLES]),
            )


def _has_ids(rows: list[Row]) -> bool:
    return sum(row["match_id"] is not None for row in rows) > len(rows) / 2


class _Reader:
    """Reads the files of one league as an import does, and tells teams and persons by their keys."""

    def __init__(self, league: League, leagues: Leagues, clubs: Clubs, max_bytes: int) -> None:
        self.league, self._leagues, self._clubs, self._max_bytes = league, leagues, clubs, max_bytes

    def read(self, kind: str, file: SourceFile) -> tuple[list[Row], int]:
        """Rows of a file as they would be staged, and how many records were kept aside."""
        if file.fault:
            raise reading.FileFault(file.fault)
        parser = records.parser(kind, self.league, self._leagues)
        rows, kept_aside = [], 0
        for record in reading.split_records(reading.read_bytes(file.path, self._max_bytes)):
            parsed = parser.parse(record)
            if isinstance(parsed, records.Quarantined):
                kept_aside += 1
            else:
                rows += [dict(zip(parser.columns, row, strict=True)) for row in parsed]
        return rows, kept_aside

    def team(self, printed: str | None, series: str | None = None) -> str:
        """The team that a name prints, in one spelling; a name that cannot be read stands for itself."""
        name = self.league.parse_team(printed, series) if printed else None
        return f"{self._clubs.key(name.club)} {name.series} {name.ordinal}".strip() if name else fold(printed or "")

    def person(self, printed: str | None) -> str | None:
        """The id of a person without what scrapes put before it."""
        return person_key(printed, tuple(self.league.id_prefixes)) if printed else None

    def club(self, printed: str | None) -> str | None:
        """The club that a location names."""
        return self._clubs.key(printed) if printed else None


def _memberships(reader: _Reader, rows: list[Row], _by_id: bool) -> Facts:
    return {
        (row["person_key"], reader.team(row["team"], row["series"])): (
            f"{row['first_name']} {row['last_name']} ({row['team']})",
            {
                "name": fold(f"{row['first_name']} {row['last_name']}"), "pti": row["pti"], "captain": row["captain"],
                "record": _pair(row["wins"], row["losses"]),
            },
        )
        for row in rows
    }  # fmt: skip


def _lines(reader: _Reader, rows: list[Row], by_id: bool) -> Facts:
    """Lines by their match id, or by day, teams and people; scores are told from the side of the first team by name."""
    votes = [int(row["vote"] or 0) for row in rows]
    home, away = votes.count(1), votes.count(-1)
    is_clear = home + away > 0 and max(home, away) >= CLEAR_SHARE * (home + away)
    facts: Facts = {}
    for row in rows:
        teams = {
            "home": reader.team(row["home_team"], row["series"]),
            "away": reader.team(row["away_team"], row["series"]),
        }
        people = tuple(sorted(person for seat in _SEATS if (person := reader.person(row[seat]))))
        is_home_first = (home > away) == (teams["home"] <= teams["away"])
        key = row["match_id"] if by_id else (row["match_date"], *sorted(teams.values()), people)
        facts[key] = (
            f"{row['home_team']} v {row['away_team']} on {row['match_date']}",
            {
                "date": row["match_date"] if by_id else None,
                "teams": " v ".join(sorted(teams.values())) if by_id else None,
                "host": teams["home"],
                "winner": teams.get(row["winner"] or "", "nobody"),
                "scores": row["scores" if is_home_first else "scores_swapped"] if is_clear else None,
                "players": " ".join(people) if by_id and people else None,
            },
        )
    return facts


def _standings(reader: _Reader, rows: list[Row], _by_id: bool) -> Facts:
    return {
        reader.team(row["team"], row["series"]): (
            str(row["team"]),
            {
                "points": row["points"],
                "matches": _pair(row["matches_won"], row["matches_lost"], row["matches_tied"]),
                "lines": _pair(row["lines_won"], row["lines_lost"]),
                "sets": _pair(row["sets_won"], row["sets_lost"]),
                "games": _pair(row["games_won"], row["games_lost"]),
            },
        )
        for row in rows
    }


def _meetings(reader: _Reader, rows: list[Row], _by_id: bool) -> Facts:
    facts: Facts = {}
    for row in rows:
        home, away = (reader.team(row[side], row["series"]) for side in ("home_team", "away_team"))
        facts[row["match_date"], *sorted((home, away))] = (
            f"{row['home_team']} v {row['away_team']} on {row['match_date']}",
            {"time": row["match_time"], "host": home, "place": reader.club(row["location"])},
        )
    return facts


def _ratings(_reader: _Reader, rows: list[Row], _by_id: bool) -> Facts:
    return {
        (row["person_key"], row["history_date"], row["series"]): (
            f"player {row['person_key']} on {row['history_date']}",
            {"rating": row["end_pti"]},
        )
        for row in rows
    }


def _pair(*figures: str | None) -> str | None:
    return "-".join(str(figure) for figure in figures) if None not in figures else None


_SEATS = ("home_player_1_id", "home_player_2_id", "away_player_1_id", "away_player_2_id")
_KINDS: dict[str, tuple[str, Callable[[_Reader, list[Row], bool], Facts]]] = {
    "players": ("memberships", _memberships),
    "match_scores": ("lines", _lines),
    "series_stats": ("teams", _standings),
    "schedules": ("meetings", _meetings),
    "player_history": ("rating points", _ratings),
}
