"""A league of a few teams whose lines and standings a test writes row by row, in a transaction that is rolled back."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from conftest import REPOSITORY
from rally_etl import standings
from rally_etl.naming import load_leagues
from rally_etl.standings import Comparison

LEAGUES = load_leagues(REPOSITORY / "params")
AS_OF = dt.date(2025, 10, 1)
FIGURES = (
    "points", "matches_won", "matches_lost", "matches_tied", "lines_won", "lines_lost", "sets_won", "sets_lost",
    "games_won", "games_lost",
)  # fmt: skip


@dataclass(slots=True)
class Table:
    """One league in an open transaction; team `A` is the first one written, and so on."""

    connection: sa.Connection
    key: str = "APTA_CHICAGO"
    league_id: int = 0
    series_id: int = 0
    club_id: int = 0
    teams: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.league_id = self._one("insert into leagues (league_id, league_name) values (:key, :key) returning id")
        self.series_id = self._one(
            "insert into series (name, display_name, league_id) values ('Series 12', 'Series 12', :id) returning id",
            id=self.league_id,
        )
        self.club_id = self._one("insert into clubs (name) values ('Tennaqua') returning id")

    def _one(self, sql: str, **binds: Any) -> Any:
        return self.connection.execute(sa.text(sql), {"key": self.key} | binds).scalar()

    def team(self, name: str) -> int:
        """Id of the team of this name, which is written when it is not there."""
        if name not in self.teams:
            self.teams[name] = self._one(
                "insert into teams (club_id, series_id, league_id, team_name, display_name, is_active)"
                " values (:club, :series, :league, :name, :name, true) returning id",
                club=self.club_id,
                series=self.series_id,
                league=self.league_id,
                name=name,
            )
        return self.teams[name]

    def meet(self, home: str, away: str, *scores: str, day: str = "2025-09-23", number: str | None = None) -> None:
        """Write a team match, one line per score; ``6-3, 6-3 away`` names the winner where the score is not enough."""
        for court, text in enumerate(scores, start=1):
            score, _, winner = text.partition(" won by ")
            self._one(
                "insert into match_scores (league_id, match_date, home_team, away_team, home_team_id, away_team_id,"
                " scores, winner, tenniscores_match_id)"
                " values (:league, cast(:day as date), :home, :away, :home_id, :away_id, :score, :winner, :number)"
                " returning id",
                league=self.league_id, day=day, home=home, away=away, home_id=self.team(home), away_id=self.team(away),
                score=score, winner=winner or won_by(score), number=number and f"nndz-{number}_Line{court}",
            )  # fmt: skip

    def prints(self, team: str, figures: tuple[int, ...], *, forfeited: int = 0, retired: int = 0) -> None:
        """Write the team's row in the standings, its figures in the order of `FIGURES`."""
        names = ", ".join(FIGURES)
        values = ", ".join(f":f{n}" for n in range(len(FIGURES)))
        self._one(
            f"insert into series_stats (league_id, series, team, series_id, team_id, lines_for, lines_ret, {names})"
            f" values (:league, 'Series 12', :team, :series, :team_id, :forfeited, :retired, {values}) returning id",
            league=self.league_id, team=team, series=self.series_id, team_id=self.team(team), forfeited=forfeited,
            retired=retired, **{f"f{n}": value for n, value in enumerate(figures)},
        )  # fmt: skip

    def compared(self, as_of: dt.date = AS_OF) -> Comparison:
        """What the comparison makes of it."""
        found = standings.compare(self.connection, LEAGUES.get(self.key), self.league_id, as_of)
        assert found is not None
        return found

    def verdicts(self) -> dict[str, str]:
        """Team -> class."""
        return {team.team: team.verdict for team in self.compared().teams}

    def figures(self) -> dict[str, tuple[float, ...]]:
        """Team -> its recomputed figures, in the order of `FIGURES`."""
        rule = standings.binds(LEAGUES.get(self.key))
        sql = f"with {standings.figures.read('recomputed')} select team_id, {', '.join(FIGURES)} from recomputed"
        rows = self.connection.execute(sa.text(sql), {"league_id": self.league_id, "as_of": AS_OF} | rule)
        names = {team_id: name for name, team_id in self.teams.items()}
        return {names[row[0]]: tuple(float(value) for value in row[1:]) for row in rows}


def won_by(score: str) -> str:
    """The side that won more sets, home where they are equal."""
    sets = [tuple(map(int, one.split(" ")[0].split("-"))) for one in score.split(", ") if "-" in one]
    return "away" if sum(home < away for home, away in sets) > sum(home > away for home, away in sets) else "home"
