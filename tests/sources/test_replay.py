"""Rows that waited for an answer come in with the next run, also when their kind is not scraped again."""

from __future__ import annotations

import pytest

from rally_etl.sources import reading, stage_scrape
from rally_etl.sources.archive import path_of
from scrapes import APTA, Import, small

FACTS = "kind, sha256, size_bytes, records, staged, quarantined, faults, orientation, season, fault"
PATH = "select path from etl.source_files where run_id = :run and kind = 'match_scores'"


@pytest.fixture
def importing(engine, settings) -> Import:
    """Steps of an import on an empty database."""
    return Import(engine, settings)


def held(importing: Import, reason: str = "waits for Tennaqua SW", name: str = "Tennaqua SW") -> str:
    """A published run of the small scrape, of whose matches some rows were held; answer its id."""
    run_id = importing.load(small())
    importing.write(
        "insert into etl.held_rows (run_id, league, kind, reason, name, row_count)"
        " values (:run, :league, 'match_scores', :reason, :name, 4)",
        run=run_id,
        league=APTA,
        reason=reason,
        name=name,
    )
    return run_id


def decide(importing: Import, state: str = "accepted", league: str = APTA) -> None:
    """A person answers a question of the league now."""
    importing.write(
        "insert into etl.reviews (league, entity, kind, spelling, name, is_held, state, first_run, last_run,"
        " decided_at)"
        " values (:league, 'team', 'ambiguous', '= tennaqua sw', 'Tennaqua SW', true, :state, 'r', 'r',"
        " case when :state <> 'open' then clock_timestamp() end)",
        league=league,
        state=state,
    )


def only_rosters() -> dict:
    """The small scrape without its matches."""
    return {"players": small()["players"]}


@pytest.mark.parametrize("state", ["accepted", "rejected"])
def test_a_file_whose_rows_waited_is_read_again(importing, state):
    """The next run without matches stages the matches of the last published one, with the same facts."""
    first = held(importing)
    decide(importing, state)
    second = importing.stage(only_rosters())

    before, after = (
        importing.rows(f"select {FACTS} from etl.source_files where run_id = :r and kind = 'match_scores'", r=run)
        for run in (first, second)
    )
    assert before == after
    assert [f"{APTA}/match_scores.json (replayed from run {first})"] == importing.column(PATH, run=second)
    assert [4] == importing.column("select count(*) from etl.staged_match_scores where league = :l", l=APTA)


def test_a_replayed_run_is_planned_as_usual(importing):
    """The plan of a replay is that of the file itself: nothing new, nothing lost."""
    held(importing)
    decide(importing)
    second = importing.plan(only_rosters())

    assert {} == importing.changes(second)


@pytest.mark.parametrize("reason", ["unknown_team", "waits for Other"])
def test_what_the_answer_may_be_about(importing, reason):
    """An answer may free other names too; rows of unknown teams come back when the question was about their name."""
    held(importing, reason, "Tennaqua SW" if reason == "unknown_team" else "Other")
    decide(importing)

    assert 1 == len(importing.column(PATH, run=importing.stage(only_rosters())))


@pytest.mark.parametrize(
    ("reason", "name", "state", "league"),
    [
        ("waits for Tennaqua SW", "Tennaqua SW", "open", APTA),
        ("waits for Tennaqua SW", "Tennaqua SW", "accepted", "NSTF"),
        ("unknown_team", "Somebody else", "accepted", APTA),
        ("repeated", "Tennaqua SW", "accepted", APTA),
    ],
    ids=["nobody answered", "another league", "another name", "held for another reason"],
)
def test_nothing_is_read_again_without_need(importing, reason, name, state, league):
    """Without an answer, or without rows that it may free, the archive is left alone."""
    held(importing, reason, name)
    decide(importing, state, league)

    assert [] == importing.column(PATH, run=importing.stage(only_rosters()))


def test_an_answer_counts_once(importing):
    """After the replay was published, the answer is older than the run; nothing is read a third time."""
    first = held(importing)
    decide(importing)
    second = importing.load(only_rosters())
    importing.write(
        "insert into etl.held_rows select :second, league, kind, reason, name, row_count from etl.held_rows"
        " where run_id = :first",
        first=first,
        second=second,
    )
    assert [] == importing.column(PATH, run=importing.stage(only_rosters()))

    importing.write("update etl.reviews set decided_at = clock_timestamp()")
    third = importing.stage(only_rosters())
    assert [f"{APTA}/match_scores.json (replayed from run {second})"] == importing.column(PATH, run=third)


def test_runs_between_do_not_lose_the_file(importing):
    """The newest published file of the kind counts, whatever was published of other kinds since."""
    held(importing)
    importing.load(only_rosters())
    decide(importing)

    assert 1 == len(importing.column(PATH, run=importing.stage(only_rosters())))


def test_the_scrape_comes_before_the_archive(importing):
    """A kind that was scraped again brings its rows itself."""
    held(importing)
    decide(importing)
    run_id = importing.stage({"match_scores": small()["match_scores"]})

    assert [f"{APTA}/match_scores.json"] == importing.column(PATH, run=run_id)


def test_a_run_that_was_taken_back_is_not_replayed(importing):
    """After an undo the file of the undone run is no longer what live came from."""
    first = held(importing)
    decide(importing)
    importing.write("update etl.run_leagues set state = 'undone', cause = 'an undo' where run_id = :run", run=first)

    assert [] == importing.column(PATH, run=importing.stage(only_rosters()))


def test_a_run_without_a_scrape_reads_nothing(importing, engine, settings):
    """A merge or an undo has no files, and does not read the archive either."""
    held(importing)
    decide(importing)
    importing.write(
        "insert into etl.runs (run_id, source, as_of, operation) values ('m', 'merge teams 2 into 1', now(), :what)",
        what='{"kind": "merge"}',
    )
    importing.write("insert into etl.run_leagues (run_id, league) values ('m', :l)", l=APTA)
    stage_scrape(engine, settings, "m")

    assert [] == importing.column(PATH, run="m")


@pytest.mark.parametrize("is_staged", [True, False], ids=["staged", "to be parsed again"])
def test_the_bytes_come_from_the_archive(importing, settings, monkeypatch, is_staged):
    """The scrape's folder may be gone; a file whose rows are still staged is not parsed either."""
    held(importing)
    decide(importing)
    if not is_staged:
        importing.write("delete from etl.staged_files where kind = 'match_scores'")
    read = []
    monkeypatch.setattr(
        reading, "split_records", lambda data, split=reading.split_records: read.append(1) or split(data)
    )
    run_id = importing.stage({"series_stats": small()["series_stats"]})

    assert 1 == len(importing.column(PATH, run=run_id))
    assert [4] == importing.column("select count(*) from etl.staged_match_scores where league = :l", l=APTA)
    assert (0 if is_staged else 1) == len(read)


def test_a_file_that_left_the_archive_waits(importing, settings):
    """Somebody tidied the archive: the run goes on without the file, and its rows wait for the next scrape."""
    run_id = held(importing)
    decide(importing)
    (sha256,) = importing.column(
        "select sha256 from etl.source_files where run_id = :run and kind = 'match_scores'", run=run_id
    )
    path_of(settings.archive_dir, sha256).unlink()

    assert [] == importing.column(PATH, run=importing.stage(only_rosters()))


def test_a_damaged_archive_is_a_fault(importing, settings):
    """Bytes that are no longer what was kept are not staged; the ledger says so, and the gate refuses the league."""
    run_id = held(importing)
    decide(importing)
    importing.write("delete from etl.staged_files")
    (sha256,) = importing.column(
        "select sha256 from etl.source_files where run_id = :run and kind = 'match_scores'", run=run_id
    )
    path_of(settings.archive_dir, sha256).write_bytes(b"something else")
    second = importing.stage(only_rosters())

    (fault,) = importing.column(
        "select fault from etl.source_files where run_id = :run and kind = 'match_scores'", run=second
    )
    assert "cannot be read from the archive" in fault
