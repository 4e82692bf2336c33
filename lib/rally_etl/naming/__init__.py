"""Names: league keys, team names of any season, series standards, clubs, and what a printed name means."""

from __future__ import annotations

from rally_etl.naming.clubs import Clubs, club_key, load_clubs
from rally_etl.naming.grammar import BareName, TeamName
from rally_etl.naming.leagues import League, Leagues, load_leagues
from rally_etl.naming.resolution import Resolved, resolve
from rally_etl.naming.standard import Standard, compare, is_one_name, standard_of, standardise

__all__ = [
    "BareName",
    "Clubs",
    "League",
    "Leagues",
    "Resolved",
    "Standard",
    "TeamName",
    "club_key",
    "compare",
    "is_one_name",
    "load_clubs",
    "load_leagues",
    "resolve",
    "standard_of",
    "standardise",
]
