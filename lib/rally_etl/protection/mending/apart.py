"""Two things that were different never become one by a repair, and one thing never becomes two."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rally_etl.identity.aliases import EVERYWHERE
from rally_etl.naming.text import clean_name
from rally_etl.protection.finding.wording import practice_of
from rally_etl.protection.mending.things import Things

if TYPE_CHECKING:
    from rally_etl.protection.mending.cases import Case
    from rally_etl.protection.mending.proposals import Repair

Past = tuple[str, str, str]
"""How it is known what a row stood for (decided, name, text, id), the league where it matters, and what it was."""

_KEPT_APART = ("teams", "players", "series")


def doubtful(repairs: list[Repair], cases: list[Case], things: Things) -> dict[int, str]:
    """Places of planned repairs that must be asked instead, and why.

    Several rows get the same target only if they stood for the same thing as far as is known: the same name, in the
    same league, or a redirect, an alias or an answer says so. A row of whose lost id nothing is known, and that only
    its own circumstances lead to the target, does not share it with a row that lost another id. Rows that lost the
    same id and name get the same target.
    """
    planned = [
        place
        for place, repair in enumerate(repairs)
        if repair.state == "planned" and repair.action == "update" and repair.orphan.target in _KEPT_APART
    ]
    found: dict[int, str] = {}
    together: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    lost: dict[str, list[int]] = defaultdict(list)
    for place in planned:
        together[repairs[place].orphan.target, repairs[place].becomes].append(place)
        lost[repairs[place].spelling].append(place)
    for places in together.values():
        for place, other in _clashing(places, repairs, cases, things):
            orphan = repairs[other].orphan
            found.setdefault(
                place, f"{orphan.table} {orphan.row}, which was {_told(cases[other])}, would become the same"
            )
    for places in lost.values():
        targets = {repairs[place].becomes for place in places}
        if len(targets) > 1 and any(repairs[place].strategy != "answer" for place in places):
            for place in places:
                found.setdefault(place, f"rows that lost the same would become {len(targets)} different ones")
    return found


def _clashing(
    places: Iterable[int], repairs: list[Repair], cases: list[Case], things: Things
) -> Iterator[tuple[int, int]]:
    """Place of a repair that must not share its target with the repair of the other place."""
    by_past: dict[Past, list[int]] = defaultdict(list)
    for place in places:
        if past := _past(repairs[place], cases[place]):
            by_past[past].append(place)
    table = next((repairs[place].orphan.target for place in places), "")
    pasts = list(by_past)
    for past in pasts:
        for other in pasts:
            if past != other and _clash(table, past, other, things):
                yield from ((place, by_past[other][0]) for place in by_past[past])


def _clash(table: str, past: Past, other: Past, things: Things) -> bool:
    """Whether a row of this past must be asked because the other gets the same target."""
    if past[0] == "id":
        return True
    if past[0] == other[0] == "name":
        (_, league, name), (_, other_league, other_name) = past, other
        leagues = {league, other_league} - {EVERYWHERE}
        return len(leagues) > 1 or not things.is_one_name(table, next(iter(leagues), EVERYWHERE), name, other_name)
    return False


def _past(repair: Repair, case: Case) -> Past | None:
    if repair.strategy in ("redirect", "answer") or (case.best and case.best.is_decided):
        return "decided", "", ""
    if case.name:
        sighting = case.sightings[0]
        league = sighting.league if sighting.league != EVERYWHERE else case.league
        return "name", league, clean_name(case.name).casefold()
    text = case.row.get("home_team") or ""
    if repair.strategy == "pattern" and practice_of(text):
        return "text", "", clean_name(text).casefold()
    return ("id", "", case.lost_ids[0]) if case.lost_ids else None


def _told(case: Case) -> str:
    if case.name:
        return case.name
    return f"id {case.lost_ids[0]}" if case.lost_ids else "not known"
