"""Repairs of whole rows: those that are gone, missing pairs, teams that nothing speaks of, and what is double."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rally_etl.protection.repair import LEFT, Repair

if TYPE_CHECKING:
    import sqlalchemy as sa

    from rally_etl.protection.cases import Case
    from rally_etl.protection.questions import Answers
    from rally_etl.protection.things import Things
    from rally_etl.protection.trust import Trust
    from rally_etl.settings import Settings


def propose(
    connection: sa.Connection,
    settings: Settings,
    cases: Sequence[Case],
    things: Things,
    trust: Trust,
    answers: Answers,
) -> dict[int, Repair]:
    """Place of a case that is about a whole row -> what becomes of it."""
    from rally_etl.protection.questions import spelling_of

    found = {}
    for place, case in enumerate(cases):
        orphan = case.orphan
        if orphan.column and orphan.target:
            continue
        spelling = spelling_of(orphan, orphan.name)
        answer = answers.get(spelling)
        is_left = answer is not None and answer.state == "rejected"
        found[place] = Repair(
            orphan=orphan, action="none", becomes=None, strategy="answer" if is_left else "", confidence=0.0,
            evidence=answer.told if is_left else orphan.told, name=orphan.name, spelling=spelling, league=orphan.league,
            **({"state": LEFT} if is_left else {}),
        )  # fmt: skip
    return found
