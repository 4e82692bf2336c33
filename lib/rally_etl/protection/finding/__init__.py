"""Finding orphans: what is wrong with the references and rows of users, and with those of imports, in live as it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import sqlalchemy as sa

from rally_etl.errors import UsageError
from rally_etl.protection.finding.ground import Ground
from rally_etl.protection.finding.pointing import find_dangling, find_emptied
from rally_etl.protection.orphans import KINDS, Orphan
from rally_etl.settings import Settings

__all__ = ["find_orphans"]

Finder = Callable[[Ground], Iterator[Orphan]]

_FINDERS: dict[str, Finder] = {
    "dangling": lambda ground: find_dangling(ground, (*ground.references, *ground.imported)),
    "emptied": find_emptied,
}


def find_orphans(
    connection: sa.Connection,
    settings: Settings,
    *,
    kinds: Collection[str] | None = None,
    leagues: Collection[str] | None = None,
) -> list[Orphan]:
    """Look for orphans in live; nothing is written, whatever tables and columns the database lacks.

    Args:
        kinds: those of `KINDS` to look for; None for all.
        leagues: keys; only orphans of these leagues and those whose league is not known. None for all.

    Returns:
        one per row and column (`KINDS` says where it is per pair or thing), by kind, table, column and row.

    Raises:
        UsageError: a kind that there is not, or params that cannot be read.
    """
    if unknown := sorted(set(kinds or ()) - KINDS.keys()):
        raise UsageError(
            f"{unknown[0]} is no kind of orphan; nothing was looked for\nhint: the kinds are {', '.join(KINDS)}"
        )
    ground = Ground.read(connection, settings)
    found = [orphan for kind in _FINDERS if kinds is None or kind in kinds for orphan in _FINDERS[kind](ground)]
    if leagues is not None:
        found = [each for each in found if each.league in leagues or each.league == "*"]
    return sorted(found, key=_place)


def _place(orphan: Orphan) -> tuple[int, str, str, int, str]:
    number = int(orphan.row) if orphan.row.isascii() and orphan.row.isdigit() else 0
    return list(KINDS).index(orphan.kind), orphan.table, orphan.column, number, orphan.row
