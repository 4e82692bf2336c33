"""What a damaged import came to: who noticed it, how loudly, and what the gate decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rally_etl.bench.mutations.damages import SMALL_SHARE, Damage, size_in_words

SEVERITIES = ("error", "hold", "warn")
MISSED, TOLD, NO_EFFECT = "MISSED", "told", "no effect"
SHOWN = 3  # checks and rules that a line of the table names


@dataclass(frozen=True, slots=True)
class Finding:
    """One check or rule that speaks up.

    Attributes:
        figure: failing rows of a check; how far a rule's measure is from its threshold.
    """

    name: str
    severity: str
    figure: float


@dataclass(slots=True)
class Verdict:
    """What a run said of one league: findings by name, and the gate's decision."""

    decision: str
    findings: dict[str, Finding] = field(default_factory=dict)
    candidate: str = ""  # digest of what would be live
    changes: list[str] = field(default_factory=list)  # the plan in sentences, as the report has it

    def beyond(self, control: Verdict) -> list[Finding]:
        """Findings that the undamaged run does not have, or has less of; the worst first, checks before rules."""
        found = [
            each
            for name, each in self.findings.items()
            if name not in control.findings or each.figure > control.findings[name].figure
        ]
        return sorted(found, key=lambda each: (SEVERITIES.index(each.severity), "/" not in each.name, each.name))


@dataclass(frozen=True, slots=True)
class Trial:
    """One damage at one size, and what became of it.

    Attributes:
        told: sentences about the plan that the undamaged run does not have.
    """

    damage: Damage
    size: float
    rows: int
    caught: tuple[Finding, ...]
    decision: str
    has_effect: bool = True
    told: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        """The worst severity that was found; `no effect` where the import makes the same of it; else `MISSED`.

        What a few rows cannot tell from life is `told` where the report tells it as a change.
        """
        if self.caught:
            return self.caught[0].severity
        if self.has_effect and self.damage.is_life and self.told and self._is_small:
            return TOLD
        return MISSED if self.has_effect else NO_EFFECT

    @property
    def _is_small(self) -> bool:
        return self.size == SMALL_SHARE or (self.size == 1 and isinstance(self.size, int))

    @property
    def by(self) -> str:
        """Names of what noticed it, the worst first; of what was told, the first sentence."""
        if self.outcome == TOLD:
            return f"“{self.told[0]}”"
        names = [each.name for each in self.caught]
        return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def summary(trials: Sequence[Trial]) -> str:
    """How many were caught, by what severity, and what was not."""
    made = [trial for trial in trials if trial.outcome != NO_EFFECT]
    caught = [trial for trial in made if trial.caught]
    kinds, missed = {trial.damage.name for trial in made}, [trial for trial in made if trial.outcome == MISSED]
    told = [trial for trial in made if trial.outcome == TOLD]
    severities = Counter(trial.outcome for trial in caught)
    decisions = Counter(trial.decision for trial in made)
    share = len(caught) / max(1, len(made))
    lines = [
        f"{len(kinds)} kinds of damage, {len(made)} trials: {len(caught)} caught ({share:.1%}), by "
        + ", ".join(f"{name} {severities[name]}" for name in SEVERITIES if severities[name]),
        *([f"told as a change, because life does the same: {len(told)}"] if told else []),
        "decisions: " + ", ".join(f"{name} {count}" for name, count in decisions.most_common()),
        *(f"missed: {trial.damage.name}, {size_in_words(trial.size)} ({trial.rows:,} rows)" for trial in missed),
    ]
    return "\n".join(lines)


def in_markdown(trials: Sequence[Trial]) -> str:
    """The table of docs/mutations.md."""
    lines = [
        "| damage | incident | size | rows | noticed as | gate | by |",
        "| --- | --- | ---: | ---: | --- | --- | --- |",
    ]
    for trial in trials:
        cells = (trial.damage.name, trial.damage.incident, size_in_words(trial.size), f"{trial.rows:,}")
        lines.append(f"| {' | '.join((*cells, trial.outcome, trial.decision, trial.by))} |")
    return "\n".join([*lines, "", *summary(trials).splitlines(), ""])
