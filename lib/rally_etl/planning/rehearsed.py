"""What the rehearsal of the undo is as evidence: measures per league, and the sentence that reports show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rally_etl.measures import Measures, counted, measure
from rally_etl.planning.rehearsal import Rehearsal, rehearse_undo

if TYPE_CHECKING:
    import sqlalchemy as sa

    from rally_etl.settings import Settings


def undo_measures(engine: sa.Engine, settings: Settings, run_id: str) -> Measures:
    """Rehearse the undo of a run; its measures belong to the stage integration.

    ``undo_rehearsed_share`` of the planned rows were written and taken back, ``undo_differs`` of them would not come
    back as they were. ``plan_refused``, ``undo_unrehearsed`` and ``undo_off`` are 1 where the plan cannot be written,
    where a rehearsal was due and there was none, and where none was due.
    """
    found = {}
    for one in rehearse_undo(engine, settings, run_id):
        found |= dict.fromkeys(one.leagues, _measures(one))
    return found


def _measures(one: Rehearsal) -> dict[str, dict]:
    return {
        "undo_rehearsed_share": measure(one.share, [sentence(one)]),
        "undo_differs": measure(one.differs, one.named),
        "plan_refused": _yes(one.refused),
        "undo_unrehearsed": _yes(one.missing),
        "undo_off": _yes(one.off),
    }


def _yes(why: str) -> dict:
    return measure(int(bool(why)), [why] if why else [])


def sentence(one: Rehearsal) -> str:
    """`the undo was rehearsed: 1,234 rows written and taken back, 0 differ, 0.8 s`; or why it was not."""
    if why := one.off or one.missing:
        return f"the undo was not rehearsed: {why}"
    if one.refused:
        return f"the undo was not rehearsed, for the plan cannot be written: {one.refused}"
    if not one.planned:
        return "nothing is planned, so there is nothing to take back"
    sample = f" of {one.planned:,} planned" if one.rows < one.planned else ""
    differ = f"{one.differs:,} {'differs' if one.differs == 1 else 'differ'}"
    rows = f"{counted(one.rows, 'row')}{sample} written and taken back"
    return f"the undo was rehearsed: {rows}, {differ}, {one.seconds:.1f} s"
