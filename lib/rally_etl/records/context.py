"""What every record parser asks about names: is this the league, is this a team of its grammar."""

from __future__ import annotations

from dataclasses import dataclass

from rally_etl.naming import League, Leagues
from rally_etl.naming.text import clean, fold
from rally_etl.records.reasons import Doubt
from rally_etl.records.values import MADE_UP, text


@dataclass(frozen=True, slots=True)
class Team:
    """A printed team name that the grammar reads. ``identity`` is equal for two spellings of one team."""

    printed: str
    identity: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """The league of the folder, and all leagues to tell a foreign record by."""

    league: League
    leagues: Leagues

    def own_league(self, printed: str | None) -> None:
        """Refuse a league that is not this one; an empty text is no claim."""
        tidy = clean(printed) if printed else ""
        if tidy and self.leagues.canonical(tidy) != self.league.key and fold(tidy) != fold(self.league.key):
            raise Doubt("foreign_league", f"is not {self.league.key}")

    def team(self, printed: str | None, series: str | None = None) -> Team | None:
        """Read a printed team name, with the printed series beside it if there is one."""
        tidy = clean(printed) if printed else ""
        if not tidy:
            return None
        if MADE_UP.fullmatch(tidy):
            raise Doubt("placeholder", "is a placeholder of the scraper")
        if tidy.replace(".", "", 1).replace("-", "").replace(" ", "").isdigit():
            raise Doubt("shifted_row", "is a number where a team belongs")
        if self.league.is_no_team(tidy):
            raise Doubt("bye", "is no team")
        if team := self.league.parse_team(tidy, series):
            return Team(text(tidy) or "", team.key)
        if bare := self.league.parse_bare(tidy):
            return Team(text(tidy) or "", (bare.club_key, bare.ordinal))
        raise Doubt("team_name_not_understood", f"is no team name that {self.league.key} prints")
