"""Orphans: references that point nowhere, or at another thing than before, and rows that lost what they are about."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = {
    "dangling": "points at nothing",
    "merged": "points at a row that was merged into another one",
    "emptied": "is empty and was not, or must not be",
    "moved": "points at another thing than before",
    "gone": "a user's row that was there and is not",
    "unlinked": "an imported row without the id of the team that it names",
    "mislinked": "an imported row whose team id is another team than the one it names",
    "unpaired": "a pair of league and club or series that teams have and the junction table has not",
    "unspoken": "an active team that nothing speaks of, or of another league than its series",
    "doubled": "rows that are one thing, or a player with several accounts",
}
"""What can be wrong with a row; `etl.repairs.kind`."""


WHOLE = ("gone", "unpaired", "unspoken", "doubled")
"""Kinds that are about a row as a whole, whatever column tells of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """One column of one row that is wrong (or a whole row, then `column` is "").

    Attributes:
        kind: one of `KINDS`.
        row: its key as text, ``concat_ws(', ', <key columns>)``; of `unpaired` the two ids of the pair.
        target: imported table that the column should point at, "" for whole rows.
        was: what the column says now, None for NULL; of `doubled` the number of rows, of which `row` is the first.
        had: what it said when it was last right, as far as that is known (``etl.user_rows``); None if unknown.
        name: the name of what it stood for, as far as that is known, else "".
        series, club: of what it stood for, as far as they are known, else "".
        league: key; "*" where none is known.
        told: one sentence for an operator.
    """

    kind: str
    table: str
    row: str
    column: str
    target: str
    was: str | None
    had: str | None = None
    name: str = ""
    series: str = ""
    club: str = ""
    league: str = "*"
    told: str = ""
