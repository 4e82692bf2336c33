"""One team as users see it and as they would see it after publishing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.reporting import recorded
from rally_etl.reporting.tables import Note, Table

if TYPE_CHECKING:
    from rally_etl.workbook import Book

FIND = """
    select t.id, l.league_id as league, t.team_name as team, s.name as series, c.name as club, t.is_active as active
    from teams as t join leagues as l on l.id = t.league_id
    left join series as s on s.id = t.series_id left join clubs as c on c.id = t.club_id
    where position(lower(:text) in lower(t.team_name)) > 0 and l.league_id = coalesce(nullif(:league, ''), l.league_id)
    order by l.league_id, t.team_name limit 200
    """
TEAM = """
    select t.id, l.league_id as league, t.team_name as team, s.name as series, c.name as club, t.is_active as active
    from teams as t join leagues as l on l.id = t.league_id
    left join series as s on s.id = t.series_id left join clubs as c on c.id = t.club_id where t.id = :team_id
    """
ROSTER = """
    select p.id, p.last_name || ', ' || p.first_name as player, p.pti, p.wins, p.losses, p.captain_status as captain,
           p.is_active as active
    from players as p where p.team_id = :team_id order by 2, 1 limit 200
    """
SCHEDULE = """
    select g.id, g.match_date as date, g.match_time as time, g.home_team as home, g.away_team as away, g.location
    from schedule as g where :team_id in (g.home_team_id, g.away_team_id) order by 2, 3, 1 limit 200
    """
RESULTS = """
    select m.id, m.match_date as date, m.home_team as home, m.away_team as away, m.scores, m.winner
    from match_scores as m where :team_id in (m.home_team_id, m.away_team_id) order by 2 desc, 1 limit 200
    """
PICK = """
    select t.id from teams as t join leagues as l on l.id = t.league_id
    where (t.team_name = :name or :name = '') and l.league_id = coalesce(nullif(:league, ''), l.league_id)
    order by (select count(*) from players as p where p.team_id = t.id) desc, t.id limit 1
    """


def teams(book: Book, text: str = "") -> Table | Note:
    """Teams whose name contains a text, whatever its case."""
    return _side_by_side(book, FIND, {"text": text, "league": ""}, "Teams", "No team has this in its name.")


def team(book: Book, name: str = "", league: str = "") -> Table | Note:
    """The team's own row; an empty name takes the team with most players."""
    return _of_team(book, name, league, TEAM, "The team")


def roster(book: Book, name: str = "", league: str = "") -> Table | Note:
    """The team's players."""
    return _of_team(book, name, league, ROSTER, "Roster")


def schedule(book: Book, name: str = "", league: str = "") -> Table | Note:
    """The team's matches on the calendar, practice times among them."""
    return _of_team(book, name, league, SCHEDULE, "Schedule")


def results(book: Book, name: str = "", league: str = "") -> Table | Note:
    """The team's match lines."""
    return _of_team(book, name, league, RESULTS, "Results")


def _of_team(book: Book, name: str, league: str, sql: str, title: str) -> Table | Note:
    if not book.run_id:
        return book.card()
    binds = {"name": name, "league": league}
    found = [rows[0]["id"] for rows in (_query(book, PICK, binds, side) for side in ("live", "candidate")) if rows]
    if not found:
        return Note(f"There is no team {name}." if name else "There are no teams yet.")
    return _side_by_side(book, sql, {"team_id": found[0]}, title, "Nothing, neither live nor in the candidate.")


def _side_by_side(book: Book, sql: str, binds: dict[str, Any], title: str, empty: str) -> Table | Note:
    """Rows of both, each marked: `same`, `live only`, `candidate only`; a changed row stands in both forms."""
    if not book.run_id:
        return book.card()
    live = _query(book, sql, binds, "live")
    candidate = _query(book, sql, binds, "candidate")
    if candidate is None:
        return Table(live, title=f"{title} (live; this run has no candidate)", empty=empty)
    rows = [{"where": "same" if row in candidate else "live only"} | row for row in live]
    rows += [{"where": "candidate only"} | row for row in candidate if row not in live]
    return Table(rows, title=f"{title}, live and in the candidate", empty=empty)


def _query(book: Book, sql: str, binds: dict[str, Any], side: str) -> list[dict] | None:
    """Rows of one side; None when the run has no candidate (any more)."""
    from rally_etl.database.engine import read_only
    from rally_etl.planning.schema import schemas

    _, candidate = schemas(book.run_id)
    path = (candidate, "public") if side == "candidate" else ("public",)
    with read_only(book.engine, *path) as connection:
        there = connection.scalar(sa.text("select to_regnamespace(:name) is not null"), {"name": path[0]})
        return recorded.fetch(connection, sql, **binds) if there else None


def reading(book: Book, league: str, *printed: str) -> str:
    """How the league's grammar reads printed team names, a line each; needs no run and no database."""
    from rally_etl.naming import load_leagues

    grammar = load_leagues(book.settings.params_dir).get(league)
    lines = []
    for name in printed:
        team = grammar.parse_team(name)
        told = f"{team.name}: club {team.club}, {team.series}" if team else "no team of this league"
        lines.append(f"{name} -> {told}")
    return "\n".join(lines)
