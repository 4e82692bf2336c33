"""A league of any size for the benchmark: streamed to files, in the form and proportions of a real one."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count, islice
from pathlib import Path

import msgspec

from rally_etl.sample import files
from rally_etl.sample.people import ALPHABET, names

KEY = "APTA_CHICAGO"
TEAMS_PER_SERIES = 10
PLAYERS_PER_TEAM = 13  # 6,883 roster rows for 524 teams
LINES = 4
MOST_SERIES = 54  # a league is as large as the largest real one; what grows is the number of its matches
ROUNDS = 2 * (TEAMS_PER_SERIES - 1)  # of a season: everybody meets everybody twice
LINES_PER_SERIES = TEAMS_PER_SERIES // 2 * ROUNDS * LINES
CLUBS = (
    "Barrington Hills CC, Biltmore CC, Birchwood, Briarwood, Bryn Mawr, Butterfield, Chicago Highlands, Dunham Woods, "
    "Edgewood Valley, Evanston, Exmoor, Glen Ellyn, Glen Oak, Glen View, Hawthorn Woods, Hinsdale GC, Indian Hill, "
    "Inverness, Knollwood, LaGrange CC, Lake Bluff, Lake Forest, Medinah, Michigan Shores, North Shore, Northmoor, "
    "Oak Park CC, Onwentsia, Park Ridge CC, Prairie Club, River Forest PD, Ruth Lake, Salt Creek, Skokie, "
    "South Barrington, Sunset Ridge, Tennaqua, Valley Lo, Westmoreland, White Eagle, Wilmette PD, Winnetka, "
    "Winter Club"
).split(", ")
START = date(2025, 9, 23)
RECORD = (
    '{{"league_id": "{key}", "source_league": "{key}", "match_id": "{id}_Line%d", '
    '"url": "https://league.example/page/{page}", "Home Team": "{home}", "Away Team": "{away}", "Scores": "%s", '
    '"Line": "Line %d", "Away Player 1": "%s", "Away Player 2": "%s", "Away Player 1 ID": "%s", '
    '"Away Player 2 ID": "%s", "Home Player 1": "%s", "Home Player 2": "%s", "Home Player 1 ID": "%s", '
    '"Home Player 2 ID": "%s", "Winner": "%s", "Date": "{day}"}}'
)
SCORES_FIELD = '"Scores": "'


@dataclass(frozen=True, slots=True)
class Score:
    """One printed score, the away side's games first."""

    text: str
    home_wins: bool
    sets: tuple[int, int]  # home, away
    games: tuple[int, int]


@dataclass(slots=True)
class Side:
    """One team with its roster of (id, name) and what it has won and lost."""

    name: str
    club: str
    series: str
    roster: list[tuple[str, str]]
    counts: list[int]  # points, matches won, lost, tied, lines won, lost, sets won, lost, games won, lost
    wins: list[int]  # lines per place of the roster
    losses: list[int]


def write_large(folder: Path, match_lines: int, seed: int = 1, key: str = KEY) -> Path:
    """Write one scrape folder `folder/<key>` with *match_lines* match lines and what belongs to them.

    Up to 54 series of ten teams with their players, standings and the schedule of one season; beyond its lines
    earlier rounds are added. Standings and matches agree. Memory is that of one series, whatever the size.
    """
    home = folder / key
    home.mkdir(parents=True, exist_ok=True)
    kinds = ("match_scores", "players", "series_stats", "schedules")
    handles = {kind: (home / f"{kind}.json").open("w", encoding="utf-8", newline="\n") for kind in kinds}
    try:
        starts = dict.fromkeys(kinds, "[\n")
        for matches, teams, schedule in _series(match_lines, seed, key):
            records = {
                "match_scores": matches,
                "players": [_player(key, team, place) for team in teams for place in range(PLAYERS_PER_TEAM)],
                "series_stats": [_stats(key, team) for team in teams],
                "schedules": schedule,
            }
            for kind, texts in records.items():
                handles[kind].write(starts[kind] + ",\n".join(texts))
                starts[kind] = ",\n"
        for kind in kinds:
            handles[kind].write("\n]\n" if starts[kind] == ",\n" else "[]\n")
    finally:
        for handle in handles.values():
            handle.close()
    return home


def lines(count: int, seed: int = 1, key: str = KEY) -> Iterator[dict]:
    """Answer the match lines that `write_large` writes for the same seed, one record each."""
    for matches, _, _ in _series(count, seed, key):
        for text in matches:
            yield msgspec.json.decode(text)


def change_share(folder: Path, share: float, seed: int = 1, key: str = KEY) -> int:
    """Give *share* of the match lines another score, in place; answer how many.

    The first two sets change places, so that winner and standings stay what they were.
    """
    path = folder / key / "match_scores.json"
    changed = 0
    dice = random.Random(seed)
    new = path.with_suffix(".new")
    with path.open(encoding="utf-8") as old, new.open("w", encoding="utf-8", newline="\n") as out:
        for text in old:
            if text.startswith("{") and dice.random() < share:
                start = text.index(SCORES_FIELD) + len(SCORES_FIELD)
                end = text.index('"', start)
                first, second, *rest = text[start:end].split(", ")
                text = text[:start] + ", ".join([second, first, *rest]) + text[end:]
                changed += 1
            out.write(text)
    new.replace(path)
    return changed


def _series(match_lines: int, seed: int, key: str) -> Iterator[tuple[list[str], list[Side], list[str]]]:
    """Answer series by series: its match lines, its teams with their counts, its schedule, as JSON texts."""
    dice = random.Random(seed)
    people = [f"{first} {last}" for first, last in islice(names(dice), 4000)]
    scores = _scores()
    series_count = min(MOST_SERIES, max(1, -(-match_lines // LINES_PER_SERIES)))
    for number in range(1, series_count + 1):
        due = match_lines * number // series_count - match_lines * (number - 1) // series_count
        teams = _teams(number, people, dice)
        matches: list[str] = []
        schedule: list[str] = []
        for place, (home, away, day) in enumerate(_draw(teams, number)):
            if place < ROUNDS * TEAMS_PER_SERIES // 2:
                schedule.append(_fixture(key, home, away, day))
            elif len(matches) >= due:
                break
            wanted = min(LINES, due - len(matches))
            if wanted > 0:
                # The last team match may be cut short: the number of lines is exact.
                matches += _match(key, f"nndz-{_token(seed, number, place)}", home, away, day, wanted, scores, dice)
        yield matches, teams, schedule


def _teams(number: int, people: list[str], dice: random.Random) -> list[Side]:
    series = f"Series {number}"
    clubs = [CLUBS[(number * 7 + place) % len(CLUBS)] for place in range(TEAMS_PER_SERIES)]
    return [
        Side(
            f"{club} {number}",
            club,
            series,
            [(f"nndz-p{number:06d}x{place}{one:02d}abT09", dice.choice(people)) for one in range(PLAYERS_PER_TEAM)],
            [0] * 10,
            [0] * PLAYERS_PER_TEAM,
            [0] * PLAYERS_PER_TEAM,
        )
        for place, club in enumerate(clubs)
    ]


def _draw(teams: list[Side], number: int) -> Iterator[tuple[Side, Side, date]]:
    """Answer one series' fixtures without end: a season of weekly rounds, then rounds on the days between."""
    ring = list(teams)
    half = len(ring) // 2
    for round_number in count(0):
        season, week = divmod(round_number, ROUNDS)
        day = START - timedelta(days=7 * ROUNDS * (season // 7)) + timedelta(days=7 * week + (number % 3 + season) % 7)
        for a, b in zip(ring[:half], reversed(ring[half:]), strict=True):
            yield (a, b, day) if week < ROUNDS // 2 else (b, a, day)
        ring = [ring[0], ring[-1], *ring[1:-1]]


def _match(
    key: str, match_id: str, home: Side, away: Side, day: date, wanted: int, scores: list[Score], dice: random.Random
) -> list[str]:
    template = RECORD.format(
        key=key,
        id=match_id,
        page=match_id[-14:-2].lower(),
        home=home.name,
        away=away.name,
        day=day.strftime("%d-%b-%y"),
    )
    shift = dice.randrange(PLAYERS_PER_TEAM)
    texts = []
    totals = [0] * 6  # lines, sets, games of home and away
    for line in range(1, wanted + 1):
        score = scores[int(dice.random() * len(scores))]
        first, second = (shift + 2 * line) % PLAYERS_PER_TEAM, (shift + 2 * line + 1) % PLAYERS_PER_TEAM
        (a1, an1), (a2, an2) = away.roster[first], away.roster[second]
        (h1, hn1), (h2, hn2) = home.roster[first], home.roster[second]
        winner = "home" if score.home_wins else "away"
        texts.append(template % (line, score.text, line, an1, an2, a1, a2, hn1, hn2, h1, h2, winner))
        won, lost = (home.wins, away.losses) if score.home_wins else (home.losses, away.wins)
        for place in (first, second):
            won[place] += 1
            lost[place] += 1
        totals[0 if score.home_wins else 1] += 1
        totals[2] += score.sets[0]
        totals[3] += score.sets[1]
        totals[4] += score.games[0]
        totals[5] += score.games[1]
    _count(home.counts, totals, 0)
    _count(away.counts, totals, 1)
    return texts


def _count(counts: list[int], totals: list[int], side: int) -> None:
    """Add one team match: 3 points a line won, 1 for a set won in a line lost; lines, then sets, then games decide."""
    mine, theirs = totals[side::2], totals[1 - side :: 2]
    counts[0] += mine[0] + mine[1]
    counts[1 if mine > theirs else 2 if mine < theirs else 3] += 1
    for place in range(3):
        counts[4 + 2 * place] += mine[place]
        counts[5 + 2 * place] += theirs[place]


def _scores() -> list[Score]:
    """Answer every score of two or three sets whose first two sets differ, so that they can change places."""
    won = [(6, 0), (6, 1), (6, 2), (6, 3), (6, 4), (7, 5), (7, 6)]
    lost = [(b, a) for a, b in won]
    away_wins = [(a, b) for a in won for b in won if a != b]
    away_wins += [(a, b, c) for a, b, c in zip(won, lost[::-1], won[2:] + won[:2], strict=True)]
    every = away_wins + [tuple((b, a) for a, b in sets) for sets in away_wins]
    return [
        Score(
            ", ".join(f"{a}-{b}" for a, b in sets),
            sum(b > a for a, b in sets) > len(sets) / 2,
            (sum(b > a for a, b in sets), sum(a > b for a, b in sets)),
            (sum(b for _, b in sets), sum(a for a, _ in sets)),
        )
        for sets in every
    ]


def _token(seed: int, number: int, place: int) -> str:
    """Answer 16 characters that name one team match; different numbers give different characters."""
    value = (seed % 1000) * 10**12 + number * 10**6 + place
    characters = []
    for _ in range(13):
        value, rest = divmod(value, len(ALPHABET))
        characters.append(ALPHABET[rest])
    return "".join(characters) + "T09"


def _player(key: str, team: Side, place: int) -> str:
    player_id, name = team.roster[place]
    first, last = name.split(" ")
    return json.dumps({
        "Player ID": player_id,
        "First Name": first,
        "Last Name": last,
        "Team": team.name,
        "Series": team.series,
        "League": key,
        "Club": team.club if place == 0 else team.name,
        "PTI": f"{20 + place * 1.7:.1f}",
        "Wins": str(team.wins[place]),
        "Losses": str(team.losses[place]),
        "Win %": files.percent(team.wins[place], team.wins[place] + team.losses[place]),
        "Captain": "Yes" if place == 1 else "No",
        "Source URL": "https://league.example/page/0256ccc7e345",
        "source_league": key,
        "Scraped At": "2026-02-20T07:30:00",
    })  # fmt: skip


def _stats(key: str, team: Side) -> str:
    points, won, lost, tied, *rest = team.counts
    return json.dumps(
        files.stats_row(key, team.series, team.name, points, [won, lost, tied], rest[0:2], rest[2:4], rest[4:6])
    )


def _fixture(key: str, home: Side, away: Side, day: date) -> str:
    """Answer one schedule record; the site prints the host as away team."""
    return json.dumps({
        "date": day.strftime("%m/%d/%Y"),
        "time": "06:30 pm",
        "home_team": away.name,
        "away_team": home.name,
        "location": home.club,
        "series": home.series,
        "League": key,
    })  # fmt: skip
