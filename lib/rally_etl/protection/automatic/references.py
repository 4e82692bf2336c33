"""Lost references and rows as automatic repairs see them: which problem each is, and which of them a run mends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rally_etl.protection.automatic.taken_back import is_bound, row_key, taken_back
from rally_etl.protection.mending.repair import PLANNED, Repair
from rally_etl.protection.mending.strategies import CIRCUMSTANTIAL

if TYPE_CHECKING:
    import sqlalchemy as sa

_OF_KIND = {
    "gone": "rows_gone", "unpaired": "pairs_missing", "unspoken": "teams_unspoken", "unlinked": "links_missing",
    "mislinked": "links_wrong",
}  # fmt: skip


def problem_of(repair: Repair) -> str | None:
    """The known problem that a repair is of; None of one that is asked about or left.

    Redirected is only what points at nothing, or at the merged row itself: another value since was a decision too.
    """
    if repair.state != PLANNED:
        return None
    if repair.strategy == "answer":
        return "questions_answered"
    if of_kind := _OF_KIND.get(repair.orphan.kind):
        return of_kind
    if repair.strategy == "redirect" and repair.orphan.kind in ("dangling", "merged"):
        return "references_redirected"
    return "references_supposed" if repair.strategy in CIRCUMSTANTIAL else "references_known"


def key_of(repair: Repair) -> str:
    """How it is called at every look."""
    return row_key(repair.orphan.table, repair.orphan.row, repair.orphan.column)


def due_of(
    connection: sa.Connection, operation: Mapping[str, Any], repairs: Iterable[Repair]
) -> tuple[list[Repair], list[Repair]]:
    """What a run plans, and the rest: all of it by hand, of an automatic repair its problem in its leagues."""
    repairs = list(repairs)
    if "problem" not in operation:
        return repairs, []
    taken = taken_back(connection) if is_bound(operation) else {}
    due = [
        problem_of(each) == operation["problem"] and each.league in operation["leagues"] and key_of(each) not in taken
        for each in repairs
    ]
    rest = [each for each, is_due in zip(repairs, due, strict=True) if not is_due]
    return [each for each, is_due in zip(repairs, due, strict=True) if is_due], rest
