"""Rule 2 under real failures: whatever statement of a run fails in whatever way, live is before or after.

`make test` breaks a few places by name; `make test-faults` as many as it is told: TRIALS=300 SEED=7.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from conftest import MakeDatabase
from faults import labs
from faults.proxy import KINDS
from faults.trials import PUBLISHED, Lab, in_words

SEED = int(os.environ.get("RALLY_FAULTS_SEED", "1"))
TRIALS = int(os.environ.get("RALLY_FAULTS_TRIALS", "300"))
SHARES = {"a_run": 0.5, "two_leagues": 0.1, "an_approval": 0.2, "an_undo": 0.1, "a_repair": 0.1}
"""Command that is broken -> share of the trials."""


@pytest.fixture(scope="module")
def lab(make_database: MakeDatabase, template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The run of a week, which each test breaks somewhere else."""
    with make_database(template_database) as url, labs.a_run(tmp_path_factory.mktemp("lab"), url) as lab:
        yield lab


@pytest.mark.parametrize(
    ("kind", "text", "live"),
    [
        ("answer lost", "COMMIT", "after"),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in (
            ("outage", "COMMIT", "before"),
            ("serialization", "COMMIT", "after"),
            ("deadlock", "COMMIT", "after"),
            ("disk full", "COMMIT", "before"),
            ("killed", PUBLISHED, "after"),
            ("dropped", PUBLISHED, "after"),
            ("outage", "status = 'completed', finished_at", "after"),
        )),
    ],
)  # fmt: skip
def test_run_that_breaks_while_it_publishes(lab: Lab, kind: str, text: str, live: str):
    """The last statement, the commit, its answer, the report: each has one right end, and the next run works."""
    trial = lab.try_fault(kind, lab.publishing(text))

    assert (live, ()) == (trial.live, trial.problems), trial


@pytest.mark.parametrize(
    ("kind", "text", "live"),
    [
        ("disk full", "COPY end", "before"),
        pytest.param("lock time-out", "for no key update", "after", marks=pytest.mark.slow),
        pytest.param("raised", 'insert into "public"."players"', "before", marks=pytest.mark.slow),
    ],
)
def test_run_that_breaks_before_its_commit(lab: Lab, kind: str, text: str, live: str):
    """Nothing is live of what was written so far; what passes by itself is tried again."""
    trial = lab.try_fault(kind, lab.place(text))

    assert (live, ()) == (trial.live, trial.problems), trial


@pytest.mark.faults
@pytest.mark.timeout(0)
@pytest.mark.parametrize("command", SHARES)
def test_any_statement_may_fail(
    make_database: MakeDatabase,
    template_database: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
):
    """Faults of every kind in turn at statements drawn from all of a command; the seed says which."""
    prepare: Callable[[Path, str], AbstractContextManager[Lab]] = getattr(labs, command)
    with make_database(template_database) as url, prepare(tmp_path, url) as lab:
        dice, places = random.Random(SEED), lab.places()
        count = min(len(places), round(TRIALS * SHARES[command]))
        trials = [
            lab.try_fault(KINDS[(number + SEED) % len(KINDS)], at)
            for number, at in enumerate(sorted(dice.sample(places, count)))
        ]
    with capsys.disabled():
        print(f"\n{command}, seed {SEED}: {len(lab.messages):,} statements, {len(places):,} of them different")
        print(in_words(trials))

    assert [] == [f"{trial}: {'; '.join(trial.problems)}" for trial in trials if trial.problems]
    assert [] == [trial.statement for trial in trials if trial.live == "between"]
