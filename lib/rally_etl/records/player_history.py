"""Records of history files: one person with the points of a PTI curve, one per match played."""

from __future__ import annotations

from typing import Any

import msgspec

from rally_etl.records.context import Context
from rally_etl.records.reading import Fields, Raw, from_mapping
from rally_etl.records.reasons import Findings, Quarantined
from rally_etl.records.values import iso_date, number, person_key, player_id, text

COLUMNS = ("point_no", "player_id", "person_key", "series", "history_date", "end_pti")


class PersonFields(Fields):
    """Keys of a history record that say whose it is."""

    league_id: str | None = None
    player_id: str | None = None
    name: str | None = None


class PointFields(Fields):
    """One point of the curve."""

    date: str | None = None
    end_pti: str | None = None
    series: str | None = None


def parse_history(raw: Raw, context: Context) -> list[tuple[str | None, ...]] | Quarantined:
    """One row per point, none for a person without matches, or the record kept aside."""
    found = Findings()
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _aside("not_readable", f"is no JSON: {error}")
    if not isinstance(value, dict):
        return _aside("not_an_object", "is no object")
    person = from_mapping(value, PersonFields, found)
    printed_id = found.take(
        "player_id", person.player_id, lambda item: player_id(item, context.league.foreign_id_prefixes)
    )
    found.take("league_id", person.league_id, context.own_league)
    points = value.get("matches")
    if not found.reasons and printed_id is None and not person.name and not points:
        return _aside("empty_fields", "player id, name and matches are empty")
    found.require("player_id", printed_id)
    whose = (printed_id, printed_id and person_key(printed_id, context.league.id_prefixes))
    rows = [(str(at), *whose, *_point(point, at, found)) for at, point in _points(points, found)]
    return found.quarantined() or rows


def _aside(reason: str, problem: str) -> Quarantined:
    found = Findings()
    found.add(reason, "(record)", None, problem)
    return found.quarantined() or Quarantined(reason, ())


def _points(points: Any, found: Findings) -> list[tuple[int, dict]]:
    if points is None:
        return []
    if not isinstance(points, list):
        found.add("not_readable", "matches", points, "is no list of points")
        return []
    kept = []
    for position, point in enumerate(points):
        if isinstance(point, dict):
            kept.append((position, point))
        else:
            found.add("not_readable", f"matches[{position}]", point, "is no object")
    return kept


def _point(value: dict, position: int, found: Findings) -> tuple[str | None, str | None, str | None]:
    label = f"matches[{position}]."
    point = from_mapping(value, PointFields, found, label)
    series = found.take(f"{label}series", point.series, text)
    day = found.take(f"{label}date", point.date, iso_date)
    found.require(f"{label}date", day)
    return series, day, found.take(f"{label}end_pti", point.end_pti, number)
