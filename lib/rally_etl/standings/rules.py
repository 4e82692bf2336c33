"""The rule by which a league's standings are recomputed, and from where on a difference is worth a word."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from rally_etl.naming import League
from rally_etl.params import read_model

GAMES_PER_LINE = 30
"""More than the games of one side in a line: what a line that nobody recorded may have come to."""

SLIP = 2
"""Games that a score corrected on one side only may differ by."""

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Usual(BaseModel):
    """What scrapes of two moments always show; the comments of the file say more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unexplained_teams: Count
    unexplained_share: Share
    missing_share: Share
    ahead_share: Share
    short_share: Share


class Computed(BaseModel):
    """When standings are computed in place of printed ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    below: Share
    teams: Count


class Limits(BaseModel):
    """`params/standings.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    usual: Usual
    computed: Computed


def load_limits(params_dir: Path) -> Limits:
    """Read the file.

    Raises:
        UsageError: it is missing, or a value is missing, unknown or out of range.
    """
    return read_model(params_dir / "standings.yaml", Limits)


def binds(league: League) -> dict[str, Any] | None:
    """What ``sql/recomputed.sql`` and ``sql/compared.sql`` ask of a league; None where its rule is not known."""
    rule = league.standings
    if rule is None or league.lines_per_team_match is None:
        return None
    points = rule.points
    return {
        "lines": league.lines_per_team_match,
        "begins": rule.season.begins,
        "ends": rule.season.ends,
        "prints_points": rule.always_prints_points,
        "by_points": rule.decided_by == "points",
        "line_won": points.line_won,
        "three_sets": points.line_lost_in_three_sets,
        "set_won": points.set_won_in_lost_line,
        "tie_break_lost": points.tie_break_lost_in_lost_line,
        # a loser wins one set at the most, and loses two
        "loser_most": points.line_lost_in_three_sets
        + points.set_won_in_lost_line
        + 2 * points.tie_break_lost_in_lost_line,
        "rounding": 0 if _whole(points.model_dump().values()) else 1,
        "games": GAMES_PER_LINE,
        "slip": SLIP,
    }


def _whole(worths: Any) -> bool:
    return all(float(worth).is_integer() for worth in worths)
