"""What became of a broken database: of each broken thing whether it was found, repaired, held, or made wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from breaking import BACK, GONE, KEYS, UNKNOWN, Damage, Truth
from rally_etl.database.catalog import quote

State = dict[tuple[str, str], dict[str, Any]]
"""(Table, row) -> its columns."""

TOUCHED = {"updated_at", "last_updated"}
"""Columns that say when a row was written last."""


@dataclass(slots=True)
class Verdict:
    """Counts of broken things, and in words what is wrong, was not found, or could have been repaired."""

    broken: int = 0
    found: int = 0
    repaired: int = 0
    held: int = 0
    wrong: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)  # what can be known and is not repaired
    silent: list[str] = field(default_factory=list)  # what is held and nobody is told of

    def row(self) -> tuple[int, int, int, int, int]:
        """Broken, found, repaired, held, wrong."""
        return self.broken, self.found, self.repaired, self.held, len(self.wrong)


def read_state(engine: sa.Engine) -> State:
    """Every row of schema public; a table without a primary key is told apart by all it says."""
    state: State = {}
    with engine.connect() as connection:
        keys = dict(connection.execute(sa.text(KEYS)).all())
        tables = connection.scalars(sa.text("select tablename from pg_tables where schemaname = 'public'")).all()
        for table in tables:
            key = keys.get(table, "t::text")
            rows = connection.execute(
                sa.text(f"select {key} as key, to_jsonb(t) as row from {quote('public', table)} as t")
            )
            state |= {(table, row.key): row.row for row in rows}
    return state


def judge(
    damage: Damage,
    before: State,
    broken: State,
    after: State,
    found: Collection[tuple[str, str]],
    asked: Collection[tuple[str, str]],
    merged: Collection[tuple[str, str]] = (),
) -> Verdict:
    """Compare what a repair left with the truth.

    Args:
        before: as it was before it was broken; `broken`, `after`: then, and after the repair.
        found: (table, row) of everything that was found; `asked`: of what a repair asks or says that it leaves.
        merged: (table, row) of rows that stand for another row from now on.
    """
    verdict = Verdict()
    excused: set[tuple[str, str]] = set()
    for truth in damage.truths:
        key = (truth.table, truth.row)
        excused.add(key)
        state = (
            "repaired" if key in merged and truth.right == GONE else _state_of(truth, before, broken, after, excused)
        )
        if state == "wrong":
            verdict.wrong.append(_told(truth, after.get(key)))
        if truth.is_past:
            continue
        verdict.broken += 1
        if truth.finding in found:
            verdict.found += 1
        else:
            verdict.missed.append(_told(truth, after.get(key)))
        if state == "repaired":
            verdict.repaired += 1
        elif state == "held":
            verdict.held += 1
            if truth.finding not in asked:
                verdict.silent.append(_told(truth, after.get(key)))
            if truth.right != UNKNOWN:
                verdict.left.append(_told(truth, after.get(key)))
    verdict.wrong += _collateral(damage.truths, broken, after, excused)
    return verdict


def _state_of(truth: Truth, before: State, broken: State, after: State, excused: set[tuple[str, str]]) -> str:
    key = (truth.table, truth.row)
    if truth.right == BACK:
        return _back(truth, before, after, excused)
    if truth.right == GONE:
        row = after.get(key)
        if row is None or row.get("is_active") is False:
            return "repaired"
        return "held" if _same(row, broken[key]) else "wrong"
    row = after.get(key)
    if row is None:
        return "wrong"
    if not truth.column:
        return "held" if _same(row, broken[key]) else "wrong"
    now = row[truth.column]
    if truth.right != UNKNOWN and str(now).lower() == truth.right:
        return "repaired"
    return "held" if now == broken[key][truth.column] else "wrong"


def _back(truth: Truth, before: State, after: State, excused: set[tuple[str, str]]) -> str:
    """A row that was there: under its key with all it said, or, of a junction, as the same pair."""
    key = (truth.table, truth.row)
    if truth.by:
        for place, row in after.items():
            if place[0] == truth.table and all(str(row.get(column)) == value for column, value in truth.by):
                excused.add(place)
                return "repaired"
        return "held"
    if key not in after:
        return "held"
    return "repaired" if _same(after[key], before[key]) else "wrong"


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return {k: v for k, v in one.items() if k not in TOUCHED} == {k: v for k, v in other.items() if k not in TOUCHED}


def _collateral(
    truths: Iterable[Truth], broken: State, after: State, excused: Collection[tuple[str, str]]
) -> list[str]:
    """Rows and columns that changed and were not broken."""
    columns: dict[tuple[str, str], set[str]] = {}
    for truth in truths:
        columns.setdefault((truth.table, truth.row), set()).add(truth.column)
    found = []
    for key in sorted(broken.keys() | after.keys()):
        one, other = broken.get(key), after.get(key)
        if one == other or (key in excused and "" in columns.get(key, {""})):
            continue
        if one is None or other is None:
            found.append(f"{' '.join(key)} {'appeared' if one is None else 'disappeared'}")
            continue
        changed = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
        for name in sorted(changed - TOUCHED - columns.get(key, set())):
            found.append(f"{' '.join(key)}: {name} was {one.get(name)!r} and is {other.get(name)!r}")
    return found


def _told(truth: Truth, row: Mapping[str, Any] | None) -> str:
    now = "no row" if row is None else repr(row.get(truth.column)) if truth.column else "there"
    return f"{truth.table} {truth.row} {truth.column or 'row'}: right is {truth.right!r}, now {now}"
