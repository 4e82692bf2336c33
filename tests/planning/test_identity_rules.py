"""Ids survive: whatever sequence of scrapes, ids of surviving teams are stable, and what users attached stays theirs.

The truth is known because every player id says for which team the player was made up.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import MakeDatabase, project
from rally_etl import planning
from rally_etl.database.engine import connect
from scrapes import Import, Kinds, line, player, stats

UNHURRIED = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.explicit, Phase.generate),  # shrinking would import for minutes
}
CLUBS = ("Tennaqua", "Winnetka", "Hinsdale PC I", "Hinsdale PC II", "Skokie", "Exmoor", "Wilmette PD")
OTHER_CLUBS = ("Kestrel Hall", "Marsh End", "Quarry Bank", "Old Orchard", "Upper Weir", "Fen Drayton", "Low Moor")
SPELLINGS = (
    str.upper,
    lambda name: re.sub(r" (\d)", r" - \1", name),
    lambda name: name.replace(" ", "  "),
)
ACTS = ("respell", "respell", "rename", "trade", "move", "leave", "come", "swap", "typo")


@dataclass(slots=True)
class Team:
    """A team as it truly is: ``made`` tells it apart for ever, whatever it is called."""

    made: int
    club: str
    number: str
    people: list[str] = field(default_factory=list)
    printed: str = ""

    @property
    def name(self) -> str:
        """As printed in the rosters."""
        return self.printed or f"{self.club} {self.number}"


@dataclass(slots=True)
class Season:
    """The teams of a league as they change from scrape to scrape; ``certain`` kept their name or their players."""

    teams: list[Team]
    certain: set[int]
    made: int = 0
    used: set[str] = field(default_factory=set)

    def add(self, club: str, number: str) -> None:
        """Add a team with eight players of its own."""
        self.made += 1
        self.used.add(club)
        people = [f"{self.made}x{n}" for n in range(8)]
        self.teams.append(Team(self.made, club, number, people))

    def free_clubs(self) -> list[str]:
        """Clubs that no team has ever played for: who takes the name of a team that is gone is taken for it."""
        return [club for club in OTHER_CLUBS if club not in self.used]

    def scrape(self) -> Kinds:
        """Rosters, standings and one match line per pair of neighbours."""
        kinds: Kinds = {"players": [], "series_stats": [], "match_scores": []}
        for team in self.teams:
            series = f"Series {team.number}"
            kinds["players"] += [player(person, team.name, Series=series) for person in team.people]
            kinds["series_stats"].append(stats(team.name, series=series))
        for home, away in zip(self.teams[::2], self.teams[1::2], strict=False):
            if home.number == away.number:
                seats = {
                    f"{side} Player {n} ID": f"nndz-{team.people[n]}"
                    for side, team in (("Home", home), ("Away", away))
                    for n in (1, 2)
                }
                kinds["match_scores"].append(
                    line(f"nndz-m{home.made}v{away.made}_Line1", home.name, away.name, **seats)
                )
        return kinds


def first_season() -> Season:
    """Two series of seven teams."""
    season = Season([], set())
    for number in ("12", "13"):
        for club in CLUBS:
            season.add(club, number)
    return season


@st.composite
def histories(draw: st.DrawFn) -> list[Season]:
    """A season scraped four times, a few things happening in between."""
    season = first_season()
    seen = [copy.deepcopy(season)]
    for _ in range(3):
        season = copy.deepcopy(season)
        for team in season.teams:
            team.printed = ""
        season.certain = {team.made for team in season.teams}
        touched: set[int] = set()
        for act in draw(st.lists(st.sampled_from(ACTS), min_size=3, max_size=6)):
            team = draw(st.sampled_from([each for each in season.teams if each.made not in touched]))
            near = [each for each in season.teams if each.number == team.number and each.made not in touched]
            other = draw(st.sampled_from(near))
            touched |= {team.made, other.made}
            happen(draw, season, act, team, other)
        seen.append(copy.deepcopy(season))
    return seen


def happen(draw: st.DrawFn, season: Season, act: str, team: Team, other: Team) -> None:
    """Change the season: a spelling, a name, a roster, a series; teams go, come and are mistaken for each other."""
    if act == "respell":
        team.printed = draw(st.sampled_from(SPELLINGS))(team.name)
    elif act == "rename":
        if free := season.free_clubs():
            team.club = free[0]
            season.used.add(team.club)
    elif act == "typo":
        team.printed = team.name.replace("n", "nn", 1)
    elif act == "trade" and team.made != other.made:
        team.people[0], other.people[0] = other.people[0], team.people[0]
    elif act == "move":
        number = "13" if team.number == "12" else "12"
        if all((team.club, number) != (each.club, each.number) for each in season.teams):
            team.number = number
            season.certain.discard(team.made)
    elif act == "leave" and len(season.teams) > 6:
        season.teams.remove(team)
        season.certain.discard(team.made)
    elif act == "come":
        if free := season.free_clubs():
            season.add(free[-1], team.number)
    elif act == "swap" and team.number == other.number and team.made != other.made:
        team.printed, other.printed = other.name, team.name
        season.certain -= {team.made, other.made}


class Truth:
    """Which live ids each true team has had."""

    def __init__(self) -> None:
        """No id is known yet."""
        self.ids: dict[int, set[int]] = {}
        self.first: dict[int, int] = {}
        self.seen: dict[str, set[int]] = {}

    def read(self, imports: Import, season: Season) -> None:
        """Read live after a publish and see that no id has become another team's, or gone."""
        rows = imports.rows(
            "select t.id, array_agg(split_part(replace(p.tenniscores_player_id, 'nndz-', ''), 'x', 1)) as made"
            " from teams t join players p on p.team_id = t.id and p.is_active where t.is_active group by t.id"
        )
        for row in rows:
            made = int(Counter(row.made).most_common(1)[0][0])
            owners = [team for team, ids in self.ids.items() if row.id in ids and team != made]
            assert owners == [], f"team {row.id} was {owners} and is {made} now"
            self.ids.setdefault(made, set()).add(row.id)
            self.first.setdefault(made, row.id)
        living = {team.made for team in season.teams} & season.certain
        now = {row.id: int(Counter(row.made).most_common(1)[0][0]) for row in rows}
        for made in living & self.first.keys():
            assert self.first[made] in now, f"team {made} lost its id {self.first[made]}"
            assert now[self.first[made]] == made
        for table in ("teams", "players", "clubs", "series", "match_scores"):
            ids = set(imports.column(f"select id from {table}"))
            assert self.seen.get(table, set()) <= ids, f"ids of {table} are gone"
            self.seen[table] = ids


@hypothesis_settings(max_examples=4, derandomize=True, **UNHURRIED)
@given(seasons=histories())
def test_ids_survive_any_sequence_of_scrapes(
    make_database: MakeDatabase, template_database: str, seasons: list[Season]
):
    """No id ever becomes another team's; who keeps name or roster keeps the id; polls stay; fates add up."""
    live_through(make_database, template_database, seasons)


@pytest.mark.slow
@hypothesis_settings(max_examples=40, **UNHURRIED)
@given(seasons=histories())
def test_ids_survive_many_sequences_of_scrapes(
    make_database: MakeDatabase, template_database: str, seasons: list[Season]
):
    """The same with other sequences every time."""
    live_through(make_database, template_database, seasons)


def live_through(make_database: MakeDatabase, template_database: str, seasons: list[Season]) -> None:
    """Import one scrape after the other into a database with a poll for every team, and look after each publish."""
    with make_database(template_database) as url, TemporaryDirectory() as folder:
        settings = project(Path(folder), url)
        engine = connect(settings, application_name="rally-etl tests")
        imports, truth = Import(engine, settings), Truth()
        imports.load(seasons[0].scrape())
        truth.read(imports, seasons[0])
        imports.write("insert into users (email, password_hash) values ('a@b.example', 'x')")
        imports.write(
            "insert into polls (team_id, created_by, question) select id, (select id from users), team_name from teams"
        )
        polls = imports.rows("select id, team_id from polls order by id")
        for season in seasons[1:]:
            run_id = imports.plan(season.scrape())
            measures = planning.import_measures(engine, settings, run_id)["APTA_CHICAGO"]
            for name in ("rows_unaccounted", "ids_lost", "ids_reused"):
                assert measures[name]["value"] == 0, measures[name]["detail"]
            imports.publish(run_id)
            truth.read(imports, season)
            assert imports.rows("select id, team_id from polls order by id") == polls
        engine.dispose()
