"""Rows of users that come back as they were remembered, with references to what their things are called now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote, read_catalog
from rally_etl.database.references import Reference, find_references, read_reference_params
from rally_etl.protection.identity import is_same_thing
from rally_etl.protection.mending.cases import Case, read_cases
from rally_etl.protection.mending.questions import spelling_of
from rally_etl.protection.mending.repair import PLANNED, Repair
from rally_etl.protection.mending.things import ENTITIES, Things
from rally_etl.protection.orphans import Orphan

if TYPE_CHECKING:
    from rally_etl.protection.mending.questions import Answers
    from rally_etl.protection.mending.trust import Trust
    from rally_etl.settings import Settings

NAMES = "_names"

_PARENTS = sa.text(
    """
    select t.relname as table_name, a.attname as column_name, r.relname as parent, b.attname as parent_column
    from pg_constraint as c
    join pg_class as t on t.oid = c.conrelid
    join pg_class as r on r.oid = c.confrelid
    join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    join pg_attribute as b on b.attrelid = c.confrelid and b.attnum = c.confkey[1]
    where c.contype = 'f' and cardinality(c.conkey) = 1 and t.relname = any(:tables) and not r.relname = any(:imported)
      and t.relnamespace = to_regnamespace('public')
    """
)


def propose(
    connection: sa.Connection,
    settings: Settings,
    cases: Sequence[Case],
    things: Things,
    trust: Trust,
    answers: Answers,
    of_reference: Callable[[Case, Things, Trust, Answers], Repair],
) -> list[Repair]:
    """What becomes of each gone row, in their order: it comes back when all that it refers to is known."""
    if not cases:
        return []
    params = read_reference_params(settings.params_dir / "references.yaml")
    references: dict[str, list[Reference]] = defaultdict(list)
    for each in find_references(connection, params):
        if each.target in ENTITIES:
            references[each.table].append(each)
    tables = read_catalog(connection, tuple({case.orphan.table for case in cases}))
    _read_people(things, cases, references)
    lost = [
        (place, orphan)
        for place, case in enumerate(cases)
        for orphan in _lost(case, references[case.orphan.table], things, params.series_words)
    ]
    mended: dict[int, list[Repair]] = defaultdict(list)
    pointing = read_cases(connection, settings, trust, things, [orphan for _, orphan in lost])
    for (place, _), case in zip(lost, pointing, strict=True):
        mended[place].append(of_reference(case, things, trust, answers))
    repairs = [_back(case, mended[place], tables.get(case.orphan.table), trust) for place, case in enumerate(cases)]
    return _with_parents(connection, repairs)


def _read_people(things: Things, cases: Sequence[Case], references: Mapping[str, Sequence[Reference]]) -> None:
    printed: set[str] = set()
    ids: set[int] = set()
    for case in cases:
        for each in references[case.orphan.table]:
            value = case.memory.get(each.column)
            if each.target == "players" and value is not None:
                if each.target_column == "id":
                    ids.add(int(value))
                else:
                    printed.add(str(value))
    if printed or ids:
        things.read_people((), printed, ids)


def _lost(case: Case, references: Sequence[Reference], things: Things, series_words: Sequence[str]) -> list[Orphan]:
    """References of the remembered row whose thing is not live, or is another one by its name."""
    found = []
    names = case.memory.get(NAMES) or {}
    for each in references:
        value = case.memory.get(each.column)
        if value is None:
            continue
        thing, name = things.at(each.target, each.target_column, str(value)), names.get(each.column) or ""
        is_person = each.target == "players" and each.target_column != "id"
        if thing and (is_person or not name or is_same_thing(each.target, name, thing.name, series_words)):
            continue
        found.append(
            Orphan(
                kind="moved" if thing else "dangling", table=case.orphan.table, row=case.orphan.row, column=each.column,
                target=each.target, was=str(value), had=str(value), name=name, league=case.orphan.league,
            )
        )  # fmt: skip
    return found


def _back(case: Case, mended: Sequence[Repair], table: Table | None, trust: Trust) -> Repair:
    orphan = case.orphan
    image: dict[str, Any] = {name: value for name, value in case.memory.items() if name != NAMES}
    repair = Repair(
        orphan=orphan, action="none", becomes=None, strategy="", confidence=0.0, evidence=orphan.told, name=orphan.name,
        league=orphan.league, spelling=spelling_of(orphan),
    )  # fmt: skip
    if table is None or not table.key or not image:
        return replace(repair, evidence=f"{orphan.told}; nothing remembers what it said")
    if lacking := _lacking(table, image):
        return replace(repair, evidence=f"{orphan.told}; nothing remembers its {', '.join(lacking)}")
    if unknown := next((each for each in mended if each.state != PLANNED), None):
        return replace(
            repair, strategy=unknown.strategy, confidence=unknown.confidence, candidates=unknown.candidates,
            evidence=f"{orphan.told}; its {unknown.orphan.column}: {unknown.evidence}", spelling=unknown.spelling,
            entity=unknown.entity, state=unknown.state,
        )  # fmt: skip
    confidence = min([trust.strategies["image"], *(each.confidence for each in mended)])
    strategy = min(mended, key=lambda each: each.confidence).strategy if mended else "image"
    told = "; ".join([orphan.told, "it comes back as it was remembered", *(each.evidence for each in mended)])
    changes = {each.orphan.column: each.becomes for each in mended}
    repair = replace(
        repair, action="insert", strategy=strategy, confidence=confidence, evidence=told, image=image | changes,
        state=PLANNED,
    )  # fmt: skip
    return repair if confidence >= trust.taken else repair.asked(told)


def _lacking(table: Table, image: Mapping[str, Any]) -> list[str]:
    """Columns that must say something, and of which nothing is remembered: secrets."""
    return [
        column.name
        for column in table.columns
        if column.is_required and column.default_sql is None and image.get(column.name) is None
    ]


def _with_parents(connection: sa.Connection, repairs: list[Repair]) -> list[Repair]:
    """A row comes back only with the user, poll or choice that it belongs to: live, or coming back itself."""
    parents: dict[str, list[sa.Row]] = defaultdict(list)
    binds = {"tables": sorted({each.orphan.table for each in repairs}), "imported": list(IMPORTED)}
    for row in connection.execute(_PARENTS, binds).all():
        parents[row.table_name].append(row)
    live = {
        (table, row.column_name): _live_values(connection, row, repairs)
        for table, rows in parents.items()
        for row in rows
    }
    while True:
        coming = {
            (each.orphan.table, name, str(value))
            for each in repairs
            if each.state == PLANNED
            for name, value in (each.image or {}).items()
        }
        alone = {}
        for place, repair in enumerate(repairs):
            for row in parents[repair.orphan.table] if repair.state == PLANNED else ():
                value = _text(repair, row.column_name)
                is_live = value is None or value in live[row.table_name, row.column_name]
                if not is_live and (row.parent, row.parent_column, value) not in coming:
                    alone[place] = f"its {row.column_name} {value} is gone too"
        if not alone:
            return repairs
        repairs = [
            repair.asked(f"{repair.evidence}; but {alone[place]}") if place in alone else repair
            for place, repair in enumerate(repairs)
        ]


def _live_values(connection: sa.Connection, parent: sa.Row, repairs: Sequence[Repair]) -> set[str]:
    """Values of a parent's column that live has, of those that the rows name."""
    values = {_text(each, parent.column_name) for each in repairs if each.orphan.table == parent.table_name}
    column = f"cast(p.{quote(parent.parent_column)} as text)"
    found = connection.scalars(
        sa.text(f"select {column} from {quote('public', parent.parent)} as p where {column} = any(:values)"),
        {"values": sorted(value for value in values if value is not None)},
    )
    return set(found)


def _text(repair: Repair, column: str) -> str | None:
    value = (repair.image or {}).get(column)
    return None if value is None else str(value)
