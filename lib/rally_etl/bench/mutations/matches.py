"""Damage to the match file of a scrape, as scrapers have done it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from rally_etl.bench.mutations.damages import ALL_SIZES, FEW, WHOLE, Damage, Files

KIND = "match_scores"
SIDES = ("Home", "Away")
SEATS = [f"{side} Player {seat} ID" for side in SIDES for seat in (1, 2)]
Record = dict[str, Any]


def _each(change: Callable[[Record, Files], object], which: Callable[[Record], bool] = lambda record: True) -> Callable:
    def apply(files: Files, size: float) -> int:
        hit = files.some(KIND, size, which)
        for record in hit:
            change(record, files)
        return len(hit)

    return apply


def _set(**values: Any) -> Callable:
    return _each(lambda record, files: record.update({name.replace("_", " "): value for name, value in values.items()}))


def _turned(score: str) -> str:
    """The score from the other side: `6-3, 4-6 [7-5]` as `3-6, 6-4 [5-7]`."""
    return re.sub(r"(\d+)-(\d+)", r"\2-\1", score)


def _winner(record: Record, files: Files) -> None:
    record["Winner"] = {"home": "away", "away": "home"}.get(record["Winner"], "home")


def _sides(record: Record, files: Files) -> None:
    for seat in (1, 2):
        for name in (f"Player {seat}", f"Player {seat} ID"):
            record[f"Home {name}"], record[f"Away {name}"] = record.get(f"Away {name}"), record.get(f"Home {name}")


def _teams(change: Callable[[str, Files], str]) -> Callable:
    def apply(record: Record, files: Files) -> None:
        side = f"{files.dice.choice(SIDES)} Team"
        record[side] = change(record[side], files)

    return apply


def _one_digit(name: str, files: Files) -> str:
    return re.sub(r"(\d)\d\b", r"\1", name, count=1)


def _has_two_digits(record: Record) -> bool:
    return all(re.search(r"\d\d\b", record[f"{side} Team"]) for side in SIDES)


def _neighbour(record: Record, files: Files) -> None:
    others = sorted({each["Home Team"] for each in files.kinds[KIND]} - {record["Home Team"], record["Away Team"]})
    record["Home Team"] = files.dice.choice(others)


def _stamped(files: Files, size: float) -> int:
    newest = Counter(record["Date"] for record in files.kinds[KIND]).most_common(1)[0][0]
    hit = files.some(KIND, size, lambda record: record["Date"] != newest)
    for record in hit:
        record["Date"] = newest
    return len(hit)


def _week_lost(files: Files, size: float) -> int:
    days = Counter(record["Date"] for record in files.kinds[KIND])
    day = sorted(days)[len(days) // 2]
    return files.drop(KIND, [record for record in files.kinds[KIND] if record["Date"] == day])


def _file_doubled(files: Files, size: float) -> int:
    again = [
        {**record, "match_id": re.sub(r"(_Line\d+)$", r"\1\1", record["match_id"])} for record in files.kinds[KIND]
    ]
    return files.add(KIND, again)


def _under_other_ids(files: Files, size: float) -> int:
    hit = files.some(KIND, size)
    return files.add(KIND, [{**record, "match_id": f"nndz-again{record['match_id'][5:]}"} for record in hit])


def _sixth_line(files: Files, size: float) -> int:
    hit = files.some(KIND, size, lambda record: record["match_id"].endswith("_Line1"))
    for record in hit:
        files.add(KIND, [{**record, "match_id": record["match_id"][:-1] + str(line)} for line in (6, 7, 8, 9)])
    return len(hit)


def _ids_anew(files: Files, size: float) -> int:
    for record in files.kinds[KIND]:
        record["match_id"] = f"nndz-new{record['match_id'][5:]}"
    return len(files.kinds[KIND])


def _lost(files: Files, size: float) -> int:
    return files.drop(KIND, files.some(KIND, size))


def _line_lost(files: Files, size: float) -> int:
    return files.drop(KIND, files.some(KIND, size, lambda record: record["match_id"].endswith("_Line2")))


def _foreign(record: Record, files: Files) -> None:
    for name in SEATS:
        record[name] = f"cnswpl_{record[name]}"


def _keys_renamed(files: Files, size: float) -> int:
    hit = files.some(KIND, size)
    for record in hit:
        record["Result"] = record.pop("Scores")
        record["Won By"] = record.pop("Winner")
    return len(hit)


def _file_of_last_time(files: Files, size: float) -> int:
    files.kinds[KIND] = [dict(record) for record in files.before[KIND]]
    return len(files.kinds[KIND])


def _mixed_seats(record: Record, files: Files) -> None:
    record["Home Player 1 ID"], record["Home Player 2 ID"] = (
        files.dice.choice(files.kinds[KIND])["Away Player 1 ID"],
        files.dice.choice(files.kinds[KIND])["Away Player 2 ID"],
    )


def _no_ids(record: Record, files: Files) -> None:
    record.update(dict.fromkeys(SEATS, ""))


_SW = r"\s+SW$"
_TABLE: list[tuple[str, str, tuple[float, ...], Callable]] = [
    ("winner is the loser", "", ALL_SIZES, _each(_winner)),
    ("scores the other way round", "", (*ALL_SIZES, 1.0), _each(lambda r, f: r.update(Scores=_turned(r["Scores"])))),
    ("players of both sides exchanged", "32", ALL_SIZES, _each(_sides)),
    ("a player on both sides", "32", ALL_SIZES, _each(lambda r, f: r.update({SEATS[2]: r[SEATS[0]]}))),
    ("a player twice on one side", "", ALL_SIZES, _each(lambda r, f: r.update({SEATS[1]: r[SEATS[0]]}))),
    ("players of other teams in a line", "32", ALL_SIZES, _each(_mixed_seats)),
    ("player ids missing", "44", ALL_SIZES, _each(_no_ids)),
    ("player ids that nobody has", "44", ALL_SIZES, _each(
        lambda r, f: r.update({SEATS[0]: f"nndz-{f.dice.random()}"}))),
    ("players of another league", "18", ALL_SIZES, _each(_foreign)),
    ("suffix SW lost", "17, 25", (1, 0.30, 1.0), _each(
        lambda r, f: r.update({s: re.sub(_SW, "", r[s]) for s in ("Home Team", "Away Team")}),
        lambda r: bool(re.search(_SW, r["Home Team"])))),
    ("number of a team cut", "25, 26", ALL_SIZES, _each(_teams(_one_digit), _has_two_digits)),
    ("team Unknown", "25", ALL_SIZES, _each(_teams(lambda name, f: "Unknown"))),
    ("another team of the league", "26, 46", ALL_SIZES, _each(_neighbour)),
    ("team that does not exist", "14", ALL_SIZES, _each(_teams(lambda name, f: f"Nowhere {f.dice.randint(1, 9)}"))),
    ("teams of the sides exchanged", "32", ALL_SIZES, _each(
        lambda r, f: r.update({"Home Team": r["Away Team"], "Away Team": r["Home Team"]}))),
    ("team against itself", "", FEW, _each(lambda r, f: r.update({"Away Team": r["Home Team"]}))),
    ("one date for all", "28", (0.30, 1.0), _stamped),
    ("date unknown", "28", ALL_SIZES, _set(Date="Unknown Date")),
    ("date in the future", "", ALL_SIZES, _set(Date="24-Sep-26")),
    ("date of another season", "37", ALL_SIZES, _set(Date="24-Sep-15")),
    ("date of another day", "28", ALL_SIZES, _set(Date="05-Oct-25")),
    ("a week missing", "29", WHOLE, _week_lost),
    ("lines lost", "35", ALL_SIZES, _lost),
    ("second court lost", "29", ALL_SIZES, _line_lost),
    ("suffix of the id doubled", "15", ALL_SIZES, _each(
        lambda r, f: r.update(match_id=re.sub(r"(_Line\d+)$", r"\1\1", r["match_id"])))),
    ("whole file twice", "16", WHOLE, _file_doubled),
    ("line under a second id", "16", ALL_SIZES, _under_other_ids),
    ("all ids anew", "16", WHOLE, _ids_anew),
    ("more lines than courts", "16", FEW, _sixth_line),
    ("impossible set", "", ALL_SIZES, _set(Scores="9-2, 6-6")),
    ("score unreadable", "48", ALL_SIZES, _set(Scores="see text")),
    ("score empty", "", ALL_SIZES, _set(Scores="")),
    ("winner empty", "", ALL_SIZES, _set(Winner="")),
    ("winner no side", "", FEW, _set(Winner="Tennaqua")),
    ("league misspelt", "41", (1, 0.30, 1.0), _each(lambda r, f: r.update(league_id="aptachicgo"))),
    ("record of another league", "18", ALL_SIZES, _each(lambda r, f: r.update(league_id="CNSWPL"))),
    ("fields under other names", "", (0.01, 0.30, 1.0), _keys_renamed),
    ("file of the last scrape", "29", WHOLE, _file_of_last_time),
    ("id of the match empty", "", FEW, _each(lambda r, f: r.update(match_id=""))),
]  # fmt: skip

DAMAGES = [Damage(f"matches: {name}", incident, "scrape", sizes, apply) for name, incident, sizes, apply in _TABLE]
