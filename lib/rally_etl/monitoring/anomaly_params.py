"""`params/anomalies.yaml`: which metrics are watched, and where the thresholds stand that they may head for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rally_etl.checks.agreement.declared import read_agreements
from rally_etl.errors import UsageError
from rally_etl.monitoring.metrics import KINDS
from rally_etl.params import read_mapping, read_model

Least = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Watched(BaseModel):
    """The least change of a metric that is worth a sentence: in its own unit, and as a share of what is expected."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least: Least = 0
    share: Least = 0

    def is_worth(self, value: float, expected: float) -> bool:
        """Is the difference large enough to be told, however sure it is?"""
        return abs(value - expected) >= max(self.least, self.share * abs(expected))


class Where(BaseModel):
    """Where the threshold of a metric stands: a rule of `gate.yaml`, or the bounds of `agreement.yaml`.

    Attributes:
        below_most: the rule holds a share; the threshold lies so far below the most of the season.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str = ""
    below_most: bool = False
    bounds: bool = False

    @model_validator(mode="after")
    def _one(self) -> Where:
        if bool(self.rule) == self.bounds:
            raise ValueError("it needs either `rule` or `bounds: true`")
        return self


class Forecasts(BaseModel):
    """What is predicted, and how many days ahead."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: Annotated[int, Field(ge=1)]
    thresholds: dict[str, Where] = {}


class Watching(BaseModel):
    """The file as a whole.

    Attributes:
        tolerance: how many times further than measured a value must stray before it is told.
        runs: good runs that say what is usual, at most.
        named: figures of one cause that are named.
        looks: metrics of `watched` that are judged at looks at live.
        always: good scrapes in a row in which a file was, before its absence is told.
        unwatched: league -> metrics that are not watched there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tolerance: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    runs: Annotated[int, Field(ge=1)]
    named: Annotated[int, Field(ge=1)]
    watched: dict[str, Watched]
    looks: list[str]
    always: Annotated[int, Field(ge=1)]
    unwatched: dict[str, list[str]] = {}
    forecasts: Forecasts

    def of(self, league: str) -> list[str]:
        """Metrics that are watched in a league."""
        return [name for name in self.watched if name not in self.unwatched.get(league, ())]

    def read(self, league: str) -> list[str]:
        """Metrics of a league that are watched, or have a threshold."""
        return [*self.of(league), *(name for name in self.forecasts.thresholds if name not in self.watched)]


class Thresholds:
    """The thresholds that metrics may head for, as the files say that judge them."""

    def __init__(self, params_dir: Path, watching: Watching) -> None:
        """Read the rules and bounds that *watching* names.

        Raises:
            UsageError: a rule is not there, or has no number; or a file cannot be used.
        """
        self._where = watching.forecasts.thresholds
        content = read_mapping(params_dir / "gate.yaml").get("rules") or []
        rules = {entry.get("name"): entry for entry in content if isinstance(entry, dict)}
        self._rules: dict[str, dict[str, Any]] = {}
        for metric, where in self._where.items():
            if where.rule:
                if not isinstance(rules.get(where.rule, {}).get("threshold"), int | float):
                    raise UsageError(
                        f"{params_dir / 'anomalies.yaml'}: {metric}: params/gate.yaml has no rule {where.rule} with a"
                        " number; nothing was predicted\nhint: name another rule"
                    )
                self._rules[metric] = rules[where.rule]
        needs_bounds = any(where.bounds for where in self._where.values())
        self._agreements = {each.name: each for each in read_agreements(params_dir)} if needs_bounds else {}

    def of(self, league: str, metric: str, subject: str, most: float) -> list[float]:
        """The thresholds of a metric in a league, in its own unit; none where nobody set one.

        Args:
            most: the highest good value of the season.
        """
        if rule := self._rules.get(metric):
            threshold = float((rule.get("leagues") or {}).get(league, rule["threshold"]))
            return [most * (1 - threshold) if self._where[metric].below_most else threshold]
        if metric in self._where and (agreement := self._agreements.get(subject)):
            return [1 - bound for bound in agreement.bounds_of(league).values()]
        return []


def read_watching(params_dir: Path) -> Watching:
    """Read `anomalies.yaml`.

    Raises:
        UsageError: it is missing, names a metric that does not exist, or a value is missing, unknown or out of range.
    """
    path = params_dir / "anomalies.yaml"
    found = read_model(path, Watching, "nothing was judged")
    named = {
        *found.watched,
        *found.looks,
        *found.forecasts.thresholds,
        *(name for each in found.unwatched.values() for name in each),
    }
    if unknown := sorted(named - KINDS.keys()):
        raise UsageError(
            f"{path}: there is no metric `{unknown[0]}`; nothing was judged\nhint: there are {', '.join(KINDS)}"
        )
    return found
