"""Which live team a team of a scrape is: by its name, an alias or its players; what is not certain is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rally_etl.identity.reviews import Candidate
from rally_etl.identity.spelling import TeamKey
from rally_etl.identity.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Incoming:
    """A team that the scrape's rosters or standings name; ``people``: person keys of its players, empty if not scraped."""

    key: TeamKey
    name: str
    people: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """A live team; ``key`` None: the league's grammar does not read its name. ``people``: its active players."""

    id: int
    key: TeamKey | None
    name: str
    is_active: bool
    people: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Match:
    """What one incoming team is.

    Attributes:
        id: the live team; None for a new one and for one that waits.
        strategy: ``exact``, ``alias``, ``roster``, ``new`` or ``waits``.
        confidence: 0 to 1 in ``id``, or in there being none.
        evidence: a phrase for a person.
        kind: of the question to ask (``reviews.Review.kind``), "" for none; a new team may have one too.
        candidates: what to ask about, the likeliest first.
    """

    id: int | None
    strategy: str
    confidence: float
    evidence: str
    kind: str = ""
    candidates: tuple[Candidate, ...] = ()


def match_teams(
    incoming: Sequence[Incoming],
    known: Sequence[Known],
    thresholds: Thresholds,
    *,
    aliases: Mapping[TeamKey, int] | None = None,
    rejected: Iterable[tuple[TeamKey, int]] = (),
) -> dict[TeamKey, Match]:
    """Match every incoming team; one entry per key."""
    aliases, _refused = aliases or {}, frozenset(rejected)
    by_key: dict[TeamKey, Known] = {}
    for team in sorted(known, key=lambda each: (not each.is_active, each.id)):
        if team.key is not None:
            by_key.setdefault(team.key, team)
    found = {}
    for team in incoming:
        if live := by_key.get(team.key):
            found[team.key] = Match(live.id, "exact", 1.0, "the same name")
        elif team.key in aliases:
            found[team.key] = Match(aliases[team.key], "alias", 1.0, "a recorded alias")
        else:
            found[team.key] = Match(None, "new", 1.0, "no live team has this name")
    return found
