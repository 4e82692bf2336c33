"""The archive of reports: a manifest per run, chained by hashes, and the list of runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock

from rally_etl.database.engine import read_only
from rally_etl.monitoring.metrics import metrics_document
from rally_etl.reporting import overview, page, pages, recorded
from rally_etl.reporting.executed import Scrub
from rally_etl.reporting.files import sha256, write_text
from rally_etl.reporting.persons import Persons
from rally_etl.settings import Settings

MANIFEST = "manifest.json"
LOG = "manifests.sha256"  # in the form of sha256sum, oldest first, so that `sha256sum -c` checks it too
IGNORED = (".work",)


def write_report(engine: sa.Engine, settings: Settings, run_id: str, document: dict) -> Path:
    """Write a run's front page, `run.json`, `metrics.json`, manifest, and the list of all runs; answer the front page.

    A report may be written again (a held plan was approved): the manifest before stays in the folder under a number,
    and the new one continues the chain.
    """
    folder = settings.reports_dir / run_id
    folder.mkdir(parents=True, exist_ok=True)
    pages.write_plotly(folder)
    index = folder / "index.html"
    scrub = Scrub.of(settings, engine.url, Persons(engine, run_id))
    document = scrub.values(json.loads(json.dumps(document, default=str)))
    write_text(folder / "run.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    write_text(index, scrub.text(page.write_index(engine, settings.params_dir, folder, run_id, document)))
    with read_only(engine, "public") as connection:
        metrics = json.dumps(metrics_document(connection, run_id), indent=1, ensure_ascii=False, allow_nan=False)
        write_text(folder / "metrics.json", scrub.text(metrics) + "\n")
        files = recorded.source_files(connection, run_id)
        facts = recorded.run(connection, run_id) or {}
    sources = {f"{row['league']}/{row['kind']}": row["sha256"] for row in files if row["sha256"]}
    run = {"source": facts.get("source", ""), "started_at": f"{facts['started_at']:%Y-%m-%d %H:%M}" if facts else ""}
    with FileLock(settings.reports_dir / ".lock"):
        write_manifest(settings, run_id, sources, run)
        overview.write_list(engine, settings)
    return index


def write_list(engine: sa.Engine, settings: Settings) -> Path:
    """Write the list of all runs again, with what is open now."""
    with FileLock(settings.reports_dir / ".lock"):
        return overview.write_list(engine, settings)


def write_manifest(settings: Settings, run_id: str, sources: dict[str, str], run: dict[str, str]) -> Path:
    """Write `manifest.json` of a run's folder: hashes of its files, of sources, params and the manifest before."""
    folder = settings.reports_dir / run_id
    target = folder / MANIFEST
    entries = _read_log(settings.reports_dir)
    if target.exists():
        kept = folder / f"manifest.{sum(1 for _ in folder.glob('manifest.*.json')) + 1}.json"
        target.rename(kept)
        here = f"{run_id}/{MANIFEST}"
        entries = [(digest, f"{run_id}/{kept.name}" if name == here else name) for digest, name in entries]
    manifest = {
        "run_id": run_id,
        **run,
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "previous": {"sha256": entries[-1][0], "manifest": entries[-1][1]} if entries else None,
        "files": {name: sha256(folder / name) for name in _files(folder)},
        "sources": sources,
        "params": {
            path.relative_to(settings.params_dir).as_posix(): sha256(path)
            for path in sorted(settings.params_dir.rglob("*"))
            if path.is_file()
        },
        "versions": page.versions(),
    }
    write_text(target, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    entries.append((sha256(target), f"{run_id}/{MANIFEST}"))
    write_text(settings.reports_dir / LOG, "".join(f"{digest}  {name}\n" for digest, name in entries))
    return target


def verify_reports(settings: Settings, run_id: str | None = None) -> list[str]:
    """Compute all hashes again and follow the chain of manifests.

    Returns:
        One sentence per problem; empty when the archive is as it was written.
    """
    reports = settings.reports_dir
    entries = _read_log(reports)
    problems, before = [], None
    for digest, name in entries:
        path = reports / name
        if run_id is None or name.startswith(f"{run_id}/"):
            problems += _problems_of(path, name, digest, before)
        before = digest
    written = {name.partition("/")[0] for _, name in entries}
    if run_id is not None and run_id not in written:
        problems.append(f"run {run_id} is not in the archive: {LOG} does not name it")
    if run_id is None:
        unlisted = {path.parent.name for path in reports.glob(f"*/{MANIFEST}")} - written
        problems += [f"{name}/{MANIFEST} is not in {LOG}" for name in sorted(unlisted)]
    return problems


def _problems_of(path: Path, name: str, digest: str, before: str | None) -> list[str]:
    if not path.is_file():
        return [f"{name} is gone"]
    if sha256(path) != digest:
        return [f"{name} was changed: its hash is not the one in {LOG}"]
    manifest = json.loads(path.read_text(encoding="utf-8"))
    previous = manifest["previous"]["sha256"] if manifest["previous"] else None
    problems = [] if previous == before else [f"{name} does not follow the manifest before it: the chain is broken"]
    if path.name != MANIFEST:
        return problems  # an earlier manifest of this run: its files have been written again since
    folder = path.parent
    for file, expected in manifest["files"].items():
        if not (folder / file).is_file():
            problems.append(f"{path.parent.name}/{file} is gone")
        elif sha256(folder / file) != expected:
            problems.append(f"{path.parent.name}/{file} was changed")
    added = set(_files(folder)) - manifest["files"].keys()
    return problems + [f"{path.parent.name}/{file} was added" for file in sorted(added)]


def _files(folder: Path) -> list[str]:
    """Every file of a run's folder but its newest manifest, by its path in the folder."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(name.as_posix() for name in names if name.parts[0] not in IGNORED and name.as_posix() != MANIFEST)


def _read_log(reports: Path) -> list[tuple[str, str]]:
    """The manifests in the order in which they were written: hash and path in the reports folder."""
    log = reports / LOG
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [(line[:64], line[66:]) for line in lines if len(line) > 66]
