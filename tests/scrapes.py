"""Small scrapes as tests write them, and their way from the folder to the live tables without notebooks."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rally_etl import planning, sources, states
from rally_etl.database.catalog import quote
from rally_etl.naming import load_leagues
from rally_etl.settings import Settings

APTA = "APTA_CHICAGO"
TEAMS = {
    "Tennaqua 12": "Series 12",
    "Winnetka 12": "Series 12",
    "Hinsdale PC I 7 SW": "Series 7 SW",
    "Hinsdale PC II 7 SW": "Series 7 SW",
}
Kinds = dict[str, list[dict[str, Any]]]


def player(person: str, team: str, **changes: Any) -> dict[str, Any]:
    """A record of a players file in the format of 2025-26."""
    record = {
        "Player ID": f"nndz-{person}",
        "First Name": person,
        "Last Name": "Example",
        "Team": team,
        "Series": TEAMS.get(team, ""),
        "League": APTA,
        "Club": team,
        "PTI": "40.5",
        "Wins": "1",
        "Losses": "0",
        "Win %": "100.0%",
        "Captain": "No",
    }
    return record | changes


def stats(team: str, **changes: Any) -> dict[str, Any]:
    """A record of a standings file."""
    return {
        "series": TEAMS.get(team, ""),
        "team": team,
        "league_id": APTA,
        "points": 12,
        "matches": {"won": 1, "lost": 1, "tied": 0, "percentage": "50.0%"},
        "lines": {"won": 4, "lost": 4, "for": 0, "ret": 0, "percentage": "50.0%"},
        "sets": {"won": 8, "lost": 8, "percentage": "50.0%"},
        "games": {"won": 48, "lost": 48, "percentage": "50.0%"},
    } | changes


def line(match_id: str | None, home: str, away: str, **changes: Any) -> dict[str, Any]:
    """A record of a match file; away first, the home side won, each court has its own pairs."""
    first = 3 if match_id and match_id.endswith("2") else 1
    seats = {
        f"{side} Player {n} ID": f"nndz-{_person(team, first + n - 1)}"
        for side, team in (("Home", home), ("Away", away))
        for n in (1, 2)
    }
    record = {
        "league_id": APTA,
        "match_id": match_id,
        "Date": "23-Sep-25",
        "Home Team": home,
        "Away Team": away,
        "Scores": "2-6, 4-6",
        "Winner": "home",
    }
    return {name: value for name, value in (record | seats | changes).items() if value is not None}


def meeting(day: str, home: str, away: str, **changes: Any) -> dict[str, Any]:
    """A record of a schedule file; *day* as 09/23/2025."""
    return {
        "date": day,
        "time": "06:30 pm",
        "home_team": home,
        "away_team": away,
        "location": away.split(" ")[0],
        "series": TEAMS.get(home, ""),
        "League": APTA,
    } | changes


RECORDS = {
    team: {"Wins": "1", "Losses": "0", "Win %": "100.0%"} if won else {"Wins": "0", "Losses": "1", "Win %": "0.0%"}
    for team, won in zip(TEAMS, (True, False, True, False), strict=True)
}
"""What the players of the small scrape have won, as its lines say."""


def small() -> Kinds:
    """Four teams in two series with four players each, two team matches of two lines, and their schedule."""
    first, second, third, fourth = TEAMS
    return copy.deepcopy(
        {
            "players": [player(_person(team, n), team, **RECORDS[team]) for team in TEAMS for n in (1, 2, 3, 4)],
            "series_stats": [stats(team) for team in TEAMS],
            "match_scores": [
                line(f"nndz-match{number}_Line{court}", home, away)
                for number, (home, away) in enumerate(((first, second), (third, fourth)))
                for court in (1, 2)
            ],
            "schedules": [
                meeting("09/23/2025", second, first),
                meeting("09/23/2025", fourth, third),
                meeting("10/21/2025", first, second),
            ],
        }
    )


def changed() -> Kinds:
    """The small scrape a week later: rows to insert, to update and to switch off in most tables."""
    scrape = small()
    scrape["players"][0]["PTI"] = "39.5"
    scrape["players"].pop()
    scrape["players"].append(player("new", "Skokie 12", Series="Series 12"))
    scrape["series_stats"][0]["points"] = 15
    scrape["series_stats"].append(stats("Skokie 12", series="Series 12"))
    scrape["match_scores"][1]["Scores"] = "2-6, 3-6"
    scrape["match_scores"].append(
        line("nndz-match9_Line1", "Skokie 12", "Winnetka 12", Date="30-Sep-25", **{"Home Player 1 ID": "nndz-new"})
    )
    scrape["schedules"][0]["time"] = "07:30 pm"
    return scrape


def _person(team: str, number: int) -> str:
    return team.replace(" ", "") + str(number)


def write(folder: Path, kinds: Kinds, league: str = APTA) -> Path:
    """Write *kinds* as the files of a league; answer the scrape folder."""
    (folder / league).mkdir(parents=True, exist_ok=True)
    for kind, records in kinds.items():
        (folder / league / f"{kind}.json").write_text(json.dumps(records), encoding="utf-8")
    return folder


def audited(engine: sa.Engine, run_id: str) -> None:
    """Let the plans of a run be published, as its gate would."""
    with engine.begin() as connection:
        states.move(connection, run_id, states.in_states(connection, run_id, ["planned"]), "audited", "a test says so")


@dataclass(slots=True)
class Import:
    """Takes scrapes to the live tables of one database by the product's own steps, without notebooks."""

    engine: sa.Engine
    settings: Settings
    numbers: count = field(default_factory=lambda: count(1))
    as_of: str = "2025-10-01"

    def stage(self, scrape: Path | Kinds, *leagues: str) -> str:
        """Begin a run and stage its files; answer the run's id."""
        number = next(self.numbers)
        folder = scrape if isinstance(scrape, Path) else write(self.settings.root / "scrapes" / str(number), scrape)
        found = sources.read_scrape(folder, load_leagues(self.settings.params_dir), leagues)
        run_id = f"20251001T{number:06}-test"
        self.write(
            "insert into etl.runs (run_id, source, as_of) values (:run, :source, cast(:as_of as date))",
            run=run_id,
            source=str(folder),
            as_of=self.as_of,
        )
        for league in found.leagues:
            self.write("insert into etl.run_leagues (run_id, league) values (:run, :league)", run=run_id, league=league)
        sources.stage_scrape(self.engine, self.settings, run_id)
        return run_id

    def plan(self, scrape: Path | Kinds, *leagues: str) -> str:
        """Begin a run, stage its files and plan it."""
        run_id = self.stage(scrape, *leagues)
        planning.make_plan(self.engine, self.settings, run_id)
        self.write("update etl.run_leagues set state = 'audited' where run_id = :run and state = 'planned'", run=run_id)
        return run_id

    def load(self, scrape: Path | Kinds, *leagues: str) -> str:
        """Plan and publish every league of a scrape, whatever a gate would say; live must equal the plan."""
        run_id = self.plan(scrape, *leagues)
        self.publish(run_id)
        return run_id

    def publish(self, run_id: str) -> None:
        """Publish each league of an import by itself and those of an operation together, as a run does."""
        audited(self.engine, run_id)
        keys = self.column("select league from etl.run_leagues where run_id = :run order by league", run=run_id)
        operation = self.column("select operation from etl.runs where run_id = :run", run=run_id)[0]
        for leagues in [keys] if operation else [[key] for key in keys]:
            planning.publish(self.engine, run_id, leagues)
            assert [] == planning.verify(self.engine, run_id, leagues)

    def forget(self, run_id: str) -> None:
        """Drop the plan and the candidate of a run, as the runs after it do."""
        with self.engine.begin() as connection:
            planning.drop_run(connection, run_id)

    def changes(self, run_id: str, league: str = APTA) -> dict[str, tuple[int, int, int]]:
        """Table -> planned inserts, updates and deactivations, where there are any."""
        counts = self.column(
            "select plan_counts from etl.run_leagues where run_id = :run and league = :league",
            run=run_id,
            league=league,
        )[0]
        found = {table: (c["insert"], c["update"], c["deactivate"]) for table, c in counts.items()}
        return {table: operations for table, operations in found.items() if any(operations)}

    def held(self, run_id: str) -> dict[tuple[str, str, str], int]:
        """(Kind, reason, name) -> rows that wait."""
        rows = self.rows("select kind, reason, name, row_count from etl.held_rows where run_id = :run", run=run_id)
        return {(row.kind, row.reason, row.name): row.row_count for row in rows}

    def rows(self, sql: str, **binds: Any) -> list[sa.Row]:
        """Rows of a query."""
        with self.engine.connect() as connection:
            return list(connection.execute(sa.text(sql), binds))

    def column(self, sql: str, **binds: Any) -> list[Any]:
        """First column of a query."""
        return [row[0] for row in self.rows(sql, **binds)]

    def write(self, sql: str, **binds: Any) -> None:
        """Execute one statement in a transaction of its own."""
        with self.engine.begin() as connection:
            connection.execute(sa.text(sql), binds)


def fingerprint(engine: sa.Engine, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Table of schema public -> a digest of all its rows."""
    with engine.connect() as connection:
        names = connection.execute(
            sa.text("select tablename from pg_tables where schemaname = 'public' order by 1")
        ).scalars()
        digest = "select md5(coalesce(string_agg(r, chr(10) order by r), ''))"
        digest += " from (select t::text as r from {} as t) as rows"
        return {
            name: connection.execute(sa.text(digest.format(quote("public", name)))).scalar_one()
            for name in names
            if name not in without
        }
