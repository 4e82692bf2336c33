"""The sample season: the same every time, consistent with itself, and different every week."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

import pytest

from rally_etl.sample import season

KEYS = ("APTA_CHICAGO", "NSTF")
AWAY_FIRST = {"APTA_CHICAGO": True, "NSTF": False}
LINES = {"APTA_CHICAGO": 4, "NSTF": 5}
FILES = [(week.number, key) for week in season.WEEKS for key in KEYS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The three weeks, written once."""
    home = tmp_path_factory.mktemp("sample")
    season.write(home)
    return home


def read(folder: Path, week: int, key: str, kind: str) -> list[dict]:
    """Read one file of one week."""
    return json.loads((folder / f"week-{week}" / key / f"{kind}.json").read_text())


def by_id(rows: list[dict]) -> dict[str, dict]:
    """Index match lines by their id."""
    return {row["match_id"]: row for row in rows}


def people(rows: list[dict]) -> set[tuple[str, str]]:
    """Answer (id, team) of the records that are people."""
    return {(row["Player ID"], row.get("Team") or row["Series Mapping ID"]) for row in rows
            if row["Player ID"] not in ("sharing", "nndz-Placeholder1aT09")}  # fmt: skip


def sets(row: dict, key: str) -> list[tuple[int, int]]:
    """Answer the sets of a line, home first."""
    pairs = [tuple(map(int, text.split("-"))) for text in row["Scores"].split(", ")]
    return [(b, a) if AWAY_FIRST[key] else (a, b) for a, b in pairs]


def test_same_bytes_every_time(folder, tmp_path):
    """A second writing gives the same files, byte for byte."""
    season.write(tmp_path)

    paths = sorted(path.relative_to(folder) for path in folder.rglob("*.json"))
    assert 27 == len(paths)
    assert [(folder / path).read_bytes() for path in paths] == [(tmp_path / path).read_bytes() for path in paths]


def test_size(folder):
    """Some fifty teams: enough to look at, quick to import."""
    teams = [len({team for _, team in people(read(folder, 1, key, "players"))}) for key in KEYS]

    assert [34, 12] == teams


@pytest.mark.parametrize(("week", "key"), FILES)
def test_winner_agrees_with_score(folder, week, key):
    """Every line has a winner by its score, read in the league's own orientation."""
    for row in read(folder, week, key, "match_scores"):
        home = sum(a > b for a, b in sets(row, key))
        assert row["Winner"] == ("home" if home > len(sets(row, key)) / 2 else "away")


@pytest.mark.parametrize(("week", "key"), FILES)
def test_team_matches_are_complete(folder, week, key):
    """Each team match has all its lines, once each, and nobody plays twice on one day."""
    rows = read(folder, week, key, "match_scores")
    lines, days = defaultdict(list), Counter()
    for row in rows:
        match_id, number = re.fullmatch(r"(nndz-\w{16})_Line(\d)", row["match_id"]).groups()
        lines[match_id].append(int(number))
        round_day = row["Date"]
        players = [row[f"{side} Player {place} ID"] for side in ("Home", "Away") for place in (1, 2)]
        days.update((round_day, player) for player in players)

    assert all(sorted(numbers) == list(range(1, LINES[key] + 1)) for numbers in lines.values())
    if week < 3:  # week 3 prints one date a week late
        assert 1 == max(days.values())


@pytest.mark.parametrize(("week", "key"), FILES)
def test_standings_agree_with_matches(folder, week, key):
    """All figures of the standings follow from the match file, once its names are repaired."""
    names = {row["team"] for row in read(folder, week, key, "series_stats")}
    counted: dict[str, Counter] = {name: Counter() for name in names}
    matches = defaultdict(lambda: defaultdict(Counter))
    for row in read(folder, week, key, "match_scores"):
        match = matches[row["match_id"].split("_")[0]]
        for side, name in ((0, row["Home Team"]), (1, row["Away Team"])):
            name = name.replace("Midtown - Chicago", "Midtown Chicago")
            team = match[name if name in names else f"{name} SW"]
            team["lines.won"] += (row["Winner"] == "home") is (side == 0)
            team["sets.won"] += sum(pair[side] > pair[1 - side] for pair in sets(row, key))
            team["games.won"] += sum(pair[side] for pair in sets(row, key))
    for match in matches.values():
        (one, first), (two, second) = match.items()
        for name, mine, theirs in ((one, first, second), (two, second, first)):
            order = [("lines.won", "lines.lost"), ("sets.won", "sets.lost"), ("games.won", "games.lost")]
            better = [mine[won] for won, _ in order], [theirs[won] for won, _ in order]
            counted[name][
                "matches." + ("tied" if better[0] == better[1] else "won" if better[0] > better[1] else "lost")
            ] += 1
            for won, lost in order:
                counted[name][won] += mine[won]
                counted[name][lost] += theirs[won]
            counted[name]["points"] += mine["lines.won"] + mine["sets.won"]

    for row in read(folder, week, key, "series_stats"):
        printed = Counter({"points": row["points"]})
        for group in ("matches", "lines", "sets", "games"):
            printed.update(
                {f"{group}.{name}": row[group][name] for name in ("won", "lost", "tied") if name in row[group]}
            )
        assert counted[row["team"]] == printed, row["team"]


@pytest.mark.parametrize(("week", "key"), FILES)
def test_wins_of_players_agree_with_matches(folder, week, key):
    """Lines won over all players are twice the lines played, less those of people who left their team."""
    lines = len(read(folder, week, key, "match_scores"))
    printed = {
        (row["Player ID"], row.get("Team") or row["Series Mapping ID"]): int(row["Wins"]) + int(row["Losses"])
        for row in read(folder, week, key, "players")
        if row["Player ID"] not in ("sharing", "nndz-Placeholder1aT09")
    }

    assert 0 <= 4 * lines - sum(printed.values()) <= (2 if week > 1 and key == "APTA_CHICAGO" else 0)


def test_location_is_the_club_of_the_away_team(folder):
    """The schedule prints the host as away team, as both sites do."""
    for key in KEYS:
        for row in read(folder, 1, key, "schedules"):
            if "BYE" not in str(row) and "Practice" not in row:
                assert row["away_team"].startswith(row["location"])


def test_each_week_adds_results_and_keeps_the_old(folder):
    """Files are cumulative; old lines stay as they are but for one score, names and one date."""
    for key in KEYS:
        old = by_id(read(folder, 1, key, "match_scores"))
        for week in (2, 3):
            new = by_id(read(folder, week, key, "match_scores"))
            assert old.keys() < new.keys()
            old = new


def test_week_2_corrects_one_score(folder):
    """One old line reads otherwise in week 2; its winner stays."""
    old, new = (by_id(read(folder, week, "APTA_CHICAGO", "match_scores")) for week in (1, 2))
    changed = [(row, new[key]) for key, row in old.items() if row["Scores"] != new[key]["Scores"]]

    assert 1 == len(changed)
    assert 1 == len({row["Winner"] for row in changed[0]})


def test_week_2_moves_one_person_and_brings_one(folder):
    """One membership goes, one person appears in another team, one id is new."""
    old, new = (people(read(folder, week, "APTA_CHICAGO", "players")) for week in (1, 2))
    (mover, left), *others = old - new
    arrived = dict(new - old)

    assert [] == others
    assert season.MOVER == (left, arrived.pop(mover))
    assert [season.NEWCOMER_TEAM] == list(arrived.values())


def test_match_pages_lose_suffixes(folder):
    """From week 2 on match pages print no " SW" and "Midtown - Chicago"; no printed name is ambiguous."""
    teams = {team for _, team in people(read(folder, 2, "APTA_CHICAGO", "players"))}
    printed = {row["Home Team"] for row in read(folder, 2, "APTA_CHICAGO", "match_scores")}
    unknown = printed - teams

    assert any(name.startswith("Midtown - Chicago") for name in unknown)
    assert all(f"{name} SW" in teams for name in unknown if not name.startswith("Midtown"))


def test_week_3_dates_one_old_match_a_week_late(folder):
    """One team match, all its lines, drifts by seven days."""
    old, new = (by_id(read(folder, week, "APTA_CHICAGO", "match_scores")) for week in (2, 3))
    moved = [(row["Date"], new[key]["Date"]) for key, row in old.items() if row["Date"] != new[key]["Date"]]
    ((before, after),) = set(moved)

    assert 4 == len(moved)
    assert 7 == (datetime.strptime(after, "%d-%b-%y") - datetime.strptime(before, "%d-%b-%y")).days


def test_no_match_is_later_than_its_scrape(folder):
    """A scrape knows no results of the future."""
    for week in season.WEEKS:
        for key in KEYS:
            dates = {datetime.strptime(row["Date"], "%d-%b-%y").date()
                     for row in read(folder, week.number, key, "match_scores")}  # fmt: skip
            assert max(dates) <= week.as_of


def test_ratings_move(folder):
    """Who played in a round has another PTI after it, and one point more in the history per line."""
    old, new = (
        {row["Player ID"]: row["PTI"] for row in read(folder, week, "APTA_CHICAGO", "players")} for week in (1, 2)
    )

    assert sum(old[key] != new[key] for key in old.keys() & new.keys()) > 200
    history = read(folder, 1, "APTA_CHICAGO", "player_history")
    assert all(row["rating"] == row["matches"][0]["end_pti"] for row in history)
