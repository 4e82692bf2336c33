"""`make bench`: how long an import takes, as ratios to the floor and beside the common alternatives, in one run.

The floor is the same match lines by one COPY into the live tables with their constraints and indexes: no import that
keeps them can be faster. Everything happens in databases and folders of its own, which are removed afterwards.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import sqlalchemy as sa

from rally_etl.database.engine import connect
from rally_etl.database.schema import init
from rally_etl.database.scratch import scratch_database
from rally_etl.sample.large import change_share, write_large
from rally_etl.settings import Settings

SIZES = (10_000, 100_000, 1_000_000)
CHANGED = 0.01
ROW_BY_ROW_LIMIT = 100_000  # one statement per row takes minutes beyond this; --full measures it all the same
FLOORS = 2  # the better of two: a floor that was disturbed would flatter everything above it
STEPS = ("stage", "plan", "checks", "rehearsal", "publish", "verify")


@dataclass(slots=True)
class Figures:
    """Seconds by what was done, for one number of match lines."""

    lines: int
    floor_s: float = 0.0
    imports: dict[str, dict[str, float]] = field(default_factory=dict)
    others: dict[str, float | None] = field(default_factory=dict)


def main() -> None:
    """Measure each size and print one table."""
    parser = argparse.ArgumentParser(prog="python -m rally_etl.bench", description=__doc__)
    parser.add_argument("--lines", type=int, nargs="+", default=list(SIZES), help="match lines to import")
    parser.add_argument("--full", action="store_true", help="one upsert per row for every size too (minutes)")
    parser.add_argument("--only-import", action="store_true", help="the product and the floor, no alternatives")
    options = parser.parse_args()
    home = Settings.from_env()
    print(f"{'lines':>10} {'what':34} {'seconds':>8} {'x floor':>8}   steps, memory", flush=True)
    for lines in options.lines:
        _print(_measure(home, lines, full=options.full, alternatives=not options.only_import))


def _print(figures: Figures) -> None:
    def row(what: str, seconds: float | None, note: str = "") -> None:
        told = f"{seconds:8.2f} {seconds / figures.floor_s:8.2f}" if seconds is not None else f"{'–':>8} {'–':>8}"
        print(f"{figures.lines:>10,} {what:34} {told}   {note}".rstrip(), flush=True)

    row("floor: one COPY into live tables", figures.floor_s)
    for what, steps in figures.imports.items():
        told = ", ".join(f"{name} {steps[name]:.2f}" for name in STEPS)
        seconds = sum(steps[name] for name in STEPS)
        share = f"rehearsal {steps['rehearsal'] / seconds:.0%} of it, of {steps['rehearsed_share']:.0%} of the rows"
        row(f"rally-etl: {what}", seconds, f"{told}; {share}; {steps['mib']:,.0f} MiB")
    for what, seconds in figures.others.items():
        row(what, seconds, "" if seconds is not None else "not measured; --full does")


def _measure(home: Settings, lines: int, *, full: bool, alternatives: bool) -> Figures:
    figures = Figures(lines)
    with project(home) as (folder, url):
        write_large(folder / "scrape", lines)
        for what in ("first load", "unchanged again", f"{CHANGED:.0%} changed"):
            if what.endswith("changed"):
                change_share(folder / "scrape", CHANGED, seed=2)
            figures.imports[what] = import_in_child(folder, url, what.replace(" ", "-").replace("%", ""))
        engine = connect(Settings(root=folder, database_url=url))
        rows = _dump(engine, folder / "rows.copy")
        floors = [_timed(engine, lambda connection: _copy_in(connection, folder / "rows.copy")) for _ in range(FLOORS)]
        figures.floor_s = min(floors)
        if alternatives:
            figures.others["pandas to_sql, then merge"] = _timed(
                engine, lambda connection: _pandas_merge(connection, rows)
            )
            run_it = full or lines <= ROW_BY_ROW_LIMIT
            figures.others["one upsert per row"] = (
                _timed(engine, lambda connection: _row_by_row(connection, rows)) if run_it else None
            )
        engine.dispose()
    return figures


@contextmanager
def project(home: Settings) -> Iterator[tuple[Path, str]]:
    """A project folder with the params and notebooks of *home*, and the address of its database; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="rally-bench-") as name, scratch_database(home, "bench") as url:
        folder = Path(name)
        for linked in ("params", "notebooks"):
            (folder / linked).symlink_to(home.root / linked)
        yield folder, url


@contextmanager
def loaded(lines: int, label: str) -> Iterator[tuple[sa.Engine, Settings]]:
    """A project whose database holds the large league with so many match lines; its scrape is in ``scrape``."""
    with project(Settings.from_env()) as (folder, url):
        write_large(folder / "scrape", lines)
        import_in_child(folder, url, label)
        settings = Settings(root=folder, database_url=url)
        engine = connect(settings)
        yield engine, settings
        engine.dispose()


def vacuum(engine: sa.Engine) -> None:
    """Do at once what the server does by itself a minute later."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("vacuum analyze"))


def import_in_child(folder: Path, url: str, label: str) -> dict[str, float]:
    """Import in a process of its own, so that its peak memory is its own."""
    done = subprocess.run(
        [sys.executable, "-c", "from rally_etl.bench.imports import import_once; import_once()"],
        input=json.dumps({"folder": str(folder), "url": url, "label": label}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the import failed:\n{done.stderr}")
    return json.loads(done.stdout)


def import_once() -> None:
    """Stage, plan, check, rehearse the undo, publish (with the audit inside) and verify.

    Prints seconds per step, the share of the planned rows that was rehearsed, and peak MiB as JSON.
    """
    from rally_etl import checks, planning, sources

    job = json.load(sys.stdin)
    settings = Settings(root=Path(job["folder"]), database_url=job["url"])
    engine = connect(settings)
    init(engine)
    run_id, league = begin_run(engine, settings, job["label"])
    steps: dict[str, Callable[[], object]] = {
        "stage": lambda: sources.stage_scrape(engine, settings, run_id),
        "plan": lambda: planning.make_plan(engine, settings, run_id),
        "checks": lambda: checks.run_checks(engine, settings, run_id),
        "rehearsal": lambda: planning.rehearse_undo(engine, settings, run_id),
        "publish": lambda: planning.publish(
            engine, run_id, [league], lambda made: checks.audit(made, settings, run_id, league)
        ),
        "verify": lambda: planning.verify(engine, run_id, [league]),
    }
    seconds, found = {}, {}
    for name, step in steps.items():
        started = time.perf_counter()
        found[name] = step()
        seconds[name] = time.perf_counter() - started
    (rehearsed,) = found["rehearsal"]
    if found["verify"] or not rehearsed.is_good:
        raise SystemExit(f"not verified: {found['verify'] or rehearsed}")
    seconds["rehearsed_share"] = rehearsed.share
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(seconds | {"mib": peak_mib}))


def begin_run(engine: sa.Engine, settings: Settings, label: str) -> tuple[str, str]:
    """Begin a run on the folder `scrape` of the project; answer its id and the one league of the scrape."""
    from rally_etl import naming, sources

    run_id = f"2{time.time_ns()}-{label.lower()}"
    (league,) = sources.read_scrape(settings.root / "scrape", naming.load_leagues(settings.params_dir)).leagues
    with engine.begin() as connection:
        binds = {"run": run_id, "as_of": date(2026, 3, 1), "league": league}
        connection.execute(
            sa.text("insert into etl.runs (run_id, source, as_of) values (:run, 'scrape', :as_of)"), binds
        )
        connection.execute(
            sa.text(
                "insert into etl.run_leagues (run_id, league, state, cause)"
                " values (:run, :league, 'audited', 'no gate decides on a benchmark')"
            ),
            binds,
        )
    return run_id, league


def _dump(engine: sa.Engine, path: Path) -> bytes:
    """The live match lines as COPY text, in a file and in memory for the alternatives."""
    with engine.connect() as connection, path.open("wb") as file, connection.connection.cursor() as cursor:
        cursor.copy_expert("copy match_scores to stdout", file)
    return path.read_bytes()


def _timed(engine: sa.Engine, fill: Callable[[sa.Connection], None]) -> float:
    """Seconds from an empty live table to the commit."""
    with engine.begin() as connection:
        connection.execute(sa.text("truncate match_scores"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("checkpoint"))
    started = time.perf_counter()
    with engine.begin() as connection:
        fill(connection)
    return time.perf_counter() - started


def _copy_in(connection: sa.Connection, path: Path) -> None:
    with path.open("rb") as file, connection.connection.cursor() as cursor:
        cursor.copy_expert("copy match_scores from stdin", file)


def _columns(connection: sa.Connection) -> list[str]:
    return list(connection.execute(sa.text("select * from match_scores limit 0")).keys())


def _pandas_merge(connection: sa.Connection, rows: bytes) -> None:
    """What many importers do: a frame into a staging table with to_sql, then INSERT … ON CONFLICT."""
    import pandas as pd

    columns = _columns(connection)
    frame = pd.read_csv(io.BytesIO(rows), sep="\t", header=None, names=columns, na_values="\\N", dtype=str)
    frame.astype(object).where(frame.notna(), None).to_sql("merge_lines", connection, index=False, chunksize=20_000)
    types = dict(
        connection.execute(
            sa.text(
                "select attname, format_type(atttypid, atttypmod) from pg_attribute"
                " where attrelid = to_regclass('match_scores') and attnum > 0"
            )
        ).all()
    )
    names = ", ".join(columns)
    values = ", ".join(f"cast({name} as {types[name]})" for name in columns)
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in ("id", "tenniscores_match_id"))
    connection.execute(
        sa.text(
            f"insert into match_scores ({names}) select {values} from merge_lines"
            f" on conflict (tenniscores_match_id) do update set {updates}"
        )
    )
    connection.execute(sa.text("drop table merge_lines"))


def _row_by_row(connection: sa.Connection, rows: bytes) -> None:
    """What the importer in production does, at its best: one upsert per row."""
    columns = _columns(connection)
    marks = ", ".join(["%s"] * len(columns))
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in ("id", "tenniscores_match_id"))
    statement = (
        f"insert into match_scores ({', '.join(columns)}) values ({marks})"
        f" on conflict (tenniscores_match_id) do update set {updates}"
    )
    with connection.connection.cursor() as cursor:
        for line in rows.decode().splitlines():
            cursor.execute(statement, [None if value == "\\N" else value for value in line.split("\t")])
