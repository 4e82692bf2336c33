"""`make bench-checks`: how long the checks take, beside the same rules in Great Expectations and in Soda Core.

The queries of all check files are given to each program as its own kind of rule for failing rows, on one database over
TCP, with the same settings of the server. All must count the same failing rows. Everything happens on a server of its
own, which is removed afterwards; those two live in an environment of their own, `.venv-bench`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from rally_etl.bench import others as other_programs
from rally_etl.bench.imports import import_in_child, project, vacuum
from rally_etl.bench.server import own_server
from rally_etl.checks import RunFacts, check_live, read_checks, run_check
from rally_etl.checks.files import Check
from rally_etl.checks.running import PARAMETERS, Sessions, open_sessions
from rally_etl.database.engine import connect
from rally_etl.sample.large import KEY, write_large
from rally_etl.settings import Settings

SIZES = (20_000, 1_000_000)
"""Match lines: a league of real size, and what it would have after fifty seasons."""
AS_OF = dt.date(2026, 3, 1)
TIMES = 3  # the best of them
OTHERS = {"great_expectations": "Great Expectations", "soda": "Soda Core"}
ENVIRONMENT = Path(".venv-bench/bin/python")


@dataclass(slots=True)
class Figures:
    """Seconds of one program at one size: of its checks, and of the whole process with its start."""

    name: str
    seconds: float
    process_s: float
    counts: dict[str, object] = field(default_factory=dict)


def main() -> None:
    """Measure each size and print one table; exit 1 if two programs count differently or one is missing."""
    parser = argparse.ArgumentParser(prog="python -m rally_etl.bench.checks", description=__doc__)
    parser.add_argument("--lines", type=int, nargs="+", default=list(SIZES), help="match lines of the league")
    parser.add_argument("--python", type=Path, help=f"Python of the other programs ({ENVIRONMENT} of the project)")
    parser.add_argument("--only-checks", action="store_true", help="the product alone")
    options = parser.parse_args()
    home = Settings.from_env()
    python = options.python or home.root / ENVIRONMENT
    others = () if options.only_checks else tuple(OTHERS)
    if others and not python.exists():
        raise SystemExit(f"{python} does not exist; nothing was measured\nhint: `make bench-checks` makes it")
    print(f"{'lines':>10} {'what':44} {'rules':>5} {'seconds':>8} {'ratio':>6} {'process':>8}", flush=True)
    agreed = [measure(home, lines, python, others) for lines in options.lines]
    sys.exit(0 if all(agreed) else 1)


def measure(home: Settings, lines: int, python: Path, others: tuple[str, ...]) -> bool:
    """Print the times at one size; answer whether all programs counted the same failing rows."""
    with filled(home, lines) as (engine, settings):
        with engine.connect() as connection:
            sql = "select id from leagues where league_id = :key"
            league_id = connection.scalar(sa.text(sql), {"key": KEY})
        checks = asked(engine, settings)
        job = {"root": str(settings.root), "url": engine.url.render_as_string(hide_password=False)}
        job |= {"league_id": league_id, "host": "127.0.0.1", "port": int(os.environ["PGPORT"])}
        job |= {"user": engine.url.username, "database": engine.url.database}
        job["rules"] = [{"name": check.name, "sql": written_out(check, league_id)} for check in checks]
        here = [sys.executable, "-c", "from rally_etl.bench.checks import ask_here; ask_here()"]
        found = [_asked([*here, way], job, name) for way, name in WAYS.items()]
        for name in others:
            found.append(_asked([str(python), other_programs.__file__, name], job, OTHERS[name]))
        whole = min(_seconds(engine, settings) for _ in range(TIMES))
    for each in found:
        ratio = each.seconds / found[0].seconds
        print(
            f"{lines:>10,} {each.name:44} {len(each.counts):5} {each.seconds:8.2f} {ratio:6.1f} {each.process_s:8.2f}"
        )
    print(f"{lines:>10,} {'rally-etl check: these, derived, constraints':44} {'':5} {whole:8.2f}", flush=True)
    agreed = [_agree(found[0], each) for each in found[1:]]
    return all(agreed)


def asked(engine: sa.Engine, settings: Settings) -> list[Check]:
    """The checks of files for the league, but those of tables that the database does not have."""
    present = set(sa.inspect(engine).get_table_names())
    return [check for check in read_checks(settings.params_dir) if check.is_for(KEY) and check.table in present]


def _agree(ours: Figures, other: Figures) -> bool:
    wrong = [name for name in ours.counts.keys() | other.counts if ours.counts.get(name) != other.counts.get(name)]
    for name in sorted(wrong):
        print(f"{other.name} counts {other.counts.get(name)} of {name}, and rally-etl {ours.counts.get(name)}")
    return not wrong


def written_out(check: Check, league_id: int) -> str:
    """The query of a check with its binds as values, for programs that know none."""
    values = {"league_id": str(league_id), "as_of": f"'{AS_OF}'", "run_id": "'bench'"}
    sql = check.sql
    for name in check.binds:
        sql = sql.replace(f":{name}", values[name])
    return sql


@contextmanager
def filled(home: Settings, lines: int) -> Iterator[tuple[sa.Engine, Settings]]:
    """A database with the large league on a server of its own that answers on TCP."""
    with own_server(home, tcp=True) as served, project(served) as (folder, socket_url):
        write_large(folder / "scrape", lines)
        import_in_child(folder, socket_url, "checks")
        url = sa.make_url(socket_url)
        address = sa.URL.create(
            url.drivername, url.username, host="127.0.0.1", port=int(os.environ["PGPORT"]), database=url.database
        )
        settings = Settings(root=folder, database_url=address.render_as_string(hide_password=False))
        engine = connect(settings)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for name, value in PARAMETERS.items():
                connection.execute(sa.text(f"alter database {url.database} set {name} = '{value}'"))
        vacuum(engine)
        engine.dispose()
        yield engine, settings
        engine.dispose()


def _seconds(engine: sa.Engine, settings: Settings) -> float:
    started = time.perf_counter()
    check_live(engine, settings, AS_OF)
    return time.perf_counter() - started


def _asked(command: list[str], job: dict, name: str) -> Figures:
    """The best of several runs, each in a process of its own."""
    best: Figures | None = None
    for _ in range(TIMES):
        started = time.perf_counter()
        done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
        process_s = time.perf_counter() - started
        if done.returncode:
            raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
        said = json.loads(done.stdout)
        if best is None or said["seconds"] < best.seconds:
            label = f"{name} {said['version']}" if said.get("version") else name
            best = Figures(label, said["seconds"], process_s, said["counts"])
    return best


WAYS = {"2": "rally-etl, two connections", "1": "rally-etl, one connection"}


def ask_here() -> None:
    """Answer a job as the other programs do, with the checks themselves: keys and samples of failing rows too."""
    job = json.load(sys.stdin)
    settings = Settings(root=Path(job["root"]), database_url=job["url"])
    engine = connect(settings)
    checks = asked(engine, settings)
    facts = RunFacts("bench", AS_OF, (KEY,))
    tasks = [
        lambda connection, check=check: [run_check(connection, check, job["league_id"], league=KEY, facts=facts)]
        for check in checks
    ]
    started = time.perf_counter()
    with open_sessions(engine, settings, "public") as sessions:
        results = Sessions(sessions.connections[: int(sys.argv[-1])]).run(tasks)
    seconds = time.perf_counter() - started
    counts = {each.check: each.error or each.failing_rows for each in results}
    print(json.dumps({"seconds": seconds, "counts": counts}))


if __name__ == "__main__":
    main()
