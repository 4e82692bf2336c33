"""One repair: what becomes of one orphan, how sure that is, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rally_etl.identity.aliases import EVERYWHERE
from rally_etl.identity.reviews import Candidate

if TYPE_CHECKING:
    from rally_etl.protection.orphans import Orphan

PLANNED, ASKED, LEFT = "planned", "asked", "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What is made of one orphan.

    Attributes:
        action: update, insert, deactivate, or none (asked and left).
        becomes: what the column will say, as text; of a row that comes back nothing.
        strategy: the one that was believed, "" where none led anywhere; `params/orphans.yaml` lists them.
        state: ``planned``, ``asked`` (stands in the review queue), ``left`` (a person has said so, it is right by now,
            or another repair settles it).
        name: what it stood for, as far as that is known.
        spelling, entity: what its question is filed under, and about; rows that one answer mends share it.
        follows: columns of the same row that go with it -> (what they say, what they will say).
        image: of a row that comes back.
    """

    orphan: Orphan
    action: str
    becomes: str | None
    strategy: str
    confidence: float
    evidence: str
    candidates: tuple[Candidate, ...] = ()
    state: str = ASKED
    name: str = ""
    spelling: str = ""
    entity: str = "row"
    league: str = EVERYWHERE
    follows: Mapping[str, tuple[str | None, str]] = field(default_factory=dict)
    image: Mapping[str, Any] | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is wrong any more, or not by itself: no person has to hear of it."""
        return self.state == LEFT and self.strategy != "answer"

    def asked(self, evidence: str) -> Repair:
        """The same as a question: what it would have become is its first candidate."""
        return replace(self, action="none", becomes=None, state=ASKED, evidence=evidence, follows={}, image=None)
