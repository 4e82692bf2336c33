"""What becomes of each orphan: mended where it is known what it was, asked where it is not, and never guessed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from rally_etl.identity.aliases import EVERYWHERE
from rally_etl.identity.reviews import Candidate
from rally_etl.protection.mending import apart, questions, whole_rows
from rally_etl.protection.mending.cases import Case, read_cases
from rally_etl.protection.mending.repair import ASKED, LEFT, PLANNED, Repair
from rally_etl.protection.mending.strategies import CIRCUMSTANTIAL, Lead, leads_of
from rally_etl.protection.mending.things import ENTITIES, Thing, Things
from rally_etl.protection.mending.trust import Trust, load_trust

if TYPE_CHECKING:
    import sqlalchemy as sa

    from rally_etl.protection.orphans import Orphan
    from rally_etl.settings import Settings

SHOWN_CANDIDATES = 8


def propose(connection: sa.Connection, settings: Settings, orphans: Collection[Orphan]) -> list[Repair]:
    """Say what becomes of each orphan, in their order; nothing is written.

    Strategies that lead to the same thing add nothing to the surest of them, one that leads elsewhere takes from it.
    Two things that were different never become one by this (`apart.doubtful`).

    Raises:
        UsageError: a params file cannot be read.
    """
    trust = load_trust(settings.params_dir)
    things = Things(connection, settings)
    cases = read_cases(connection, settings, trust, things, orphans)
    answers = questions.read_answers(connection)
    whole = whole_rows.propose(connection, settings, cases, things, trust, answers, of_reference)
    repairs = [whole.get(place) or of_reference(case, things, trust, answers) for place, case in enumerate(cases)]
    for place, why in apart.doubtful(repairs, cases, things).items():
        repairs[place] = repairs[place].asked(f"{repairs[place].evidence}; but {why}")
    return repairs


def of_reference(case: Case, things: Things, trust: Trust, answers: questions.Answers) -> Repair:
    """What becomes of one reference."""
    orphan = case.orphan
    spelling = questions.spelling_of(orphan, case.name)
    known = {"name": case.name, "spelling": spelling, "entity": ENTITIES[orphan.target], "league": case.league}
    leads = leads_of(case, things, trust)
    if answer := answers.get(spelling):
        if answer.state == "rejected":
            return Repair(
                orphan=orphan, action="none", becomes=None, strategy="answer", confidence=1.0, evidence=answer.told,
                state=LEFT, **known,
            )  # fmt: skip
        if thing := _answered(answer, case, things):
            leads = [Lead("answer", thing, trust.strategies["answer"], answer.told)]
    candidates = _candidates(leads, case)
    if not leads:
        return Repair(
            orphan=orphan, action="none", becomes=None, strategy="", confidence=0.0, evidence=_nothing(case),
            **known,
        )  # fmt: skip
    best = case.best = leads[0]
    confidence, doubts = _weighed(best, leads, case, things, trust)
    known["league"] = best.thing.league if case.league == EVERYWHERE else case.league
    repair = Repair(
        orphan=orphan, action="update", becomes=best.thing.key(case.target_column), strategy=best.strategy,
        confidence=confidence, evidence="; but ".join([best.evidence, *doubts]), candidates=candidates, state=PLANNED,
        follows=_follows(case, best.thing), **known,
    )  # fmt: skip
    if repair.becomes == orphan.was:
        known_right = best.is_one and confidence >= trust.taken
        return replace(repair.asked(f"{repair.evidence}, and it points there"), state=LEFT if known_right else ASKED)
    if confidence < trust.taken or not best.is_one:
        return repair.asked(repair.evidence)
    return repair


def _answered(answer: questions.Given, case: Case, things: Things) -> Thing | None:
    """The live thing that a person named; None when it has gone since, so that it is asked again."""
    thing = things.at(case.orphan.target, case.target_column, answer.target)
    if thing is None and case.orphan.target == "players":
        things.read_people([], [answer.target], [int(answer.target)] if answer.target.isdigit() else [])
        thing = things.at(case.orphan.target, case.target_column, answer.target)
    return thing


def _weighed(best: Lead, leads: Iterable[Lead], case: Case, things: Things, trust: Trust) -> tuple[float, list[str]]:
    """How sure the best lead is when the others are heard, and what they say against it."""
    confidence, doubts = best.confidence, []
    against: dict[str, Lead] = {}
    fits = {(lead.strategy, lead.thing.id) for lead in leads}
    for lead in leads:
        if lead.thing.id != best.thing.id and (lead.strategy, best.thing.id) not in fits:
            against.setdefault(lead.strategy, lead)
    if against:
        worst = max(against.values(), key=lambda lead: trust.strategies[lead.strategy])
        confidence -= trust.disagreement * trust.strategies[worst.strategy]
        doubts += [lead.evidence for lead in against.values()]
    if best.strategy in CIRCUMSTANTIAL and _is_known_otherwise(best.thing, case, things):
        confidence = min(confidence, trust.contradicted)
        doubts.append(next(each.told for each in case.sightings if each.source in ("history", "memory")))
    if case.orphan.league not in (EVERYWHERE, best.thing.league) and best.thing.league != EVERYWHERE:
        confidence = min(confidence, trust.contradicted)
        doubts.append(f"the row is of {case.orphan.league}")
    return round(max(confidence, 0.0), 4), doubts


def _is_known_otherwise(thing: Thing, case: Case, things: Things) -> bool:
    """Whether what was lost is known by name, and this thing has another one."""
    seen = [each for each in case.sightings if each.source in ("history", "memory")]
    return bool(seen) and not any(
        things.is_one_name(thing.table, thing.league, thing.name, each.name)
        and each.league in (thing.league, EVERYWHERE)
        for each in seen
    )


def _candidates(leads: Iterable[Lead], case: Case) -> tuple[Candidate, ...]:
    found: dict[int, Candidate] = {}
    for lead in leads:
        key = lead.thing.key(case.target_column)
        candidate = Candidate(
            lead.thing.id if case.target_column == "id" else key, _shown(lead.thing), lead.strategy,
            round(lead.confidence, 4), lead.evidence,
        )  # fmt: skip
        found.setdefault(lead.thing.id, candidate)
    return tuple(found.values())[:SHOWN_CANDIDATES]


def _shown(thing: Thing) -> str:
    return f"{thing.name} ({thing.team})" if thing.team else thing.name


def _nothing(case: Case) -> str:
    seen = "; ".join(each.told for each in case.sightings)
    if seen:
        return f"{seen}, and nothing live has that name"
    return f"{case.orphan.told or 'it points at nothing'}; nothing is known of it"


_FOLLOWS = {("schedule", "home_team_id"): ("league_id", "league_id")}
"""Column -> another one of its row that says the same of its team, and which column of the team that is."""


def _follows(case: Case, thing: Thing) -> dict[str, tuple[str | None, str]]:
    column, of_team = _FOLLOWS.get((case.orphan.table, case.orphan.column), ("", ""))
    value = getattr(thing, of_team, None) if of_team else None
    if value is None or case.row.get("away_team") or column in case.others:
        return {}
    was = case.row.get(column)
    return {} if was == value else {column: (None if was is None else str(was), str(value))}
