"""The damages that `make bench-mutations` tries, by the place where they entered in real life."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Records = list[dict[str, Any]]

SMALL_SHARE = 0.01
ONE = (1,)
FEW = (1, SMALL_SHARE)
ALL_SIZES = (1, SMALL_SHARE, 0.30)
WHOLE = (1.0,)


@dataclass(frozen=True, slots=True)
class Damage:
    """One kind of damage.

    Attributes:
        incident: its number in docs/incidents.md, or "".
        enters: `scrape` (its files), `plan` (what a program makes of them), `live` (before the run).
        sizes: rows as a number, or a share of the rows that it may hit.
        apply: does it; takes the scene and a size, answers how many rows it hit.
        is_life: one row, and one in a hundred, may as well be true: the report has to tell it as a change.
    """

    name: str
    incident: str
    enters: str
    sizes: tuple[float, ...]
    apply: Callable[[Any, float], int] = field(repr=False)
    is_life: bool = False


def size_in_words(size: float) -> str:
    """`1 row`, `30 %`, `all`."""
    if size == 1 and isinstance(size, int):
        return "1 row"
    return "all" if size == 1.0 else f"{size:.0%}".replace("%", " %")


def how_many(size: float, rows: int) -> int:
    """Rows to hit: a number as it is, a share at least one row."""
    return min(rows, size) if isinstance(size, int) else min(rows, max(1, round(size * rows)))


@dataclass(slots=True)
class Files:
    """A scrape of one league that is damaged: file kind -> records; what is None is not written."""

    kinds: dict[str, Records | None]
    before: dict[str, Records]
    dice: random.Random
    texts: dict[str, str] = field(default_factory=dict)  # kind -> text written instead of records

    def some(self, kind: str, size: float, which: Callable[[dict], bool] = lambda record: True) -> Records:
        """Records of a kind to hit, drawn from those that it may."""
        found = [record for record in self.kinds.get(kind) or [] if which(record)]
        return self.dice.sample(found, how_many(size, len(found)))

    def drop(self, kind: str, lost: Records) -> int:
        """Take records out of a file."""
        gone = {id(record) for record in lost}
        self.kinds[kind] = [record for record in self.kinds[kind] or [] if id(record) not in gone]
        return len(lost)

    def add(self, kind: str, records: Records) -> int:
        """Put records at the end of a file."""
        self.kinds[kind] = [*(self.kinds[kind] or []), *records]
        return len(records)


def all_damages() -> Iterator[Damage]:
    """Every damage, in order of where they enter."""
    from rally_etl.bench.mutations import files, live, matches, plans

    for module in (matches, files, plans, live):
        yield from module.DAMAGES
