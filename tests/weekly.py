"""A season of weekly scrapes, cut from the files of a scrape at its end: each shows what the site would have shown."""

from __future__ import annotations

import datetime as dt
import json
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

Records = list[dict[str, Any]]


class Season:
    """The weeks of some series of a league; the same ones every time.

    Matches come with their day. Three players of a hundred join late, two leave early, and each week a few are missing
    from the site for no reason, as in real scrapes. Standings and records of players stay those of the end.
    """

    def __init__(self, folder: Path, first: dt.date, series: Collection[str]) -> None:
        """Read the league's files in *folder*; *first* is the day of the first scrape, *series* are as they print."""
        self.first = first
        self.players = [each for each in _read(folder / "players.json") if each["Series"] in series]
        teams = {each["Series Mapping ID"] for each in self.players}
        self.schedules = _of(teams, _read(folder / "schedules.json"), "home_team", "away_team")
        self.standings = _of(teams, _read(folder / "series_stats.json"), "team")
        self.matches = _of(teams, _read(folder / "match_history.json"), "Home Team", "Away Team")

    def day(self, week: int) -> dt.date:
        """The day of a scrape; the first is of week 0."""
        return self.first + dt.timedelta(weeks=week)

    def kinds(self, week: int) -> dict[str, Records]:
        """The files of a week."""
        day = self.day(week)
        return {
            "players": [each for number, each in enumerate(self.players) if _is_listed(number, each, week)],
            "schedules": self.schedules,
            "series_stats": self.standings,
            "match_history": [each for each in self.matches if _played(each) is not None and _played(each) <= day],
        }


def without(records: Records, share: float) -> Records:
    """The records but for a share of them, spread evenly: what a scraper loses that skips pages."""
    return [each for number, each in enumerate(records) if (number * share) % 1 + share <= 1]


def damaged(records: Records, share: float) -> Records:
    """The same with a share of them damaged: lines without a winner and a score."""
    kept = {id(each) for each in without(records, share)}
    return [each if id(each) in kept else each | {"Winner": "", "Scores": ""} for each in records]


def _is_listed(number: int, player: dict[str, Any], week: int) -> bool:
    digest = zlib.crc32(f"{number} {player['Player ID']}".encode())
    joins = digest % 24 if digest % 100 < 3 else 0
    leaves = digest % 24 if 3 <= digest % 100 < 5 else 1000
    return joins <= week < leaves and zlib.crc32(f"{digest} {week}".encode()) % 1000 >= 3


def _played(line: dict[str, Any]) -> dt.date | None:
    try:
        return dt.datetime.strptime(line["Date"], "%d-%b-%y").date()
    except (TypeError, ValueError):
        return None


def _of(teams: Collection[str], records: Records, *names: str) -> Records:
    return [each for each in records if all(each.get(name) in teams for name in names)]


def _read(path: Path) -> Records:
    return json.loads(path.read_text(encoding="utf-8"))
