"""Repairs of whole rows: those that are gone, missing pairs, teams that nothing speaks of, and what is double."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rally_etl.identity.reviews import Candidate
from rally_etl.protection.mending import gone_rows
from rally_etl.protection.mending.questions import spelling_of
from rally_etl.protection.mending.repair import ASKED, LEFT, PLANNED, Repair
from rally_etl.protection.orphans import WHOLE

if TYPE_CHECKING:
    import sqlalchemy as sa

    from rally_etl.protection.mending.cases import Case
    from rally_etl.protection.mending.questions import Answers
    from rally_etl.protection.mending.things import Things
    from rally_etl.protection.mending.trust import Trust
    from rally_etl.settings import Settings

OfReference = Callable[["Case", "Things", "Trust", "Answers"], Repair]
OFF = "switch it off"


def propose(
    connection: sa.Connection,
    settings: Settings,
    cases: Sequence[Case],
    things: Things,
    trust: Trust,
    answers: Answers,
    of_reference: OfReference,
) -> dict[int, Repair]:
    """Place of a case that is about a whole row -> what becomes of it.

    Args:
        of_reference: says what becomes of one reference; rows that come back ask it about theirs.
    """
    silent = {case.orphan.row for case in cases if case.orphan.kind == "unspoken" and not case.orphan.column}
    doubtful = {case.orphan.row for case in cases if case.orphan.kind == "unspoken"}
    found: dict[int, Repair] = {}
    gone: dict[int, Case] = {}
    for place, case in enumerate(cases):
        orphan = case.orphan
        if orphan.kind not in WHOLE:
            continue
        repair = _asked(case)
        if orphan.kind == "unpaired":
            repair = _pair(repair, trust, things, doubtful)
        elif orphan.kind == "unspoken":
            repair = _silent(repair, trust, silent)
        elif orphan.kind == "gone":
            gone[place] = case
        found[place] = repair
    images = gone_rows.propose(connection, settings, list(gone.values()), things, trust, answers, of_reference)
    found |= dict(zip(gone, images, strict=True))
    return {place: _as_answered(repair, answers, trust) for place, repair in found.items()}


def _asked(case: Case) -> Repair:
    orphan = case.orphan
    return Repair(
        orphan=orphan, action="none", becomes=None, strategy="", confidence=0.0, evidence=orphan.told, name=orphan.name,
        spelling=spelling_of(orphan), league=orphan.league,
    )  # fmt: skip


def _pair(repair: Repair, trust: Trust, things: Things, doubtful: set[str]) -> Repair:
    """The missing pair, under an id that the plan takes from the sequence; not for teams doubtful themselves."""
    one, league = repair.orphan.row.split(", ")
    column = {"clubs": "club_id", "series": "series_id"}[repair.orphan.target]
    if not any(
        team.is_active and (str(getattr(team, column)), str(team.league_id)) == (one, league)
        and str(team.id) not in doubtful
        for team in things.by_id["teams"].values()
    ):  # fmt: skip
        return replace(repair, state=LEFT, evidence=f"{repair.evidence}; but these are doubtful themselves")
    image: Mapping[str, Any] = {column: int(one), "league_id": int(league)}
    return _sure(replace(repair, action="insert", image=image), "pair", trust)


def _silent(repair: Repair, trust: Trust, silent: set[str]) -> Repair:
    """A team that nothing refers to is switched off; one of which something speaks in the wrong league is asked."""
    confidence = trust.strategies["silence"]
    if repair.orphan.row in silent:
        return _sure(replace(repair, action="deactivate"), "silence", trust)
    off = Candidate(repair.orphan.row, OFF, "silence", confidence / 2, "only if it is no team at all")
    return replace(repair, candidates=(off,))


def _sure(repair: Repair, strategy: str, trust: Trust) -> Repair:
    confidence = trust.strategies[strategy]
    repair = replace(repair, strategy=strategy, confidence=confidence, state=PLANNED)
    return repair if confidence >= trust.taken else repair.asked(repair.evidence)


def _as_answered(repair: Repair, answers: Answers, trust: Trust) -> Repair:
    """What a person has said about the row: leave it, or do it."""
    answer = answers.get(repair.spelling)
    if answer is None or repair.entity != "row":
        return repair
    if answer.state == "rejected":
        left = repair.asked(answer.told)
        return replace(left, strategy="answer", confidence=trust.strategies["answer"], state=LEFT)
    if repair.state == ASKED and repair.orphan.kind == "unspoken":
        return replace(
            repair, action="deactivate", strategy="answer", confidence=trust.strategies["answer"], state=PLANNED,
            evidence=answer.told,
        )  # fmt: skip
    return repair
