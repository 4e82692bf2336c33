"""Rule 2 when processes are killed: the command, a stage, a kernel, a session, the server, at any moment."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import project
from faults import labs
from faults.kills import VICTIMS, Killing, scrape_of
from faults.trials import in_words
from rally_etl.database import embedded
from rally_etl.database.engine import connect
from rally_etl.database.schema import init

SEED = int(os.environ.get("RALLY_FAULTS_SEED", "1"))
KILLS = int(os.environ.get("RALLY_FAULTS_KILLS", "30"))
# What is committed must be there after a kill of the server; only the machine's own end is not tried here.
OPTIONS = (("fsync", "off"), ("shared_buffers", "64MB"))

pytestmark = pytest.mark.timeout(0)


@pytest.fixture
def killing() -> Iterator[Killing]:
    """The run of a week on a server that may be killed."""
    home = Path(tempfile.mkdtemp(prefix="rally-kill-"))
    server = embedded.Server(home / "pg", OPTIONS)
    try:
        url = embedded.url(server)
        (home / "empty").mkdir()
        (home / "lab").mkdir()
        engine = connect(project(home / "empty", url))
        init(engine)
        engine.dispose()
        with labs.a_run(home / "lab", url) as lab:
            arguments = ("run", "--source", str(scrape_of(lab)), "--as-of", labs.AS_OF.isoformat())
            killing = Killing(lab, server, arguments)
            killing.learn()
            yield killing
    finally:
        embedded.erase(server)
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.slow
def test_runner_or_server_killed_in_the_middle(killing: Killing):
    """One of each near the end, where the run publishes: before or after, and the next run works."""
    trials = [killing.try_kill(victim, 0.8) for victim in ("runner", "server")]

    assert [] == [f"{trial}: {'; '.join(trial.problems)}" for trial in trials if trial.problems]


@pytest.mark.faults
def test_anything_may_be_killed_at_any_moment(killing: Killing, capsys: pytest.CaptureFixture[str]):
    """Victims in turn, moments drawn over the time that a run takes; the seed says which."""
    dice = random.Random(SEED)
    trials = [killing.try_kill(VICTIMS[number % len(VICTIMS)], dice.uniform(0.05, 1.0)) for number in range(KILLS)]
    with capsys.disabled():
        print(f"\nkills, seed {SEED}: a run takes {killing.seconds:.1f} s")
        print(in_words(trials))

    assert [] == [f"{trial}: {'; '.join(trial.problems)}" for trial in trials if trial.problems]
    assert [] == [trial for trial in trials if trial.live == "between"]
