"""`make bench`: how long a million references of users take to be mapped, noted, accounted for and searched through.

The floor is one hash join per reference with the rows that it points at: nothing that looks at every reference can be
faster. Everything happens in a database of its own, which is removed afterwards.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import sqlalchemy as sa

from rally_etl.bench.imports import CHANGED, begin_run, loaded, vacuum
from rally_etl.database.catalog import quote
from rally_etl.database.engine import read_only
from rally_etl.database.references import Reference, find_map, read_reference_params
from rally_etl.sample.attachments import attach
from rally_etl.sample.large import PLAYERS_PER_TEAM, change_share
from rally_etl.settings import Settings

REFERENCES = 1_000_000
MATCH_LINES = 20_000  # all 54 series of the league; users refer to its 540 teams and 7,020 players
PER_SCALE = 100_000  # references that `attach` writes for each of its `scale`, about
TIMES = 3  # the best of them, of what can be done again


def main() -> None:
    """Measure once and print one table."""
    parser = argparse.ArgumentParser(prog="python -m rally_etl.bench.users", description=__doc__)
    parser.add_argument("--references", type=int, default=REFERENCES, help="references of users' rows, about")
    measure(parser.parse_args().references)


def measure(wanted: int = REFERENCES) -> None:
    """Print seconds per step, and times the floor."""
    with loaded(MATCH_LINES, "users") as (engine, settings):
        attach(engine, users_per_team=PLAYERS_PER_TEAM, scale=max(1, round(wanted / PER_SCALE)))
        vacuum(engine)
        _report(engine, settings)


def _report(engine: sa.Engine, settings: Settings) -> None:
    from rally_etl import planning, sources
    from rally_etl.protection import find_orphans, integration_measures
    from rally_etl.protection.map import count_rows
    from rally_etl.protection.memory import note_users

    params = read_reference_params(settings.params_dir / "references.yaml")
    with read_only(engine, "public") as connection:
        of_users = [each for each in find_map(connection, params).by_id if each.is_users]
        count = sum(_joined(connection, each) for each in of_users)
        floor = min(_seconds(lambda: [_joined(connection, each) for each in of_users]) for _ in range(TIMES))
    print(f"\n{'references':>10} {'what':34} {'seconds':>8} {'x floor':>8}", flush=True)

    def row(what: str, seconds: float) -> None:
        print(f"{count:>10,} {what:34} {seconds:8.2f} {seconds / floor:8.2f}", flush=True)

    row(f"floor: {len(of_users)} hash joins", floor)

    def reading(work: Callable[[sa.Connection], object]) -> float:
        with read_only(engine, "public") as connection:
            return min(_seconds(lambda: work(connection)) for _ in range(TIMES))

    def writing(work: Callable[[sa.Connection], object]) -> float:
        def in_transaction() -> None:
            with engine.begin() as connection:
                work(connection)

        return _seconds(in_transaction)

    row(
        "map, with rows per reference",
        reading(lambda connection: count_rows(connection, find_map(connection, params).of_users)),
    )
    row("noting, the first time", writing(lambda connection: note_users(connection, params)))
    vacuum(engine)
    row("noting, unchanged", writing(lambda connection: note_users(connection, params)))
    change_share(settings.root / "scrape", CHANGED, seed=2)
    run_id, _ = begin_run(engine, settings, "account")
    sources.stage_scrape(engine, settings, run_id)
    planning.make_plan(engine, settings, run_id)
    accounts = (_seconds(lambda: integration_measures(engine, settings, run_id)) for _ in range(TIMES))
    row("account of an import", min(accounts))
    row("search for orphans", reading(lambda connection: find_orphans(connection, settings)))


def _joined(connection: sa.Connection, reference: Reference) -> int:
    """References of one kind that point at a row."""
    rows = f" and ({reference.rows})" if reference.rows else ""
    return connection.scalar(
        sa.text(
            f"select count(*) from (select {quote(reference.column)} as value from {quote('public', reference.table)}"
            f" where {quote(reference.column)} is not null{rows}) as u"
            f" join (select distinct {quote(reference.target_column)} as key from {quote('public', reference.target)})"
            " as t on t.key = u.value"
        )
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
