"""A scrape that was staged before is recognised by its bytes and not read again."""

from __future__ import annotations

import pytest

from rally_etl.sources import reading
from rally_etl.sources.archive import path_of
from scrapes import Import, small

FACTS = "kind, sha256, size_bytes, records, staged, quarantined, faults, votes_home, votes_away, orientation, season"


@pytest.fixture
def importing(engine, settings) -> Import:
    """Steps of an import on an empty database."""
    return Import(engine, settings)


def facts(importing: Import, run_id: str) -> list[tuple]:
    """What the ledger keeps of a run's files."""
    sql = f"select {FACTS} from etl.source_files where run_id = :run order by kind"
    return [tuple(row) for row in importing.rows(sql, run=run_id)]


def test_a_known_file_is_only_hashed(importing, monkeypatch):
    """The second run of the same scrape reads no file and tells the same facts."""
    first = importing.stage(small())
    monkeypatch.setattr(reading, "read_bytes", lambda path, max_bytes: pytest.fail(f"{path.name} was read again"))
    second = importing.stage(small())

    assert facts(importing, first) == facts(importing, second)


def test_a_file_of_the_same_size_with_other_bytes_is_read(importing):
    """Size alone does not make a file known."""
    scrape = small()
    first = importing.stage(scrape)
    scrape["players"][0]["First Name"] = scrape["players"][0]["First Name"][::-1].swapcase()
    second = importing.stage(scrape)

    before, after = facts(importing, first), facts(importing, second)
    assert [row[2] for row in before] == [row[2] for row in after]
    assert 1 == sum(old[1] != new[1] for old, new in zip(before, after, strict=True))


def test_a_known_file_that_the_archive_lost_is_kept_again(importing, settings):
    """The archive holds every file of every run, also after somebody emptied it."""
    first = importing.stage(small())
    archived = [path_of(settings.archive_dir, row[1]) for row in facts(importing, first)]
    for path in archived:
        path.unlink()
    importing.stage(small())

    assert all(path.exists() for path in archived)
