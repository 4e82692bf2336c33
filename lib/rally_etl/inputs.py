"""What a run was begun with: a run that is resumed must find the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rally_etl import __version__, naming
from rally_etl.database.catalog import quote
from rally_etl.errors import UsageError
from rally_etl.planning.recording import plan_hash
from rally_etl.planning.schema import read_planned, schemas
from rally_etl.settings import Settings
from rally_etl.sources import SourceFile, archive, read_scrape, reading
from rally_etl.sources.replay import MARK

SHOWN = 5  # names that a sentence lists

_TO_LIVE = "state in ('published', 'undone')"
_LATER = sa.text(
    f"select distinct run_id, league from etl.state_changes where number > :number and run_id <> :run and {_TO_LIVE}"
    " order by run_id, league"
)
_ANSWERED = sa.text(
    """
    select q.number, q.league, q.name from etl.reviews as q
    join etl.run_leagues as l on l.run_id = :run and l.league = q.league
    where q.decided_at > (select started_at from etl.stages where run_id = :run and stage = 'import')
      and q.state in ('accepted', 'rejected')
    order by q.number
    """
)


def note_inputs(engine: sa.Engine, settings: Settings, run_id: str) -> None:
    """Record what decides, now that the run begins, what its notebooks find."""
    with engine.begin() as connection:
        number = connection.scalar(sa.text(f"select coalesce(max(number), 0) from etl.state_changes where {_TO_LIVE}"))
        connection.execute(
            sa.text("update etl.runs set inputs = cast(:inputs as jsonb) where run_id = :run"),
            {"run": run_id, "inputs": json.dumps(_read(settings) | {"live": number})},
        )


def differences(engine: sa.Engine, settings: Settings, run: sa.Row, *, is_planned: bool) -> list[str]:
    """What is not as it was when the run began, a sentence each; empty when it may go on.

    Args:
        run: its row of ``etl.runs``.
        is_planned: its import is sealed, so that its plan is what goes on.
    """
    if run.inputs is None:
        return ["what it was begun with was not recorded"]
    now = _read(settings)
    told = []
    if run.inputs["product"] != now["product"]:
        told.append(f"the product was {run.inputs['product']}, is {now['product']}")
    for what in ("params", "notebooks"):
        told += _changed(f"{what}/", run.inputs[what], now[what])
    with engine.connect() as connection:
        later = connection.execute(_LATER, {"number": run.inputs["live"], "run": run.run_id}).all()
        told += [f"run {row.run_id} has published {row.league} since" for row in later[:SHOWN]]
        if is_planned:
            answered = connection.execute(_ANSWERED, {"run": run.run_id}).all()
            told += [f"question {row.number} ({row.league}: {row.name}) was answered since" for row in answered[:SHOWN]]
            told += _plan_differs(connection, run.run_id)
        if run.operation is None:
            told += _sources_differ(connection, settings, run, is_planned)
    return told


def _read(settings: Settings) -> dict[str, Any]:
    return {
        "product": __version__,
        "params": _hashes(settings.params_dir, settings.params_dir.rglob("*")),
        "notebooks": _hashes(settings.notebooks_dir, settings.notebooks_dir.glob("0*.ipynb")),
    }


def _hashes(folder: Path, paths: Iterable[Path]) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(paths) if path.is_file()}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _changed(prefix: str, before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Files that are others than before, at most a few by name."""
    told = [
        f"{prefix}{name} {'is gone' if name not in now else 'is new' if name not in before else 'has changed'}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    return told[:SHOWN] + ([f"and {len(told) - SHOWN} more of {prefix}"] if len(told) > SHOWN else [])


def _plan_differs(connection: sa.Connection, run_id: str) -> list[str]:
    """Whether the plan is no longer the one that the ledger has the hash of."""
    plan = schemas(run_id)[0]
    if connection.scalar(sa.text("select to_regnamespace(:plan)"), {"plan": quote(plan)}) is None:
        return ["its plan is no longer kept"]
    catalog = read_planned(connection, run_id)
    connection.execute(sa.text(f"set local search_path = {quote(plan)}, pg_temp"))
    sql = "select league, plan_hash from etl.run_leagues where run_id = :run and plan_hash is not null order by league"
    recorded = connection.execute(sa.text(sql), {"run": run_id}).all()
    return [
        f"the plan of {row.league} is not the one that was recorded"
        for row in recorded
        if row.plan_hash != plan_hash(connection, run_id, catalog, row.league)
    ]


def _sources_differ(connection: sa.Connection, settings: Settings, run: sa.Row, is_planned: bool) -> list[str]:
    """Whether the folder holds other files than those that were read.

    A folder that is gone is no obstacle once its files are planned and in the archive. A file that was not read before
    the run died may be any.
    """
    rows = connection.execute(
        sa.text(
            "select f.league, f.kind, f.path, f.sha256 from etl.source_files as f where f.run_id = :run order by 1, 2"
        ),
        {"run": run.run_id},
    ).all()
    read = {(row.league, row.kind): row for row in rows if MARK not in row.path}
    folder = settings.root / run.source
    if not folder.is_dir():
        lost = [row.path for row in read.values() if row.sha256 and not _is_kept(settings, row.sha256)]
        if is_planned and not lost:
            return []
        return [f"the folder {run.source} is gone" + (f", and the archive lacks {', '.join(lost)}" if lost else "")]
    sql = "select league from etl.run_leagues where run_id = :run order by league"
    wanted = tuple(connection.scalars(sa.text(sql), {"run": run.run_id}))
    try:
        found = read_scrape(folder, naming.load_leagues(settings.params_dir), wanted)
    except UsageError as error:
        return [str(error).partition(";")[0]]
    there = {(file.league, file.kind): file for file in found.files}
    told = []
    for key, row in read.items():
        if key not in there:
            told.append(f"{row.path} is gone from {run.source}")
        elif _sha256_now(settings, there[key]) != row.sha256:
            told.append(f"{row.path} in {run.source} has changed")
    if is_planned:
        told += [f"{there[key].name} in {run.source} is new" for key in sorted(there.keys() - read.keys())]
    return told


def _is_kept(settings: Settings, sha256: str) -> bool:
    return archive.path_of(settings.archive_dir, sha256).exists()


def _sha256_now(settings: Settings, file: SourceFile) -> str | None:
    """None for a file that cannot be read, as the ledger has it."""
    try:
        return None if file.fault else archive.sha256_of(reading.read_bytes(file.path, settings.max_file_bytes))
    except reading.FileFault:
        return None
