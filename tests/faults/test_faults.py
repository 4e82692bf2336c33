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
from faults.trials import Lab, in_words

SEED = int(os.environ.get("RALLY_FAULTS_SEED", "1"))
TRIALS = int(os.environ.get("RALLY_FAULTS_TRIALS", "300"))
PUBLISHED = "set state = 'published'"
SHARES = {"a_run": 0.5, "two_leagues": 0.1, "an_approval": 0.2, "an_undo": 0.1, "a_repair": 0.1}
"""Command that is broken -> share of the trials."""


@pytest.fixture(scope="module")
def lab(make_database: MakeDatabase, template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The run of a week, which each test breaks somewhere else."""
    with make_database(template_database) as url, labs.a_run(tmp_path_factory.mktemp("lab"), url) as lab:
        yield lab


@pytest.mark.parametrize(
    ("kind", "text", "beyond", "live"),
    [
        ("outage", PUBLISHED, 1, "before"),
        ("answer lost", PUBLISHED, 1, "after"),
        pytest.param("serialization", PUBLISHED, 1, "after", marks=pytest.mark.slow),
        ("disk full", "COPY end", 0, "before"),
        pytest.param("killed", PUBLISHED, 0, "after", marks=pytest.mark.slow),
        pytest.param("raised", "insert into \"public\".\"players\"", 0, "before", marks=pytest.mark.slow),
        pytest.param("lock time-out", "for no key update", 0, "after", marks=pytest.mark.slow),
        pytest.param("outage", "status = 'completed', finished_at", 0, "after", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_run_that_breaks_at_a_tender_place(lab: Lab, kind: str, text: str, beyond: int, live: str):
    """The commit of the publish, its answer, a lock, a full disk: each has one right end, and the next run works."""
    trial = lab.try_fault(kind, lab.place(text) + beyond)

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
