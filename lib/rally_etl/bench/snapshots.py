"""How long a snapshot of a large league takes: taken, verified, and gone back to.

The floor is one COPY of the match lines to nowhere: nothing that reads them all can be faster. Everything happens in a
database and a folder of its own, which are removed afterwards. Run it with ``python -m rally_etl.bench.snapshots``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from rally_etl.bench.imports import loaded, vacuum
from rally_etl.operations import KINDS
from rally_etl.settings import Settings

LINES = 1_000_000
LIVE = {
    "nothing differs": "select 1",
    "1 in 100 changed": "update match_scores set scores = scores || ' ' where id % 100 = 0",
    "1 in 100 gone": "delete from match_scores where id % 100 = 1",
}
"""What happens to live before each restore."""


def main() -> None:
    """Measure once and print one table."""
    parser = argparse.ArgumentParser(prog="python -m rally_etl.bench.snapshots", description=__doc__)
    parser.add_argument("--lines", type=int, default=LINES, help="match lines in the database")
    with loaded(parser.parse_args().lines, "snapshots") as (engine, settings):
        vacuum(engine)
        measure(engine, settings)


def measure(engine: sa.Engine, settings: Settings) -> None:
    """Print seconds per step for the database as it is, and the most memory that this process has had."""
    from rally_etl.protection.stored import create, retention, verify

    _timed("floor: COPY of the match lines to nowhere", lambda: _copy_out(engine))
    taken = _timed("create", lambda: create.create(engine, settings))
    raw = sum(table.raw_bytes for table in taken.tables)
    print(f"{taken.rows:,} rows, {raw / 2**20:,.0f} MiB as text, {taken.bytes / 2**20:,.0f} MiB in files")
    found = _timed("verify", lambda: verify.verify(engine, retention.folder_of(settings), taken))
    if faults := [each.fault for each in found if each.fault]:
        raise SystemExit(f"not verified: {faults}")
    operation = {"kind": "restore", "snapshot": taken.id, "tables": [table.name for table in taken.tables]}
    for what, statement in LIVE.items():
        with engine.begin() as connection:
            connection.execute(sa.text(statement))
        _restore(engine, settings, what, operation | {"exact": False}, taken.leagues)
    print(f"memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


def _restore(
    engine: sa.Engine, settings: Settings, what: str, operation: dict[str, Any], leagues: tuple[str, ...]
) -> None:
    from rally_etl import planning
    from rally_etl.protection import integration_measures

    run_id = f"2{time.time_ns()}-restore"
    with engine.begin() as connection:
        sql = (
            "insert into etl.runs (run_id, source, as_of, operation)"
            " values (:run, :what, '2026-03-01', cast(:o as jsonb))"
        )
        connection.execute(sa.text(sql), {"run": run_id, "what": what, "o": json.dumps(operation)})
        sql = "insert into etl.run_leagues (run_id, league, state, cause)"
        sql += " values (:run, :league, 'audited', 'a benchmark')"
        connection.execute(sa.text(sql), [{"run": run_id, "league": league} for league in leagues])
    _timed(f"restore, {what}: plan", lambda: planning.make_plan(engine, settings, run_id, kinds=KINDS))
    found = _timed(f"restore, {what}: evidence", lambda: integration_measures(engine, settings, run_id))
    if any(each["user_rows_changed"]["value"] for each in found.values()):
        raise SystemExit(f"not as in the snapshot: {found}")
    _timed(f"restore, {what}: publish", lambda: planning.publish(engine, run_id, leagues))


def _copy_out(engine: sa.Engine) -> None:
    with engine.connect() as connection, open(os.devnull, "wb") as file, connection.connection.cursor() as cursor:
        cursor.copy_expert("copy match_scores to stdout", file)


def _timed(what: str, step: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    answer = step()
    print(f"{what:44} {time.perf_counter() - started:8.2f} s", flush=True)
    return answer


if __name__ == "__main__":
    main()
