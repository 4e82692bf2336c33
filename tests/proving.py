"""Readings of the proofs of checks: the rows of a proof as they lie in the tables, and what the check must count.

Besides what a proof says itself, three things hold for every check, and each gives further readings of the same rows:
what another league holds changes nothing, a number that only names a row may be any number, and a row whose `is_active`
is NULL is active. A reading that does not hold for the check as it is (a club has no league) is left out.
"""

from __future__ import annotations

import datetime as dt
import re
import string
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from rally_etl.checks import Check
from rally_etl.checks.proofs import ANOTHER_LEAGUE_ID, AS_OF, KINDS, LEAGUE_ID, cases, failing_rows_of
from rally_etl.database.catalog import IMPORTED

SEASON = (dt.date(2025, 8, 1), dt.date(2026, 7, 31))
"""The first and the last day of the season that day is in."""
HOME, OTHERS = LEAGUE_ID, (LEAGUE_ID - 1, 90)
"""The league of a proof, and two that no row of it is of, with ids below and above it."""

_OF_SEASON = "interval '7 months'"
_KNOWN_BY_ID = ("clubs", "series")  # they are found by their id alone, which no other league gives
_STEP = 10_000_000
_HIGHEST_ID = 100_000
_SEATS = [f"{side}_player_{seat}_id" for side in ("home", "away") for seat in (1, 2)]
_NAMES = {"name", "team_name", "team", "series", "home_team", "away_team", "location", "tenniscores_player_id", *_SEATS}
_LETTERS = str.maketrans(string.ascii_letters, string.ascii_lowercase[::-1] + string.ascii_uppercase[::-1])
_BIND = re.compile(r"(?<![:\w]):(league_id|run_id|as_of)\b")
_COUNTING = """
    create function pg_temp.failing_rows(query text) returns bigint language plpgsql as $$
    declare
        found bigint;
    begin
        execute 'select count(*) from (' || chr(10) || query || chr(10) || ') as failing' into found;
        return found;
    exception when others then
        return null;
    end
    $$
"""
Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Reading:
    """Rows of a proof as they lie in the tables, and the failing rows to count for each league.

    Attributes:
        tables: table -> rows, each with its league.
        counts: league -> failing rows; None where they are to be those of the tables in `like`.
    """

    name: str
    tables: Rows
    counts: dict[int, int | None] = field(default_factory=dict)
    like: Rows | None = None
    as_of: dt.date = AS_OF


def readings(check: Check, proof: dict) -> list[Reading]:
    """What a proof says, case by case."""
    found = []
    for number, case in enumerate(cases(proof), 1):
        of_case = _readings(check, case)
        found += of_case if number == 1 else [replace(each, name=f"case {number}: {each.name}") for each in of_case]
    return found


def _readings(check: Check, case: dict) -> list[Reading]:
    """What a case says, first the rows that are wrong, then those that are right, then what follows from them."""
    given, as_of = case.get("given", {}), case.get("as_of", AS_OF)
    kinds = [kind for kind in KINDS if kind in case]
    wrong = failing_rows_of(case) if "failing" in case else 0
    told = {kind: _merged(given, {check.table: case[kind]}) for kind in kinds}
    counts = {
        "failing": {HOME: wrong, **dict.fromkeys((*OTHERS, ANOTHER_LEAGUE_ID), 0)},
        "passing": {HOME: 0},
    }
    found = [Reading(kind, told[kind], counts[kind], as_of=as_of) for kind in kinds]
    for kind in kinds:
        without_flag = _changed(told[kind], _no_flag)
        found.append(Reading(f"{kind}, is_active is NULL", without_flag, counts[kind], as_of=as_of))
        turned = _changed(told[kind], _other_way_round if "~" in check.sql else _names_too)
        found.append(Reading(f"{kind}, ids and names the other way round", turned, counts[kind], as_of=as_of))
        if _OF_SEASON in check.sql and "as_of" not in case:
            found += [Reading(f"{kind}, on {day}", told[kind], counts[kind], as_of=day) for day in SEASON]
    # What users wrote is of no league, and rows of `leagues` say what a league is.
    if len(kinds) == len(KINDS) and {check.table, *given} <= set(IMPORTED) - {"leagues"}:
        right, strange = told["passing"], [_moved(told["failing"], league) for league in OTHERS]
        beside = {HOME: 0, **dict.fromkeys(OTHERS, wrong)}
        found.append(Reading("right beside leagues that are wrong", _merged(right, *strange), beside, as_of=as_of))
        strange = [_moved(told["passing"], league) for league in OTHERS]
        found.append(
            Reading(
                "wrong beside leagues that are right",
                _merged(told["failing"], *strange),
                {HOME: wrong, **dict.fromkeys(OTHERS, 0)},
                as_of=as_of,
            )
        )
    for kind in kinds:
        for table in set(given) & set(IMPORTED):
            without = {name: rows for name, rows in told[kind].items() if name != table}
            strange = [_moved({table: told[kind][table]}, league) for league in OTHERS]
            if table == check.table:
                without = _merged(without, {table: case[kind]})
            moved = _merged(without, *strange)
            found.append(Reading(f"{kind}, {table} of other leagues", moved, {HOME: None}, without, as_of))
    return found


def counting(connection: sa.Connection) -> None:
    """Give the session of a stage the function that `failing_rows` calls."""
    connection.exec_driver_sql(_COUNTING)


def failing_rows(connection: sa.Connection, queries: list[str], league: int, as_of: dt.date) -> list[int | None]:
    """Rows that each query of a check returns for a league; None where the database refuses it. One round trip."""
    values = {"league_id": str(league), "run_id": "'test'", "as_of": f"'{as_of}'"}
    ready = [_BIND.sub(lambda bind: values[bind[1]], query) for query in queries]
    statement = sa.text(
        "select pg_temp.failing_rows(query)"
        " from unnest(cast(:queries as text[])) with ordinality as q (query, n) order by n"
    )
    return list(connection.scalars(statement, {"queries": ready}))


def _merged(*parts: Rows) -> Rows:
    """The rows of several parts, table by table."""
    found: Rows = {}
    for part in parts:
        for table, rows in part.items():
            found.setdefault(table, []).extend(rows)
    return found


def _changed(tables: Rows, change: Any) -> Rows:
    """The rows of all tables, changed; those of `leagues` stay, since other rows say their ids as `league_id`."""
    return {
        table: rows if table.removeprefix("public.") == "leagues" else [change(row) for row in rows]
        for table, rows in tables.items()
    }


def _moved(tables: Rows, league: int) -> Rows:
    """The rows of the proof's own league as rows of another; what users wrote is of none."""
    return {
        table: [_strange(table, row, league) for row in rows if row.get("league_id", HOME) == HOME]
        for table, rows in tables.items()
        if table in IMPORTED
    }


def _strange(table: str, row: dict[str, Any], league: int) -> dict[str, Any]:
    ids = ("club_id", "series_id", *(["id"] if table in _KNOWN_BY_ID else []))
    moved = {name: row[name] + (1 + league) * _STEP for name in ids if isinstance(row.get(name), int)}
    return {**row, **moved, "league_id": league}


def _no_flag(row: dict[str, Any]) -> dict[str, Any]:
    """The row as active without saying so; one that is switched off stays it."""
    return {"is_active": None, **{name: value for name, value in row.items() if (name, value) != ("is_active", True)}}


def _other_way_round(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its ids in falling order where they rose."""
    return {
        name: _HIGHEST_ID - value
        if isinstance(value, int) and name != "league_id" and (name == "id" or name.endswith("_id"))
        else value
        for name, value in row.items()
    }


def _names_too(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its names in falling order too; for checks that look for no pattern in them."""
    return {
        name: value.translate(_LETTERS)
        if isinstance(value, str) and name in _NAMES and "practice" not in value.lower()
        else value
        for name, value in _other_way_round(row).items()
    }
