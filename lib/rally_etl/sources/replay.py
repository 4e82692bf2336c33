"""Files that a run reads again: rows of theirs waited for an answer, and it has been given since."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from rally_etl.sources import archive
from rally_etl.sources.scrape import SourceFile

MARK = " (replayed from run "
"""What follows the path of a replayed file in ``etl.source_files``."""

# The newest published file of each league and kind; of a run that was taken back nothing is published.
_DUE = sa.text(
    """
    with newest as (
        select distinct on (f.league, f.kind) f.league, f.kind, f.path, f.sha256, f.run_id, r.started_at
        from etl.run_leagues as n
        join etl.source_files as f on f.league = n.league and f.run_id <> n.run_id and f.fault is null
        join etl.run_leagues as p on p.run_id = f.run_id and p.league = f.league and p.published_at is not null
            and p.state <> 'undone'
        join etl.runs as r on r.run_id = f.run_id
        where n.run_id = :run and f.sha256 is not null
        order by f.league, f.kind, p.published_at desc
    )
    select newest.* from newest
    where exists (
        select from etl.held_rows as h
        join etl.reviews as q on q.league = h.league and q.state in ('accepted', 'rejected')
            and q.kind <> 'orphan'
        where h.run_id = newest.run_id and h.league = newest.league and h.kind = newest.kind
          and q.decided_at > newest.started_at
          and (h.reason like 'waits for %' or h.reason = 'unknown_team' and h.name = q.name))
    order by league, kind
    """
)


def files_to_replay(
    connection: sa.Connection, archive_dir: Path, run_id: str, scraped: frozenset[tuple[str, str]]
) -> list[SourceFile]:
    """Files of the raw archive that the run reads beside its scrape, one at most for each league and kind.

    A kind that the scrape has brings the waiting rows itself. A file that is no longer in the archive is left out: its
    rows wait until the kind is scraped again.

    Args:
        scraped: league and kind of every file of the scrape.
    """
    found = []
    for row in connection.execute(_DUE, {"run": run_id}):
        path = archive.path_of(archive_dir, row.sha256)
        if (row.league, row.kind) not in scraped and path.exists():
            shown = f"{row.path.partition(MARK)[0]}{MARK}{row.run_id})"
            found.append(SourceFile(row.league, row.kind, path, sha256=row.sha256, shown=shown))
    return found
