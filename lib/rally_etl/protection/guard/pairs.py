"""One table before and after somebody else's importer: which id became which, and what is left on either side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

KEPT = "kept"
"""The strategy of a pair whose id is the same before and after."""

Rows = dict[int, dict[str, Any]]
Keys = Mapping[int, Hashable | None]


@dataclass(slots=True)
class Pairs:
    """One table: which id became which, one to one; each pair by the first rule that found it.

    Attributes:
        ids: id before -> id after.
        how: id before -> `KEPT`, or by what it was found: ``name``, ``key``, ``person``, ``roster``, ``teams``.
        unsure: id before -> ids after that it may be; nothing decides.
        dropped: id before -> name, of things that nothing after stands for.
        added: ids after that stand for nothing that was there before.
    """

    before: Rows
    after: Rows
    ids: dict[int, int] = field(default_factory=dict)
    how: dict[int, str] = field(default_factory=dict)
    unsure: dict[int, list[int]] = field(default_factory=dict)
    dropped: dict[int, str] = field(default_factory=dict)
    added: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)

    @property
    def preserved(self) -> int:
        """Ids that still stand for the same thing."""
        return sum(strategy == KEPT for strategy in self.how.values())

    def open_before(self) -> list[int]:
        return [row for row in self.before if row not in self.ids]

    def open_after(self) -> list[int]:
        return [row for row in self.after if row not in self.taken]

    def pair(self, old: int, new: int, strategy: str) -> None:
        """Note that two ids stand for one thing."""
        self.ids[old], self.how[old] = new, KEPT if old == new else strategy
        self.taken.add(new)

    def take(
        self, strategy: str, before: Keys, after: Keys, *, veto: Iterable[int] = (), is_doubt: bool = True
    ) -> None:
        """Pair rows of one key: those that kept their id, then the one that is left on each side.

        Args:
            veto: ids after that may keep what they stood for, and are nothing else by this rule.
            is_doubt: whether several rows of one key are unsure; else the key says nothing about them.
        """
        vetoed = set(veto)
        sides: defaultdict[Hashable, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for place, (rows, keys) in enumerate(((self.open_before(), before), (self.open_after(), after))):
            for row in rows:
                if keys.get(row) is not None:
                    sides[keys[row]][place].append(row)
        for old, new in sides.values():
            for row in set(old) & set(new):
                self.pair(row, row, strategy)
            old = [row for row in old if row not in self.ids]
            new = [row for row in new if row not in self.taken and row not in vetoed]
            if len(old) == len(new) == 1:
                self.pair(old[0], new[0], strategy)
            elif old and new and is_doubt:
                self.unsure |= {row: sorted({*self.unsure.get(row, ()), *new}) for row in old}

    def keep(self, is_same: Callable[[dict[str, Any], dict[str, Any]], bool]) -> None:
        """Pair an id with itself where both rows are the same thing in another spelling."""
        for row in set(self.open_before()) & set(self.open_after()):
            if is_same(self.before[row], self.after[row]):
                self.pair(row, row, KEPT)

    def close(self, names: Mapping[int, str]) -> None:
        """Say what is left: unsure where a row after that nothing has claimed may be it, else dropped or added.

        Args:
            names: id before -> name.
        """
        free = set(self.open_after())
        left = {row: [each for each in self.unsure.get(row, ()) if each in free] for row in self.open_before()}
        self.unsure = {row: others for row, others in left.items() if others}
        self.dropped = {row: names[row] for row, others in left.items() if not others}
        self.added = free - {each for others in self.unsure.values() for each in others}
