"""Why a record is kept aside: the reasons, their classes, and which of several is the most telling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rally_etl.naming.text import clean

# Reason -> class, the most telling first: a record with several faults gets the first of its reasons.
REASONS: dict[str, str] = {
    "not_an_object": "fault",
    "empty_fields": "fault",
    "menu_row": "junk",
    "practice_row": "junk",
    "bye": "junk",
    "placeholder": "junk",
    "shifted_row": "fault",
    "foreign_league": "fault",
    "not_readable": "fault",
    "missing_field": "fault",
    "bad_id": "fault",
    "bad_date": "fault",
    "bad_number": "fault",
    "bad_score": "fault",
    "bad_winner": "fault",
    "team_name_not_understood": "fault",
    "text_too_long": "fault",
    "against_itself": "junk",
    "duplicate_record": "duplicate",
}
RANK = {reason: rank for rank, reason in enumerate(REASONS)}
SHOWN = 200  # characters of a faulty value that are kept beside its problem


class Doubt(ValueError):
    """One value that cannot be staged, with the reason and what is wrong with it."""

    def __init__(self, reason: str, problem: str) -> None:
        """*reason* is a key of REASONS."""
        super().__init__(problem)
        self.reason = reason
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a record: the field as printed, its value as text, and the problem."""

    field: str
    value: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that is kept aside: its most telling reason and every fault it has."""

    reason: str
    faults: tuple[Fault, ...]


@dataclass(slots=True)
class Findings:
    """Collects the faults of one record while its fields are read."""

    reasons: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def add(self, reason: str, name: str, value: Any, problem: str) -> None:
        """Note that field *name* holds *value* and what is wrong with it."""
        self.reasons.append(reason)
        self.faults.append(Fault(name, None if value is None else clean(str(value))[:SHOWN], problem))

    def take(self, name: str, value: Any, read: Callable[[Any], Any]) -> Any:
        """What *read* makes of *value*; None, with the fault noted, when it cannot be read."""
        try:
            return read(value)
        except Doubt as doubt:
            self.add(doubt.reason, name, value, doubt.problem)
            return None

    def require(self, name: str, value: Any) -> None:
        """Note that field *name* is missing when it is empty, unless something else is wrong with it already."""
        if value in (None, "") and all(fault.field != name for fault in self.faults):
            self.add("missing_field", name, value, "is empty or missing")

    def quarantined(self) -> Quarantined | None:
        """The record kept aside under its most telling reason; None when nothing is wrong with it."""
        if not self.reasons:
            return None
        return Quarantined(min(self.reasons, key=RANK.__getitem__), tuple(self.faults))
