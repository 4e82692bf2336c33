"""The review queue: questions about identity that only a person can answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something live that a name may stand for. ``id``: of the live row; for players the person key.

    ``confidence``: 0 to 1; ``evidence``: a phrase that a captain understands, such as "11 of 12 players are the same".
    """

    id: int | str
    name: str
    strategy: str
    confidence: float
    evidence: str


@dataclass(frozen=True, slots=True)
class Review:
    """One question: what does ``name`` stand for?

    Attributes:
        entity: team, club, series or player.
        kind: ``ambiguous`` (several fit), ``contradiction`` (name and roster disagree), ``moved`` (another series),
            ``renamed``, ``similar``, ``unknown`` (nothing fits), ``merge`` (two live rows are one thing: the rows are the
            candidates).
        spelling: what it is filed under (identity.spelling); for players the person key.
        is_held: whether rows wait for the answer (else the name was taken as a new thing for now).
    """

    entity: str
    kind: str
    spelling: str
    name: str
    series: str
    candidates: tuple[Candidate, ...]
    is_held: bool
