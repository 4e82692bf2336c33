"""Read a run's scrape: archive every file, stage its records, list it in the ledger."""

from __future__ import annotations

import gc
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl import logs, naming, records
from rally_etl.errors import RallyEtlError
from rally_etl.sources import archive, reading, staging
from rally_etl.sources.replay import files_to_replay
from rally_etl.sources.scrape import SourceFile, read_scrape

if TYPE_CHECKING:
    from rally_etl.naming import League, Leagues
    from rally_etl.settings import Settings

CLEAR_SHARE = 0.99  # a file must vote this clearly for one side, or its orientation is unknown
_UNUSED_MATCH_FILE = {"votes_home": None, "votes_away": None, "orientation": None}


def stage_scrape(
    engine: sa.Engine, settings: Settings, run_id: str, on_file: Callable[[str], None] | None = None
) -> None:
    """Archive and stage every file of the run's scrape and write ``etl.source_files``.

    A file that cannot be used is listed with its fault and staged nothing; the other files go on. Each file is staged
    in one transaction of its own. Files whose rows waited for an answer that has been given are read again.
    A run without a scrape (merge, undo) has no files. What an attempt that was broken off has listed is listed anew.
    """
    with engine.connect() as connection:
        source, is_operation = connection.execute(
            sa.text("select source, operation is not null from etl.runs where run_id = :run"), {"run": run_id}
        ).one()
        if is_operation:
            return
        wanted = connection.execute(
            sa.text("select league from etl.run_leagues where run_id = :run order by league"), {"run": run_id}
        ).scalars()
        scrape = read_scrape(settings.root / source, leagues := naming.load_leagues(settings.params_dir), tuple(wanted))
        scraped = frozenset((file.league, file.kind) for file in scrape.files)
        replayed = files_to_replay(connection, settings.archive_dir, run_id, scraped)
    rules = ruleset(settings.params_dir)
    with engine.begin() as connection:
        connection.execute(sa.text("delete from etl.source_files where run_id = :run"), {"run": run_id})
    for file in (*scrape.files, *replayed):
        began = time.monotonic()
        with logs.bound(league=file.league, file=f"{file.league}/{file.kind}"), engine.begin() as connection:
            facts = _stage_file(connection, settings, file, leagues, rules)
            connection.execute(
                _INSERT_FILE,
                {
                    "run": run_id,
                    "league": file.league,
                    "kind": file.kind,
                    "path": file.name,
                }
                | facts,
            )
        _log(file, facts, time.monotonic() - began)
        if on_file:
            on_file(file.name)


def _log(file: SourceFile, facts: Mapping[str, object], seconds: float) -> None:
    with logs.bound(league=file.league, file=f"{file.league}/{file.kind}"):
        if facts["fault"]:
            logs.event("file.refused", reason=facts["fault"], sha256=facts["sha256"], bytes=facts["size_bytes"])
            return
        counts = {name: facts[name] for name in ("sha256", "records", "staged", "quarantined")}
        logs.event("file.read", **counts, bytes=facts["size_bytes"], seconds=seconds)


def ruleset(params_dir: Path) -> str:
    """A digest of everything that decides how a record is read: the code of records and names, and the params."""
    packages = [Path(package.__file__).parent for package in (records, naming)]
    files = [path for folder in packages for path in sorted(folder.glob("*.py"))]
    files += [*sorted((params_dir / "leagues").glob("*.yaml")), params_dir / "clubs.yaml"]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


_FACTS = (
    "sha256", "size_bytes", "f.records", "f.staged", "f.quarantined", "faults",
    "votes_home", "votes_away", "orientation", "season",
)  # fmt: skip
"""What the ledger keeps of a file besides its place and its fault."""

_INSERT_FILE = sa.text(
    """
    insert into etl.source_files (run_id, league, kind, path, sha256, size_bytes, ruleset, records, staged, quarantined,
                                  faults, votes_home, votes_away, orientation, season, fault)
    values (:run, :league, :kind, :path, :sha256, :size_bytes, :ruleset, :records, :staged, :quarantined,
            :faults, :votes_home, :votes_away, :orientation, :season, :fault)
    """
)


def _stage_file(
    connection: sa.Connection, settings: Settings, file: SourceFile, leagues: Leagues, rules: str
) -> dict[str, object]:
    facts: dict[str, object] = dict.fromkeys(name.removeprefix("f.") for name in _FACTS)
    facts |= {"ruleset": rules, "fault": None}
    try:
        if file.fault:
            raise reading.FileFault(file.fault)
        if known := _known_facts(connection, settings, file, rules):
            return facts | known
        data = _archived(settings, file) if file.sha256 else reading.read_bytes(file.path, settings.max_file_bytes)
        sha256 = archive.sha256_of(data)
        facts |= {"sha256": sha256, "size_bytes": len(data)}
        # the archive compresses on the other core while records are parsed on this one
        with _no_collector(), ThreadPoolExecutor(1) as pool:
            kept = pool.submit(archive.keep, settings.archive_dir, data, sha256)
            facts |= _stage_records(connection, staging.FileKey(file.league, file.kind, sha256, rules), data, leagues)
            kept.result()
    except reading.FileFault as fault:
        facts |= {"records": 0, "staged": 0, "quarantined": 0, "faults": 0, "fault": str(fault)}
    return facts


def _archived(settings: Settings, file: SourceFile) -> bytes:
    try:
        return archive.fetch(settings.archive_dir, file.sha256)
    except RallyEtlError as error:
        raise reading.FileFault(str(error)) from None


def _known_facts(
    connection: sa.Connection, settings: Settings, file: SourceFile, rules: str
) -> dict[str, object] | None:
    """What the ledger says of this very file, when the staged tables hold it already; its bytes are only hashed."""
    found = connection.execute(
        sa.text(
            f"select {', '.join(_FACTS)} from etl.staged_files"
            " join etl.source_files as f using (league, kind, sha256, ruleset)"
            " where league = :league and kind = :kind and ruleset = :rules and f.fault is null"
            " order by f.run_id desc limit 1"
        ),
        {"league": file.league, "kind": file.kind, "rules": rules},
    ).mappings()
    row = found.first()
    try:
        if row is None:
            return None
        if file.sha256:
            return dict(row) if file.sha256 == row["sha256"] else None
        if file.path.stat().st_size != row["size_bytes"]:
            return None
        with file.path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None  # reading it anew says what is wrong
    is_kept = archive.path_of(settings.archive_dir, sha256).exists()
    return dict(row) if sha256 == row["sha256"] and is_kept else None


@contextmanager
def _no_collector() -> Iterator[None]:
    """Nothing here makes cycles, and the collector would walk a million records again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _stage_records(connection: sa.Connection, key: staging.FileKey, data: bytes, leagues: Leagues) -> dict[str, object]:
    league: League = leagues.get(key.league)
    parser = records.parser(key.kind, league, leagues)
    staged = staging.stage(connection, key, reading.split_records(data), parser)
    facts: dict[str, object] = {"records": staged.records, "staged": staged.staged, "quarantined": staged.quarantined}
    facts |= {"faults": _fault_count(connection, key), "season": _season(connection, key)}
    return facts | _orientation(connection, key)


def _fault_count(connection: sa.Connection, key: staging.FileKey) -> int:
    """Quarantined records that speak of damage, not of junk or repetition.

    A placeholder is an empty seat in a roster, but in a match file it is a page that the scraper could not read.
    """
    names = [reason for reason, reason_class in records.REASONS.items() if reason_class == "fault"]
    if key.kind == "match_scores":
        names.append("placeholder")
    return connection.execute(
        sa.text(
            "select count(*) from etl.quarantine where sha256 = :sha256 and ruleset = :ruleset and league = :league"
            " and kind = :kind and reason = any(:names)"
        ),
        {"sha256": key.sha256, "ruleset": key.ruleset, "league": key.league, "kind": key.kind, "names": names},
    ).scalar_one()


def _season(connection: sa.Connection, key: staging.FileKey) -> int | None:
    """The year in which the season of most dated rows ends; seasons run from August to July."""
    if key.kind not in ("match_scores", "schedules"):
        return None
    return connection.execute(
        sa.text(
            f"select cast(extract(year from match_date + interval '5 months') as integer) from etl.staged_{key.kind}"
            " where league = :league and match_date is not null group by 1 order by count(*) desc, 1 desc limit 1"
        ),
        {"league": key.league},
    ).scalar()


def _orientation(connection: sa.Connection, key: staging.FileKey) -> dict[str, object]:
    """Whose number comes first in this file's scores, by vote of its decidable lines; None when they disagree."""
    if key.kind != "match_scores":
        return dict(_UNUSED_MATCH_FILE)
    home, away = connection.execute(
        sa.text(
            "select count(*) filter (where vote > 0), count(*) filter (where vote < 0)"
            " from etl.staged_match_scores where league = :league"
        ),
        {"league": key.league},
    ).one()
    side = None
    if home + away and max(home, away) >= CLEAR_SHARE * (home + away):
        side = "home" if home > away else "away"
    return {"votes_home": home, "votes_away": away, "orientation": side}
