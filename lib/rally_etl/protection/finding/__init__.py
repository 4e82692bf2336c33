"""Finding orphans: what is wrong with the references and rows of users, and with those of imports, in live as it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from rally_etl.errors import UsageError
from rally_etl.protection.finding import gone
from rally_etl.protection.finding.doubled import find_doubled
from rally_etl.protection.finding.ground import Ground
from rally_etl.protection.finding.imported import find_mislinked, find_unknown_people, find_unlinked
from rally_etl.protection.finding.moved import find_moved
from rally_etl.protection.finding.pointing import find_dangling, find_emptied, find_merged
from rally_etl.protection.finding.teams import find_unpaired, find_unspoken
from rally_etl.protection.orphans import KINDS, Orphan
from rally_etl.settings import Settings

__all__ = ["count_gone", "find_orphans", "find_orphans_of_users"]

Finder = Callable[[Ground], Iterator[Orphan]]


def _find_dangling(ground: Ground) -> Iterator[Orphan]:
    """Rows of users and of imports; of the persons of match lines, one finding each."""
    by_row = [each for each in ground.imported if each.target_column == "id"]
    yield from find_dangling(ground, (*ground.references, *by_row))
    yield from find_unknown_people(ground)


_FINDERS: dict[str, Finder] = {
    "dangling": _find_dangling,
    "merged": find_merged,
    "emptied": find_emptied,
    "moved": find_moved,
    "gone": gone.find_gone,
    "unlinked": find_unlinked,
    "mislinked": find_mislinked,
    "unpaired": find_unpaired,
    "unspoken": find_unspoken,
    "doubled": find_doubled,
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
    with _room(connection):
        ground = Ground.read(connection, settings)
        found = [orphan for kind in _FINDERS if kinds is None or kind in kinds for orphan in _FINDERS[kind](ground)]
    if leagues is not None:
        found = [each for each in found if each.league in leagues or each.league == "*"]
    return sorted(found, key=_place)


def find_orphans_of_users(connection: sa.Connection, settings: Settings) -> list[Orphan]:
    """Those orphans that are rows of users: they point at nothing or at another thing, are emptied, or are gone.

    Unlike `find_orphans` it does not read what imported rows say of one another, and does not cost like them.

    Raises:
        UsageError: params that cannot be read.
    """
    with _room(connection):
        ground = Ground.read(connection, settings)
        found = [
            *find_dangling(ground, ground.references), *find_emptied(ground), *find_moved(ground),
            *gone.find_gone(ground),
        ]  # fmt: skip
    return sorted(found, key=_place)


@contextmanager
def _room(connection: sa.Connection) -> Iterator[None]:
    """Within it, joins with all rows of users happen in memory, and no statement waits for a compiler."""
    wanted = {"work_mem": "128MB", "jit": "off"}
    setting = sa.text("select set_config(:name, :value, true)")
    before = {name: connection.scalar(sa.text("select current_setting(:name)"), {"name": name}) for name in wanted}
    for name, value in wanted.items():
        connection.execute(setting, {"name": name, "value": value})
    yield
    for name, value in before.items():
        connection.execute(setting, {"name": name, "value": value})


def count_gone(connection: sa.Connection, settings: Settings) -> dict[str, int]:
    """Table -> rows of users that memory has and live has not and that are no orphans: users may have deleted them.

    Raises:
        UsageError: params that cannot be read.
    """
    return gone.count_gone(Ground.read(connection, settings))


def _place(orphan: Orphan) -> tuple[int, str, str, int, str]:
    number = int(orphan.row) if orphan.row.isascii() and orphan.row.isdigit() else 0
    return list(KINDS).index(orphan.kind), orphan.table, orphan.column, number, orphan.row
