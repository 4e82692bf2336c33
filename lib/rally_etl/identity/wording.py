"""Reviews in words: what is asked, by whom it is meant, and the commands that answer."""

from __future__ import annotations

from collections.abc import Iterable

from rally_etl.identity.reviews import Candidate, Review
from rally_etl.measures import counted

PLURALS = {
    "team": "teams",
    "club": "clubs",
    "series": "series",
    "player": "players",
    "league": "leagues",
    "row": "rows",
}
"""Entity of a review -> the live table that holds it, which is its plural too."""

_ASKED = {
    "ambiguous": "Several {many} fit this name. Which one is it?",
    "contradiction": "Its name says one {one}, its players another. Which one is it?",
    "moved": "Is this the {one} below, in another series now?",
    "renamed": "Is this the {one} below, under a new name?",
    "similar": "Is this the {one} below, spelled in another way?",
    "unknown": "No {one} fits this name. Which one is it?",
    "merge": "Are these rows one {one}?",
    "orphan": "Which {one} do these rows belong to?",
    "doubled": "Which of these is right?",
}
_KINDS = {
    "ambiguous": "several fit",
    "contradiction": "name and players disagree",
    "moved": "another series",
    "renamed": "another name",
    "similar": "another spelling",
    "unknown": "nothing fits",
    "merge": "two rows, one thing",
    "orphan": "rows that lost what they belong to",
    "doubled": "several rows, one key",
}


def asked(review: Review) -> str:
    """The question as a person would put it."""
    if review.kind == "orphan" and review.entity == "row":
        return "What becomes of it?" if review.candidates else "Only its users can say what becomes of it."
    return _ASKED.get(review.kind, "Which {one} is it?").format(one=review.entity, many=PLURALS[review.entity])


def kind_in_words(kind: str) -> str:
    """What questions of a kind have in common."""
    return _KINDS.get(kind, kind)


def subject(review: Review) -> str:
    """What is asked about: entity, name as printed, and the series beside it."""
    return f"{review.entity} {review.name}" + (f" ({review.series})" if review.series else "")


def consequence(review: Review, held_rows: int) -> str:
    """What happens until there is an answer."""
    if not review.is_held:
        return "two live rows until it is answered" if review.kind == "merge" else "taken as new until it is answered"
    return f"{counted(held_rows, 'row')} {'waits' if held_rows == 1 else 'wait'}"


def percent(confidence: float) -> str:
    """A confidence of 0 to 1 as people read it; only certainty is 100 %."""
    return f"{min(round(100 * confidence), 99) if confidence < 1 else 100} %"


def candidate_in_words(found: Candidate) -> str:
    """One candidate in one line: id, name, how it was found and how likely it is, and the evidence."""
    told = f"{found.id} {found.name}: {found.strategy} {percent(found.confidence)}"
    return f"{told}, {found.evidence}" if found.evidence else told


def candidates_in_words(candidates: Iterable[Candidate]) -> str:
    """Candidates in one line: id, name and how likely each is."""
    return ", ".join(f"{found.id} {found.name} ({percent(found.confidence)})" for found in candidates) or "none"


def commands(number: int | str, review: Review) -> list[str]:
    """The commands that answer a question, ready to be copied but for who and why."""
    tail = "--by WHO --reason TEXT"
    if review.kind == "orphan" and review.entity == "row" and not review.candidates:
        accepting = []
    elif review.kind == "merge":
        into, *others = sorted(review.candidates, key=lambda found: str(found.id).zfill(12))
        accepting = merge_commands(review.entity, [found.id for found in others], into.id, tail)
        if review.entity == "player":  # persons, not rows: accepting tells which rows
            accepting = [f"rally-etl reviews accept {number} {tail}"]
    else:
        named = "" if len(review.candidates) == 1 else " --as ID"
        accepting = [f"rally-etl reviews accept {number}{named} {tail}"]
    return [*accepting, f"rally-etl reviews reject {number} {tail}"]


def merge_commands(entity: str, ids: Iterable[int | str], into: int | str, tail: str) -> list[str]:
    """The commands that make live rows one."""
    return [f"rally-etl merge {PLURALS[entity]} {row} INTO {into} {tail}" for row in ids]
