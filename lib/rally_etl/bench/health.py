"""`make bench-health`: how long a look at the health of live takes, and the monitoring notebook of a run.

Each look is the command itself, with the start of the program: when nothing is remembered, when nothing has changed
since, and when one row has. Everything happens on a server of its own, which is removed afterwards.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import sqlalchemy as sa

from rally_etl.bench.imports import import_in_child, project, vacuum
from rally_etl.bench.server import own_server
from rally_etl.checks import blocking_on_live, check_live
from rally_etl.database.engine import connect
from rally_etl.sample.large import KEY, write_large
from rally_etl.settings import Settings

SIZES = (20_000, 1_000_000)
"""Match lines: a league of real size, and what it would have after fifty seasons."""
TIMES = 3  # the best of them
FORGET = "delete from etl.remembered"
PLAYER = "update players set pti = pti + 1 where id = (select min(id) from players)"
LINE = "update match_scores set scores = scores where id = (select min(id) from match_scores)"


def main() -> None:
    """Measure each size and print one table."""
    parser = argparse.ArgumentParser(prog="python -m rally_etl.bench.health", description=__doc__)
    parser.add_argument("--lines", type=int, nargs="+", default=list(SIZES), help="match lines of the league")
    options = parser.parse_args()
    home = Settings.from_env()
    print(f"{'lines':>10} {'what':44} {'seconds':>8} {'ratio':>6} {'load':>6}", flush=True)
    for lines in options.lines:
        measure(home, lines)


def measure(home: Settings, lines: int) -> None:
    """Load so many lines, and print the seconds of every kind of look."""
    with own_server(home) as served, project(served) as (folder, url):
        write_large(folder / "scrape", lines)
        import_in_child(folder, url, "health")
        settings = Settings(root=folder, database_url=url)
        engine = connect(settings)
        vacuum(engine)
        show(engine, settings, lines)
        engine.dispose()


def show(engine: sa.Engine, settings: Settings, lines: int) -> None:
    """Print the seconds of every kind of look at what is live, each beside those of the first kind."""
    kinds: dict[str, Callable[[], object]] = {
        "nothing remembered": lambda: _write(engine, FORGET),
        "no row changed since": lambda: None,
        "one row of players changed": lambda: _write(engine, PLAYER),
        "one match line changed": lambda: _write(engine, LINE),
        "no row changed since yesterday": lambda: _yesterday(engine, settings),
        "after the run that loaded the lines": lambda: _verified(engine, settings),
    }
    seconds: dict[str, list[float]] = {what: [] for what in kinds}
    for _ in range(TIMES):  # in turn: what else the machine does then slows all of them down alike
        for what, before in kinds.items():
            before()
            seconds[what].append(_timed(settings, "health", "--json")[0])
    base = min(seconds["nothing remembered"])

    def row(what: str, taken: float) -> None:
        print(f"{lines:>10,} {what:44} {taken:8.2f} {taken / base:6.2f} {os.getloadavg()[0]:6.1f}", flush=True)

    for what, taken in seconds.items():
        row(f"health, {what}", min(taken))
    row("start of the program", min(_timed(settings, "db", "url")[0] for _ in range(TIMES)))
    _, told = _timed(settings, "run", "--source", "scrape", "--league", KEY, "--dry-run", "--json")
    stages = {stage["stage"]: stage["seconds"] for stage in json.loads(told)["stages"]}
    row("the notebook 05_monitoring of a run", stages["monitoring"])


def _yesterday(engine: sa.Engine, settings: Settings) -> None:
    """What is remembered when live was looked at yesterday: all but what depends on the day."""
    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(1)
    check_live(engine, settings, day, remember=True, fresh=True)


def _verified(engine: sa.Engine, settings: Settings) -> None:
    """What is remembered when a run of today has published the lines and looked at live."""
    _write(engine, FORGET)
    with engine.begin() as connection:
        sql = "update etl.runs set as_of = current_date where run_id = (select min(run_id) from etl.runs)"
        run_id = connection.scalar(sa.text(f"{sql} returning run_id"))
    blocking_on_live(engine, settings, run_id, [KEY])


def _write(engine: sa.Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(statement))


def _timed(settings: Settings, *arguments: str) -> tuple[float, str]:
    """Seconds of a command from start to end, and what it says."""
    environment = os.environ | {"RALLY_HOME": str(settings.root), "DATABASE_URL": settings.database_url or ""}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "rally_etl", *arguments],
        cwd=settings.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode not in (0, 3, 4):
        raise SystemExit(f"rally-etl {arguments[0]} failed:\n{done.stderr[-2000:]}")
    return seconds, done.stdout


if __name__ == "__main__":
    main()
