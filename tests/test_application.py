"""The application keeps working: who reads never waits for a publish, who writes waits for its transaction at most."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from rally_etl import planning
from rally_etl.bench.publish import READS, Application
from rally_etl.database.references import read_reference_params
from rally_etl.protection import note_users
from rally_etl.sample.attachments import attach
from rally_etl.sample.large import change_share, write_large
from scrapes import Import, audited, changed

LINES = 2_000
NO_WAITING = "set lock_timeout = 1"  # a millisecond: who waits for a lock fails
CHANGED_PLAYER = "tenniscores_player_id = 'nndz-Tennaqua121'"


def test_users_notice_no_publish_of_thousands_of_rows(copy_of, template_database, tmp_path):
    """Users at all their pages during the publish of 2,000 lines and of their undo: no error, no lock waited for."""
    importing = copy_of(template_database)
    folder = tmp_path / "large"
    write_large(folder, LINES)
    importing.load(folder)
    attach(importing.engine, users_per_team=1)
    change_share(folder, 1.0, seed=2)
    run_id = importing.plan(folder)
    audited(importing.engine, run_id)
    application = Application(importing.engine.url, limits=NO_WAITING)

    with application.at_work():
        began = time.monotonic()
        published = _publish(importing, run_id)
        ended = time.monotonic()

    assert LINES == published.rows
    during = [each for each in application.told if began < each.began + each.ms / 1000 < ended]
    assert {"read", "write"} == {each.kind for each in during}
    assert [] == [f"{each.name}: {each.error}" for each in application.told if each.error]


def test_reader_of_rows_that_are_being_published_does_not_wait(loaded):
    """All is written and not yet committed: each page answers, with the rows of before."""
    attach(loaded.engine, users_per_team=1)
    page = "select points from series_stats where team = 'Tennaqua 12'"
    with _held_open(loaded) as publishing:
        with loaded.engine.connect() as reader:
            reader.execute(sa.text(NO_WAITING))
            for sql in READS.values():
                binds = {"team": 1, "letters": "E%"}
                reader.exec_driver_sql(sql, {name: value for name, value in binds.items() if f"%({name})s" in sql})
            assert 12 == reader.scalar(sa.text(page))
        publishing.set()

    assert [15] == loaded.column(page)


@pytest.mark.parametrize(
    "statement",
    [f"update players set email = 'new@example.org' where {CHANGED_PLAYER}",
     "insert into polls (team_id, question) values ((select id from teams where team_name = 'Winnetka 12'), 'When?')",
     "insert into schedule (league_id, match_date, home_team) values (1, '2025-10-05', 'Winnetka Practice')"],
)  # fmt: skip
def test_writer_waits_for_the_transaction_at_most(loaded, statement):
    """A write on a row that is being published is done as soon as that is committed; any other is done at once."""
    attach(loaded.engine, users_per_team=1)
    written = threading.Event()

    def write() -> None:
        loaded.write(statement)
        written.set()

    writer = threading.Thread(target=write)
    with _held_open(loaded) as publishing:
        writer.start()
        if CHANGED_PLAYER in statement:
            _wait_until(lambda: loaded.column(_BLOCKED))
            assert not written.is_set()
        else:
            assert written.wait(timeout=30)
        publishing.set()
    writer.join(timeout=30)

    assert written.is_set()
    assert [15] == loaded.column("select points from series_stats where team = 'Tennaqua 12'")


def _publish(importing: Import, run_id: str):
    params = read_reference_params(importing.settings.params_dir / "references.yaml")
    leagues = importing.column("select league from etl.run_leagues where run_id = :run", run=run_id)
    return planning.publish(
        importing.engine, run_id, leagues, last=lambda connection: note_users(connection, params, run_id)
    )


_BLOCKED = "select pid from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0"


@contextmanager
def _held_open(importing: Import) -> Iterator[threading.Event]:
    """A publish that has written everything, and commits when the event is set or the block ends."""
    run_id = importing.plan(changed())
    audited(importing.engine, run_id)
    reached, go_on = threading.Event(), threading.Event()
    failures: list[Exception] = []

    def hold(connection: sa.Connection) -> None:
        reached.set()
        go_on.wait(timeout=60)

    def publish() -> None:
        try:
            planning.publish(importing.engine, run_id, ["APTA_CHICAGO"], last=hold)
        except Exception as error:
            failures.append(error)
            reached.set()

    publishing = threading.Thread(target=publish)
    publishing.start()
    try:
        assert reached.wait(timeout=60)
        yield go_on
    finally:
        go_on.set()
        publishing.join(timeout=60)
    assert [] == failures


def _wait_until(answer) -> None:
    deadline = time.monotonic() + 30
    while not answer():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
