"""How a league counts its standings: what a line is worth, what decides a team match, when the season is."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Worth = Annotated[float, Field(ge=0, le=100)]


class SeasonDays(BaseModel):
    """First and last day on which matches count, as month and day: ``08-01``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    begins: str
    ends: str

    @field_validator("begins", "ends")
    @classmethod
    def _is_a_day(cls, text: str) -> str:
        found = re.fullmatch(r"(\d\d)-(\d\d)", text)
        if not found or not (1 <= int(found[1]) <= 12 and 1 <= int(found[2]) <= 28 + 3 * (int(found[1]) != 2)):
            raise ValueError("is no month and day such as 08-01")
        return text


class Points(BaseModel):
    """Points of one line: what its winner gets, and what its loser gets for what was won or nearly won."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    line_won: Worth
    line_lost_in_three_sets: Worth = 0
    set_won_in_lost_line: Worth = 0
    tie_break_lost_in_lost_line: Worth = 0


class Counting(BaseModel):
    """The rule of one league.

    Attributes:
        decided_by: ``lines``: more lines, then more sets, then more games; ``points``: more points. Else it is a tie.
        always_prints_points: 0 points of all teams are a loss, not points that the site did not print.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    season: SeasonDays
    points: Points
    decided_by: Literal["lines", "points"]
    always_prints_points: bool = True
