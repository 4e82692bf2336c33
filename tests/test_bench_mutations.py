"""A few of the damages of `make bench-mutations`: what a run notices of a good import that was damaged."""

from __future__ import annotations

import pytest

from rally_etl.bench.mutations.damages import all_damages, how_many, size_in_words
from rally_etl.bench.mutations.trying import attempt, prepared, undamaged
from rally_etl.bench.mutations.verdicts import NO_EFFECT, Finding, Trial, Verdict, in_markdown, summary
from rally_etl.gate import GO, NO_GO

DAMAGES = {damage.name: damage for damage in all_damages()}


def test_damages_are_many_and_named_once():
    """Sixty kinds and more, each with a name of its own, from files, plans and the live database."""
    assert len(DAMAGES) == len(list(all_damages())) > 60
    assert {"scrape", "plan", "live"} == {damage.enters for damage in DAMAGES.values()}


@pytest.mark.parametrize(("size", "rows", "hit"), [(1, 500, 1), (0.01, 500, 5), (0.01, 20, 1), (0.3, 10, 3), (1, 0, 0)])
def test_sizes_of_damage(size, rows, hit):
    """A share hits one row at least where there is one; a number is a number of rows."""
    assert hit == how_many(size, rows)


def test_what_the_undamaged_run_says_catches_nothing():
    """A finding counts where the undamaged run does not have it, or has less of it."""
    control = Verdict(GO, {"a/b": Finding("a/b", "warn", 3)})
    same = Verdict(GO, {"a/b": Finding("a/b", "warn", 3)})
    more = Verdict(GO, {"a/b": Finding("a/b", "warn", 4), "rule": Finding("rule", "error", 1)})

    assert [] == same.beyond(control)
    assert ["rule", "a/b"] == [finding.name for finding in more.beyond(control)]


def test_summary_tells_what_was_missed():
    """What nobody noticed is named; what had no effect does not count."""
    damage = DAMAGES["players: rows lost"]
    trials = [
        Trial(damage, 1, 1, (), GO),
        Trial(damage, 0.3, 90, (Finding("few_teams_go", "hold", 1),), "HOLD"),
        Trial(damage, 0.01, 3, (), GO, has_effect=False),
    ]

    assert "2 trials: 1 caught (50.0%), by hold 1" in summary(trials)
    assert "missed: players: rows lost, 1 row (1 rows)" in summary(trials)
    assert "| players: rows lost | 35 | 1 % | 3 | no effect | GO |  |" in in_markdown(trials)
    assert ["1 row", "30 %", "all"] == [size_in_words(size) for size in (1, 0.3, 1.0)]


@pytest.mark.slow
def test_damage_is_noticed():
    """One damage of each entrance is caught, and one that the import makes good has no effect."""
    wanted = {
        "matches: scores the other way round": (0.3, NO_GO, "error"),
        "matches: suffix of the id doubled": (1, GO, NO_EFFECT),
        "plan, teams: one of users goes": (1, NO_GO, "error"),
        "live, polls of no team": (1.0, NO_GO, "error"),
    }
    with prepared(None, None, None) as bench:
        control = undamaged(bench)
        trials = {name: attempt(bench, control, DAMAGES[name], size) for name, (size, _, _) in wanted.items()}

    assert GO == control.decision
    assert {name: words[1:] for name, words in wanted.items()} == {
        name: (trial.decision, trial.outcome) for name, trial in trials.items()
    }
