"""The files of a scrape, in the form of each league's site."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rally_etl.sample.league import League, Player, Team
from rally_etl.sample.play import Fixture, Line, Match, fixtures, ratings, records, standings

Spelling = Callable[[str], str]


def as_is(name: str) -> str:
    """Print a name as it is."""
    return name


@dataclass(frozen=True, slots=True)
class Scrape:
    """What one scrape of one league saw, and how it misprinted names."""

    league: League
    matches: list[Match]
    scraped_at: datetime
    match_team: Spelling = as_is  # team names in the match file
    schedule_team: Spelling = as_is  # team names in the schedule
    location: Spelling = as_is
    late_dates: dict[str, int] | None = None  # match id to the days its printed date is late


def write_file(folder: Path, kind: str, rows: list[dict]) -> None:
    """Write one file of a scrape folder, one record a line."""
    folder.mkdir(parents=True, exist_ok=True)
    text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / f"{kind}.json").write_text(f"[\n{text}\n]\n", encoding="utf-8")


def players(scrape: Scrape) -> list[dict]:
    """Answer one record per person and team; the site's own figures agree with the matches."""
    wins = records(scrape.matches)
    rated = {player_id: points[-1][1] for player_id, points in ratings(scrape.matches).items()}
    print_one = _apta_player if scrape.league.key == "APTA_CHICAGO" else _nstf_player
    return [
        print_one(scrape, team, player, place, rated.get(player.player_id, player.strength), wins)
        for team in scrape.league.teams
        for place, player in enumerate(team.players)
    ]


def _season(player: Player, team: Team, pti: float, wins: dict[tuple[str, str], list[int]]) -> dict:
    won, lost = wins.get((player.player_id, team.name), (0, 0))
    return {
        "PTI": f"{pti:.1f}" if player.is_rated else "N/A",
        "Wins": str(won),
        "Losses": str(lost),
        "Win %": percent(won, won + lost),
    }


def _apta_player(scrape: Scrape, team: Team, player: Player, place: int, pti: float, wins: dict) -> dict:
    past = int(hashlib.sha256(player.player_id.encode()).hexdigest()[:6], 16)
    career = (past % 150, past // 150 % 150)
    row = {
        "Player ID": player.player_id,
        "First Name": player.first_name,
        "Last Name": player.last_name,
        "Team": team.name,
        "Series": team.series,
        "League": scrape.league.key,
        "Club": team.club if place == 0 else team.name,  # as the site prints it: a club in the first row only
        **_season(player, team, pti, wins),
        "Captain": "Yes" if player.is_captain else "No",
        "Source URL": _page(team.name),
        "source_league": scrape.league.key,
        "Scraped At": scrape.scraped_at.isoformat(),
    }
    if past % 10 < 7:
        row |= {"Career Wins": career[0], "Career Losses": career[1], "Career Win %": percent(career[0], sum(career))}
    return row


def _nstf_player(scrape: Scrape, team: Team, player: Player, place: int, pti: float, wins: dict) -> dict:
    return {
        "League": scrape.league.key,
        "Series": team.series,
        "Series Mapping ID": team.name,
        "Club": team.club,
        "Location ID": team.club.upper().replace(" ", "_"),
        "Player ID": player.player_id,
        "First Name": player.first_name,
        "Last Name": player.last_name,
        **_season(player, team, pti, wins),
        "PTI": "N/A",  # this league does not rate
        "Captain": "C" if player.is_captain else "",
    }


def match_scores(scrape: Scrape) -> list[dict]:
    """Answer one record per line."""
    return [_line(scrape, match, line) for match in scrape.matches for line in match.lines]


def _line(scrape: Scrape, match: Match, line: Line) -> dict:
    away_first = scrape.league.away_first
    late = (scrape.late_dates or {}).get(match.match_id, 0)
    row = {
        "league_id": scrape.league.key,
        "source_league": scrape.league.key,
        "match_id": f"{match.match_id}_Line{line.number}",
        "url": _page(match.match_id),
        "Home Team": scrape.match_team(match.fixture.host.name),
        "Away Team": scrape.match_team(match.fixture.visitor.name),
        "Scores": ", ".join(f"{b}-{a}" if away_first else f"{a}-{b}" for a, b in line.sets),
        "Line": f"Line {line.number}",
    }
    for side, pair in (("Away", line.visitor), ("Home", line.host)):
        row |= {f"{side} Player {place}": player.name for place, player in enumerate(pair, start=1)}
        row |= {f"{side} Player {place} ID": player.player_id for place, player in enumerate(pair, start=1)}
    day = match.fixture.day.fromordinal(match.fixture.day.toordinal() + late)
    return {**row, "Winner": "home" if line.host_wins else "away", "Date": day.strftime("%d-%b-%y")}


def series_stats(scrape: Scrape) -> list[dict]:
    """Answer one record per team, best first within a series."""
    table = standings(scrape.league, scrape.matches)
    rows = []
    for series in scrape.league.weekdays:
        teams = sorted(scrape.league.of_series(series), key=lambda team: (-table[team.name].points, team.name))
        for team in teams:
            counts = table[team.name]
            rows.append(stats_row(scrape.league.key, series, team.name, counts.points, counts.matches, counts.lines,
                                  counts.sets, counts.games))  # fmt: skip
    return rows


def stats_row(
    key: str,
    series: str,
    team: str,
    points: int,
    matches: list[int],
    lines: list[int],
    sets: list[int],
    games: list[int],
) -> dict:
    """Answer one record of the standings; the lists hold won and lost, matches also tied."""
    won, lost, tied = matches
    return {
        "series": series,
        "team": team,
        "league_id": key,
        "points": points,
        "matches": {"won": won, "lost": lost, "tied": tied, "percentage": percent(won, sum(matches))},
        "lines": {"won": lines[0], "lost": lines[1], "for": 0, "ret": 0, "percentage": percent(lines[0], sum(lines))},
        "sets": {"won": sets[0], "lost": sets[1], "percentage": percent(sets[0], sum(sets))},
        "games": {"won": games[0], "lost": games[1], "percentage": percent(games[0], sum(games))},
    }


def schedules(scrape: Scrape) -> list[dict]:
    """Answer one record per fixture. The sites print the host as away team: `location` is the away team's club."""
    return [
        schedule_row(scrape, fixture) for fixture in sorted(fixtures(scrape.league), key=lambda f: (f.series, f.day))
    ]


def schedule_row(scrape: Scrape, fixture: Fixture) -> dict:
    """Answer one fixture as the league's schedule page shows it."""
    tail = f" - {fixture.series}" if scrape.league.key == "NSTF" else ""
    return {
        "date": fixture.day.strftime("%m/%d/%Y"),
        "time": scrape.league.time,
        "home_team": scrape.schedule_team(fixture.visitor.name) + tail,
        "away_team": scrape.schedule_team(fixture.host.name) + tail,
        "location": scrape.location(fixture.host.club),
        "series": fixture.series,
        "League": scrape.league.key,
    }


def player_history(scrape: Scrape) -> list[dict]:
    """Answer one record per rated person with the PTI after every line, newest first."""
    points = ratings(scrape.matches)
    wins = records(scrape.matches)
    rows = []
    for team in scrape.league.teams:
        for player in team.players:
            if not player.is_rated or (history := points.pop(player.player_id, None)) is None:
                continue
            won, lost = wins.get((player.player_id, team.name), (0, 0))
            rows.append({
                "league_id": scrape.league.key,
                "player_id": player.player_id,
                "name": player.name,
                "first_name": player.first_name,
                "last_name": player.last_name,
                "series": team.series,
                "club": team.club,
                "rating": f"{history[-1][1]:.1f}",
                "wins": won,
                "losses": lost,
                "matches": [
                    {"date": day.strftime("%m/%d/%Y"), "end_pti": f"{pti:.1f}", "series": team.series}
                    for day, pti in reversed(history)
                ],
            })  # fmt: skip
    return rows


def percent(part: int, whole: int) -> str:
    """Answer a share as the sites print it."""
    return f"{100 * part / whole:.1f}%" if whole else "0.0%"


def _page(name: str) -> str:
    return f"https://league.example/page/{hashlib.sha256(name.encode()).hexdigest()[:12]}"
