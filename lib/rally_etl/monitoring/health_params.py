"""`params/health.yaml`: what a dimension of the health score counts, and where a score ends whatever else is well."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rally_etl.checks.files import DIMENSIONS
from rally_etl.params import read_model

Points = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Days = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]
Step = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Kind = Literal["check", "agreement", "orphans", "asked", "constraint", "doubt", "table", "rows", "freshness", "memory"]
State = Literal["wrong", "unknown", "gone"]


class Strict(BaseModel):
    """A part of the file; a key that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Cap(Strict):
    """A class of findings, and the highest score that a league with one of them can have.

    Attributes:
        kinds, severities, dimensions, checks, states: which findings; an empty tuple stands for all.
        in_season: only while the league is in season.
        steps: share of the rows that is exceeded -> the highest score.
    """

    kinds: tuple[Kind, ...] = ("check", "agreement")
    severities: tuple[Literal["error", "warn"], ...] = ()
    dimensions: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    states: tuple[State, ...] = ("wrong",)
    in_season: bool = False
    steps: Annotated[dict[Step, Points], Field(min_length=1)]
    why: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _falls(self) -> Cap:
        scores = [self.steps[share] for share in sorted(self.steps)]
        if scores != sorted(scores, reverse=True):
            raise ValueError("a larger share must not have a higher score")
        return self

    def score(self, share: float) -> float | None:
        """The highest score with this share of the rows, None below the first step."""
        passed = [cap for step, cap in self.steps.items() if share > step]
        return min(passed) if passed else None


class ZeroAt(Strict):
    """Share of a table's rows from which a failing check leaves nothing, by severity."""

    error: Share
    warn: Share


class LagDays(Strict):
    """Days by which matches may lie behind the schedule: all points up to `fresh`, none from `stale`."""

    fresh: Days
    stale: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Levels(Strict):
    """The least score of each word."""

    good: Points
    warning: Points


class HealthParams(Strict):
    """What `params/health.yaml` says."""

    weights: Annotated[dict[str, Weight], Field(min_length=1)]
    zero_at: ZeroAt
    skipped: Annotated[float, Field(ge=0, le=1)]
    lag_days: LagDays
    season_days: Days
    caps: dict[str, Cap]
    levels: Levels

    @model_validator(mode="after")
    def _fits(self) -> HealthParams:
        if not sum(self.weights.values()):
            raise ValueError("all weights are 0")
        named = [*self.weights, *(name for cap in self.caps.values() for name in cap.dimensions)]
        if unknown := sorted(set(named) - set(DIMENSIONS)):
            raise ValueError(f"`{unknown[0]}` is no dimension; there are {', '.join(DIMENSIONS)}")
        if self.lag_days.fresh >= self.lag_days.stale:
            raise ValueError("`fresh` is not below `stale`")
        if self.levels.warning > self.levels.good:
            raise ValueError("level `warning` is above `good`")
        return self


def read_health_params(path: Path) -> HealthParams:
    """Read the file.

    Raises:
        UsageError: it is missing, no YAML, or lacks a number; the message names the key.
    """
    return read_model(path, HealthParams, undone="no score was made")


def level_of(params: HealthParams, score: float) -> str:
    """Word for a score: `good`, `warning` or `critical`."""
    return "good" if score >= params.levels.good else "warning" if score >= params.levels.warning else "critical"
