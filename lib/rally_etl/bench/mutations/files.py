"""Damage to the other files of a scrape: players, standings, schedule, rating history, and whole files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rally_etl.bench.mutations.damages import ALL_SIZES, FEW, ONE, WHOLE, Damage, Files

PLAYERS, STATS, SCHEDULE, HISTORY = "players", "series_stats", "schedules", "player_history"
KINDS = (PLAYERS, "match_scores", STATS, SCHEDULE)
Record = dict[str, Any]


def _each(kind: str, change: Callable[[Record, Files], object], which: Callable = lambda record: True) -> Callable:
    def apply(files: Files, size: float) -> int:
        hit = files.some(kind, size, which)
        for record in hit:
            change(record, files)
        return len(hit)

    return apply


def _set(kind: str, values: Record) -> Callable:
    return _each(kind, lambda record, files: record.update(values))


def _lost(kind: str) -> Callable:
    return lambda files, size: files.drop(kind, files.some(kind, size))


def _doubled(kind: str, **changes: Callable[[Record, Files], Any]) -> Callable:
    def apply(files: Files, size: float) -> int:
        hit = files.some(kind, size)
        return files.add(kind, [{**one, **{name: make(one, files) for name, make in changes.items()}} for one in hit])

    return apply


def _team_of(record: Record) -> str:
    return record.get("Team") or record.get("Series Mapping ID") or ""


def _roster_lost(files: Files, size: float) -> int:
    team = _team_of(files.dice.choice(files.kinds[PLAYERS]))
    return files.drop(PLAYERS, [record for record in files.kinds[PLAYERS] if _team_of(record) == team])


def _series_lost(*kinds: str) -> Callable:
    def apply(files: Files, size: float) -> int:
        series = files.dice.choice(files.kinds[PLAYERS])["Series"]
        teams = {_team_of(record) for record in files.kinds[PLAYERS] if record["Series"] == series}
        lost = 0
        for kind in kinds:
            names = {PLAYERS: ("Team", "Series Mapping ID"), STATS: ("team",), SCHEDULE: ("home_team", "away_team"),
                     "match_scores": ("Home Team", "Away Team")}[kind]  # fmt: skip
            found = [each for each in files.kinds[kind] or [] if any(each.get(name) in teams for name in names)]
            lost += files.drop(kind, found)
        return lost

    return apply


def _half(files: Files, size: float) -> int:
    """The first half of the series of every file, as a scraper that was stopped."""
    teams = sorted({_team_of(record) for record in files.kinds[PLAYERS]})
    gone = set(teams[len(teams) // 2 :])
    lost = files.drop(PLAYERS, [record for record in files.kinds[PLAYERS] if _team_of(record) in gone])
    lost += files.drop(STATS, [record for record in files.kinds[STATS] if record["team"] in gone])
    lost += files.drop(SCHEDULE, [record for record in files.kinds[SCHEDULE] if record["home_team"] in gone])
    matches = [record for record in files.kinds["match_scores"] if record["Home Team"] in gone]
    return lost + files.drop("match_scores", matches)


def _ids_swapped(files: Files, size: float) -> int:
    first, second = files.dice.sample(files.kinds[PLAYERS], 2)
    first["Player ID"], second["Player ID"] = second["Player ID"], first["Player ID"]
    return 2


def _figures(group: str, name: str, by: int) -> Callable:
    return _each(STATS, lambda record, files: record[group].update({name: record[group][name] + by}))


def _other_team(record: Record, files: Files, name: str, names: tuple[str, ...]) -> None:
    known = sorted({each[one] for each in files.kinds[SCHEDULE] for one in names} - {record[one] for one in names})
    record[name] = files.dice.choice(known)


def _team_without_schedule(files: Files, size: float) -> int:
    team = files.dice.choice(files.kinds[SCHEDULE])["home_team"]
    lost = [record for record in files.kinds[SCHEDULE] if team in (record["home_team"], record["away_team"])]
    return files.drop(SCHEDULE, lost)


def _history(change: Callable[[Record], object]) -> Callable:
    def apply(files: Files, size: float) -> int:
        hit = files.some(HISTORY, size, lambda record: bool(record["matches"]))
        for record in hit:
            change(record["matches"][0])
        return len(hit)

    return apply


def _whole(kind: str, text: str | None) -> Callable:
    def apply(files: Files, size: float) -> int:
        rows = len(files.kinds[kind] or [])
        if text is None:
            files.kinds[kind] = None
        else:
            files.texts[kind] = text
        return rows

    return apply


def _old(*kinds: str) -> Callable:
    def apply(files: Files, size: float) -> int:
        for kind in kinds:
            files.kinds[kind] = [dict(record) for record in files.before[kind]]
        return sum(len(files.kinds[kind]) for kind in kinds)

    return apply


def _other_series(record: Record, files: Files) -> list[str]:
    return sorted({one["series"] for one in files.kinds[STATS] or []} - {record["series"]})


def _spelled(name: str) -> str:
    return name.replace(" ", "-", 1) if " " in name else f"{name} Club"


EMPTY = dict.fromkeys(("First Name", "Last Name", "Player ID", "Team", "Series", "Club", "PTI"), "")
_TABLE: list[tuple[str, str, tuple[float, ...], Callable]] = [
    ("players: rows lost", "35", ALL_SIZES, _lost(PLAYERS)),
    ("players: roster of a team lost", "11, 19", WHOLE, _roster_lost),
    ("players: a series missing", "23", WHOLE, _series_lost(PLAYERS)),
    ("all files: a series missing", "23, 35", WHOLE, _series_lost(PLAYERS, STATS, SCHEDULE, "match_scores")),
    ("all files: half a scrape", "35", WHOLE, _half),
    ("players: rows without anything", "", ALL_SIZES, _set(PLAYERS, EMPTY)),
    ("players: first name empty", "", ALL_SIZES, _set(PLAYERS, {"First Name": ""})),
    ("players: menu entry as a person", "30", FEW, _doubled(PLAYERS, **{
        "Player ID": lambda r, f: "sharing", "First Name": lambda r, f: "Share", "Last Name": lambda r, f: "Page"})),
    ("players: No Player as a person", "30", FEW, _doubled(PLAYERS, **{
        "Player ID": lambda r, f: f"nndz-junk{f.dice.random()}",
        "First Name": lambda r, f: "No", "Last Name": lambda r, f: "Player"})),
    ("players: substitutes as members", "30", ALL_SIZES, _doubled(PLAYERS, **{
        "Player ID": lambda r, f: f"nndz-sub{r['Player ID'][5:]}", "Last Name": lambda r, f: f"{r['Last Name']}(S)"})),
    ("players: persons of another league", "18", ALL_SIZES, _each(
        PLAYERS, lambda r, f: r.update({"Player ID": f"cnswpl_{f.dice.random()}"}))),
    ("players: person under a new id", "32", ALL_SIZES, _each(
        PLAYERS, lambda r, f: r.update({"Player ID": f"nndz-new{f.dice.random()}"}))),
    ("players: ids of two persons exchanged", "5, 32", ONE, _ids_swapped),
    ("players: rating out of range", "", ALL_SIZES, _set(PLAYERS, {"PTI": "999"})),
    ("players: rating lost", "45", ALL_SIZES, _each(
        PLAYERS, lambda r, f: r.update(PTI="N/A"), lambda r: r["PTI"] != "N/A")),
    ("players: rating no number", "", ALL_SIZES, _set(PLAYERS, {"PTI": "high"})),
    ("players: series that does not exist", "24", ALL_SIZES, _set(PLAYERS, {"Series": "Series SW"})),
    ("players: team Unknown", "25", ALL_SIZES, _set(PLAYERS, {"Team": "Unknown", "Series Mapping ID": "Unknown"})),
    ("players: in another team", "31", ALL_SIZES, _each(
        PLAYERS, lambda r, f: r.update(Team=_team_of(f.dice.choice(f.kinds[PLAYERS]))))),
    ("players: club spelled otherwise", "40, 47", ALL_SIZES, _each(PLAYERS, lambda r, f: r.update(
        {name: _spelled(r[name]) for name in ("Club", "Team") if r.get(name)}))),
    ("players: rows twice", "", ALL_SIZES, _doubled(PLAYERS)),
    ("players: wins not those of the lines", "", ALL_SIZES, _each(
        PLAYERS, lambda r, f: r.update(Wins=str(int(r["Wins"]) + 9)))),
    ("players: captain no word of the site", "", ALL_SIZES, _set(PLAYERS, {"Captain": "Player"})),
    ("players: names cut", "51", ALL_SIZES, _each(PLAYERS, lambda r, f: r.update({"Last Name": r["Last Name"][:1]}))),
    ("players: career figures those of the season", "36", ALL_SIZES, _each(
        PLAYERS, lambda r, f: r.update({"Career Wins": 0, "Career Losses": 0}), lambda r: r.get("Career Wins"))),
    ("standings: rows lost", "22", ALL_SIZES, _lost(STATS)),
    ("standings: points altered", "", ALL_SIZES, _each(STATS, lambda r, f: r.update(points=r["points"] + 7))),
    ("standings: points zero", "22", ALL_SIZES, _set(STATS, {"points": 0})),
    ("standings: matches won altered", "", ALL_SIZES, _figures("matches", "won", 3)),
    ("standings: lines won altered", "", ALL_SIZES, _figures("lines", "won", 1)),
    ("standings: sets won altered", "", ALL_SIZES, _figures("sets", "won", 2)),
    ("standings: games won altered", "", ALL_SIZES, _figures("games", "won", 5)),
    ("standings: Division for Series", "22", (0.30, 1.0), _each(
        STATS, lambda r, f: r.update(team=f"{r['team']} Division", series=r["series"].replace("Series", "Division")))),
    ("standings: series of another team", "27", ALL_SIZES, _each(
        STATS, lambda r, f: r.update(series=f.dice.choice(_other_series(r, f))))),
    ("standings: rows twice", "27", ALL_SIZES, _doubled(STATS, points=lambda r, f: r["points"] + 1)),
    ("schedule: rows lost", "12", ALL_SIZES, _lost(SCHEDULE)),
    ("schedule: a team without any", "12", WHOLE, _team_without_schedule),
    ("schedule: twice under two spellings", "12", ALL_SIZES, _doubled(
        SCHEDULE, home_team=lambda r, f: f"{r['home_team']} (Division 1)")),
    ("schedule: suffix Series", "13", ALL_SIZES, _each(
        SCHEDULE, lambda r, f: r.update(home_team=f"{r['home_team'].partition(' - Series')[0]} - Series Nine"))),
    ("schedule: another team of the league", "46", ALL_SIZES, _each(
        SCHEDULE, lambda r, f: _other_team(r, f, "home_team", ("home_team", "away_team")))),
    ("schedule: team that does not exist", "13", ALL_SIZES, _set(SCHEDULE, {"away_team": "Nowhere 77"})),
    ("schedule: team against itself", "", FEW, _each(SCHEDULE, lambda r, f: r.update(away_team=r["home_team"]))),
    ("schedule: date of another season", "37", ALL_SIZES, _set(SCHEDULE, {"date": "09/24/2015"})),
    ("schedule: date unreadable", "28", ALL_SIZES, _set(SCHEDULE, {"date": "soon"})),
    ("schedule: one date for all", "28", (0.30, 1.0), _set(SCHEDULE, {"date": "10/07/2025"})),
    ("schedule: place that is no club", "47", ALL_SIZES, _set(SCHEDULE, {"location": "Elsewhere"})),
    ("schedule: home and away exchanged", "", ALL_SIZES, _each(
        SCHEDULE, lambda r, f: r.update(home_team=r["away_team"], away_team=r["home_team"]))),
    ("schedule: time unreadable", "", FEW, _set(SCHEDULE, {"time": "noonish"})),
    ("schedule: time of night", "", ALL_SIZES, _set(SCHEDULE, {"time": "03:30 am"})),
    ("history: rows lost", "45", ALL_SIZES, _lost(HISTORY)),
    ("history: date in the future", "", ALL_SIZES, _history(lambda m: m.update(date="10/07/2031"))),
    ("history: rating no number", "", ALL_SIZES, _history(lambda m: m.update(end_pti="high"))),
    ("history: of unknown persons", "45", ALL_SIZES, _each(
        HISTORY, lambda r, f: r.update(player_id=f"nndz-{f.dice.random()}"))),
    *((f"file {kind} broken", "21", WHOLE, _whole(kind, '[{"a": 1')) for kind in KINDS),
    *((f"file {kind} empty", "22", WHOLE, _whole(kind, "[]")) for kind in KINDS),
    *((f"file {kind} missing", "22", WHOLE, _whole(kind, None)) for kind in KINDS),
    ("file schedules of the last scrape but one", "", WHOLE, _old(SCHEDULE)),
    ("files of players and standings of the last scrape", "", WHOLE, _old(PLAYERS, STATS)),
]  # fmt: skip

LIFE = ("players: rows lost", "players: in another team", "players: rating lost")
"""People leave, change teams, and lose their rating at the change of a season."""

DAMAGES = [
    Damage(name, incident, "scrape", sizes, apply, is_life=name in LIFE) for name, incident, sizes, apply in _TABLE
]
