"""Several runs at once on one database: each waits or exits 5, nothing is lost, and nobody sees a deadlock."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY
from faults.labs import AS_OF, OTHER, of_other_league
from faults.world import World
from inprocess import stages_here
from rally_etl import runs
from rally_etl.database.locks import HOLDERS, RUN_LOCK
from rally_etl.sample.attachments import attach
from rally_etl.settings import Settings
from scrapes import APTA, Import, Kinds, changed, small, write

HERE = ("-c", "from inprocess import command; command()")  # the command, its stages in its own process
WITH_KERNELS = ("-m", "rally_etl")
SIGNED = ("--by", "Ann Example", "--reason", "at once")
DONE, BUSY = 0, 5
POINTS = """
    select l.league_id, s.points from series_stats as s join leagues as l on l.id = s.league_id
    where s.team = 'Tennaqua 12' order by 1
"""


@dataclass(slots=True)
class Programs:
    """Commands in processes of their own on one database, and what each has said."""

    settings: Settings
    world: World
    how: tuple[str, ...] = HERE
    running: dict[tuple[str, ...], subprocess.Popen] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def start(self, *arguments: str) -> None:
        """Start a command and do not wait for it."""
        environment = os.environ | {
            "DATABASE_URL": self.settings.database_url,
            "RALLY_HOME": str(self.settings.root),
            "RALLY_LOCK_TIMEOUT_S": "120",
            "PYTHONPATH": os.pathsep.join((str(REPOSITORY / "lib"), str(REPOSITORY / "tests"))),
        }
        self.running[arguments] = subprocess.Popen(
            [sys.executable, *self.how, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def end(self, *arguments: str) -> int:
        """Wait for a command; its exit code."""
        process = self.running.pop(arguments)
        self.said.append(process.communicate(timeout=200)[1])
        return process.returncode

    def end_all(self) -> list[int]:
        """Wait for all; their exit codes in order."""
        return sorted(self.end(*arguments) for arguments in list(self.running))

    def until_done(self, *commands: tuple[str, ...]) -> None:
        """Start all at once; those that find another at work start again, as people do."""
        left = list(commands)
        while left:
            for arguments in left:
                self.start(*arguments)
            codes = {arguments: self.end(*arguments) for arguments in left}
            assert set(codes.values()) <= {DONE, BUSY}, self.said
            assert DONE in codes.values(), "one of them has the lock"
            left = [arguments for arguments, code in codes.items() if code == BUSY]


@pytest.fixture(scope="module")
def programs(module_settings: Settings, module_engine: sa.Engine) -> Iterator[Programs]:
    """Two leagues with users; each test begins with them."""
    source = write(module_settings.root / "scrapes" / "before", small())
    write(source, of_other_league(small()), OTHER)
    Import(module_engine, module_settings).load(source)
    attach(module_engine, users_per_team=1)
    with module_engine.begin() as connection:
        connection.execute(sa.text("update etl.run_leagues set state = 'verified', decision = 'GO'"))
        connection.execute(sa.text("update etl.runs set status = 'completed', decision = 'GO', exit_code = 0"))
    module_engine.dispose()
    with World.of(module_settings) as world:
        world.keep()
        yield Programs(module_settings, world)


@pytest.fixture
def kept(programs: Programs) -> Programs:
    """The programs, with the database as it was in the beginning."""
    programs.world.put_back()
    programs.running, programs.said, programs.how = {}, [], HERE
    return programs


def scrape(programs: Programs, name: str, **leagues: Kinds) -> str:
    """Write a scrape; answer its folder."""
    folder = programs.settings.root / "scrapes" / name
    for league, kinds in leagues.items():
        write(folder, kinds, league)
    return str(folder)


def importing(source: str, *options: str) -> tuple[str, ...]:
    """A command that imports a scrape."""
    return ("run", "--source", source, "--as-of", AS_OF.isoformat(), *options)


def with_points(points: int) -> Kinds:
    """A scrape that gives the first team of the standings other points and a player another rating: no new row."""
    kinds = small()
    kinds["series_stats"][0]["points"] = points
    kinds["players"][0]["PTI"] = "39.5"
    return kinds


def in_sequence(programs: Programs, *commands: tuple[str, ...]) -> dict[str, str]:
    """Live after the commands one after the other; then everything is put back."""
    for arguments in commands:
        programs.start(*arguments)
        assert DONE == programs.end(*arguments), programs.said
    found = programs.world.timeless()
    programs.world.put_back()
    return found


@contextmanager
def held_in_import(programs: Programs) -> Iterator[None]:
    """Nobody can stage a file while the block lasts: a run that has begun waits there, with the run lock."""
    with programs.world.engine.begin() as connection:
        connection.execute(sa.text("lock table etl.source_files in share mode"))
        yield


def wait_for_lock(programs: Programs) -> None:
    """Wait until somebody has the run lock."""
    deadline = time.monotonic() + 60
    while not programs.world.rows(str(HOLDERS), key=RUN_LOCK):
        assert time.monotonic() < deadline, programs.said
        time.sleep(0.02)


def nobody_saw_a_deadlock(programs: Programs) -> None:
    """No program said so, nothing is left locked or running."""
    assert [] == [said for said in programs.said if "deadlock" in said or "Traceback" in said]
    assert [] == programs.world.locks()
    assert [] == programs.world.rows("select run_id from etl.runs where status = 'running'")


@pytest.mark.slow
@pytest.mark.parametrize("how", [HERE, WITH_KERNELS])
def test_of_three_runs_at_once_one_waits_and_one_exits_5(kept, how):
    """One league twice and another one: who waits is done afterwards, who does not says who is at work; both live."""
    kept.how = how
    first = importing(scrape(kept, "one", **{APTA: with_points(15)}))
    second = (*first, "--json")
    third = importing(scrape(kept, "other", **{OTHER: of_other_league(with_points(18))}), "--wait", "180")

    with held_in_import(kept):
        kept.start(*first)
        wait_for_lock(kept)
        kept.start(*second)
        kept.start(*third)
        assert BUSY == kept.end(*second), kept.said
    assert [DONE, DONE] == kept.end_all(), kept.said

    assert "another run works on this database" in kept.said[0]
    assert [(APTA, 15), (OTHER, 18)] == [tuple(row) for row in kept.world.rows(POINTS)]
    nobody_saw_a_deadlock(kept)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 5])
def test_runs_that_wait_are_all_done(kept, count):
    """The same league and another at once, each with --wait: all exit 0, and live is as after one run after another."""
    one = scrape(kept, "one", **{APTA: with_points(15)})
    other = scrape(kept, "other", **{OTHER: of_other_league(with_points(18))})
    both = scrape(kept, "both", **{APTA: with_points(15), OTHER: of_other_league(with_points(18))})
    expected = in_sequence(kept, importing(one), importing(other))
    waiting = ("--wait", "180")
    commands = [
        importing(one, *waiting),
        importing(other, *waiting),
        importing(both, *waiting),
        importing(one, *waiting, "--json"),
        importing(other, *waiting, "--league", OTHER),
    ]

    for command in commands[:count]:
        kept.start(*command)

    assert [DONE] * count == kept.end_all(), kept.said
    assert expected == kept.world.timeless()
    nobody_saw_a_deadlock(kept)


@pytest.mark.slow
def test_run_undo_and_approval_at_once(kept):
    """Each is about other rows and has the lock in turn: whatever the order, live is as if one came after the other."""
    published = _run_here(kept, scrape(kept, "published", **{OTHER: of_other_league(with_points(18))}))
    held = _run_here(kept, scrape(kept, "held", **{APTA: changed()}))
    assert ("GO", "HOLD") == (published["decision"], held["decision"])
    kept.world.keep()
    undo, approve = ("undo", published["run_id"], *SIGNED), ("approve", held["run_id"], *SIGNED)
    third = importing(scrape(kept, "third", **{OTHER: of_other_league(small())}), "--dry-run", "--wait", "180")
    expected = in_sequence(kept, undo, approve)

    kept.until_done(third, undo, approve)

    assert expected == kept.world.timeless()
    nobody_saw_a_deadlock(kept)


def _run_here(programs: Programs, source: str) -> dict:
    with stages_here(programs.settings):
        return runs.run(programs.settings, runs.Order(source=Path(source), as_of=AS_OF))
