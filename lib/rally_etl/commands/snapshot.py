"""`rally-etl snapshot`: copies of imported and user tables in files, and the way back to them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rally_etl.commands.repair import AsOf, By, DryRun, Reason, Wait

if TYPE_CHECKING:
    from rally_etl.protection.stored.create import Progress
    from rally_etl.protection.stored.evidence import Restored
    from rally_etl.protection.stored.manifest import Found, Manifest
    from rally_etl.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, messages on stderr.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="As `rally-etl snapshot list` shows it.")]

snapshot = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@snapshot.callback()
def about() -> None:
    """Keep copies of imported and user tables, and go back to them.

    A snapshot is a folder of compressed files that show one moment of the database (params/snapshots.yaml says where).
    It is restored as a plan like any other: checked, decided, published at once, taken back by `undo`.
    """


@snapshot.command("create")
def create(
    name: Annotated[str, typer.Option(help="What it is for, in a few words.", metavar="TEXT")] = "",
    tables: Annotated[
        list[str] | None, typer.Option(help="Copy only this table; may be repeated.", metavar="TABLE")
    ] = None,
    dump: Annotated[
        bool, typer.Option("--dump", help="Beside the tables a dump of the whole database by pg_dump.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the tables as they are at one moment.

    All tables of schema public are copied, over several connections that see the same moment; users go on meanwhile.
    What runs did (schema etl) is not: it is a record, not something to go back to; a dump has it. A snapshot that
    could not be finished is removed.

    Exit codes: 0 taken, 1 failure (nothing is kept), 2 wrong use.
    """
    from rally_etl.commands.terminal import print_json, printable
    from rally_etl.database.engine import connect
    from rally_etl.measures import counted
    from rally_etl.protection.stored.create import create as take

    settings = _settings()
    with _Line() as line:
        taken = take(
            connect(settings, application_name="rally-etl snapshot"),
            settings,
            name=name,
            tables=tables or (),
            dump=dump,
            tell=line.copied,
        )
    if as_json:
        print_json(_document(taken))
        return
    typer.echo(
        printable(
            f"snapshot {taken.id}: {counted(len(taken.tables), 'table')}, {counted(taken.rows, 'row')},"
            f" {_size(taken.bytes)} in {taken.seconds:.1f} s" + (", with a dump" if taken.dump else "")
        )
    )


@snapshot.command("list")
def listed(as_json: AsJson = False) -> None:
    """List the snapshots, the newest last; partial and damaged ones are named as such.

    Exit codes: 0, 1 the folder cannot be read, 2 params that cannot be used.
    """
    from rally_etl.commands.terminal import print_json, printable
    from rally_etl.protection.stored import files, manifest, retention

    settings = _settings()
    folder = retention.folder_of(settings)
    found = manifest.listed(folder, files.being_written(folder))
    if as_json:
        print_json({"folder": str(folder), "snapshots": [_entry(each) for each in found]})
        return
    for each in found:
        typer.echo(printable(_told(each)))
    if not found:
        typer.echo("there is no snapshot\nhint: rally-etl snapshot create", err=True)


@snapshot.command("verify")
def verify(
    snapshot_id: Annotated[str, typer.Argument(metavar="[ID]", help="All complete ones if not given.")] = "",
    as_json: AsJson = False,
) -> None:
    """See that a snapshot can be restored.

    Every file must have its size and SHA-256, and is loaded into a temporary table, where rows and fingerprint must be
    those of the moment of copying.

    Exit codes: 0 all are as written, 3 one is damaged (its files are named), 1 failure, 2 no such snapshot.
    """
    from rally_etl.commands.terminal import print_json, printable
    from rally_etl.database.engine import connect
    from rally_etl.measures import counted
    from rally_etl.protection.stored import manifest, retention
    from rally_etl.protection.stored.verify import verify as check

    settings = _settings()
    folder = retention.folder_of(settings)
    wanted = [manifest.read(folder, snapshot_id)] if snapshot_id else []
    broken = []
    for each in manifest.listed(folder) if not snapshot_id else ():
        wanted += [each.manifest] if each.manifest else []
        broken += [(each.id, manifest.MANIFEST, each.fault)] if each.state == "damaged" else []
    engine, found = connect(settings, application_name="rally-etl snapshot"), {}
    for each in wanted:
        with _Line() as line:
            found[each.id] = check(engine, folder, each, line.verified)
        broken += [(each.id, file.file, file.fault) for file in found[each.id] if file.fault]
    if as_json:
        bad = {key for key, _, _ in broken}
        snapshots = [
            {"id": each.id, "files": len(found[each.id]), "rows": each.rows, "is_good": each.id not in bad}
            for each in wanted
        ]
        faults = [{"id": key, "file": file, "fault": fault} for key, file, fault in broken]
        print_json({"snapshots": snapshots, "damaged": faults})
    else:
        for each in wanted:
            if each.id not in {key for key, _, _ in broken}:
                files = counted(len(found[each.id]), "file")
                typer.echo(f"{each.id}  good: {files}, {counted(each.rows, 'row')} as copied")
        for key, file, fault in broken:
            typer.echo(printable(f"{key}  damaged: {fault if file in fault else f'{file}: {fault}'}"))
        if not wanted and not broken:
            typer.echo("there is no snapshot\nhint: rally-etl snapshot create", err=True)
    raise typer.Exit(3 if broken else 0)


@snapshot.command("restore")
def restore(
    snapshot_id: Id,
    table: Annotated[
        list[str] | None, typer.Option(help="Restore only this table; may be repeated.", metavar="TABLE")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Take away rows that were added since; without it those of users stay.")
    ] = False,
    dry_run: DryRun = False,
    by: By = None,
    reason: Reason = None,
    as_of: AsOf = "",
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Take tables back to a snapshot.

    Rows that are gone come back, changed ones return to what they were. Rows that users have added since stay and are
    listed; imported teams and players added since are switched off, leagues, clubs and series stay, and the rest goes
    where nothing points at it. With --exact all rows added since go; `undo` brings them back.

    Refused, with what is in the way: tables whose columns are others now, rows that would point at nothing or that
    would be of another team or player than when they were written.

    Exit codes: 0 published or nothing differs, 3 NO-GO (nothing was written), 4 held for approval, 1 failure, 2 it
    cannot be done (why is said), 5 another run holds the lock.
    """
    from datetime import date

    from rally_etl import runs
    from rally_etl.commands.repair import signed
    from rally_etl.commands.terminal import Terminal, print_json, printable
    from rally_etl.database.engine import connect
    from rally_etl.errors import UsageError
    from rally_etl.protection.stored import manifest, retention
    from rally_etl.protection.stored.evidence import compare_live, kept_rows
    from rally_etl.protection.stored.plan import OF_STRUCTURE

    try:
        day = date.fromisoformat(as_of) if as_of else None
    except ValueError:
        raise UsageError(f"{as_of!r} is no date; nothing was planned\nhint: write it as 2025-10-01") from None
    settings = _settings()
    found = manifest.read(retention.folder_of(settings), snapshot_id)
    tables = [each for each in manifest.names_of(found.tables) if each not in OF_STRUCTURE]
    if table:
        tables = sorted({found.table(name).name for name in table})
    operation: dict[str, Any] = {"kind": "restore", "snapshot": found.id, "tables": tables, "exact": exact}
    operation |= signed("a restore", by, reason)
    engine = connect(settings)
    with Terminal() as terminal:
        leagues = _leagues(engine, settings, found)
        document = runs.operate(
            settings, operation, leagues, dry_run=dry_run, tell=terminal.tell, as_of=day, wait_s=wait
        )
    terminal.conclude(document)
    compared, kept = [], []
    if all(each["published"] for each in document["leagues"].values()):
        with engine.connect() as connection:
            compared = compare_live(connection, settings, document["run_id"], operation)
            kept = kept_rows(connection, document["run_id"])
    if as_json:
        restored = [
            {
                "table": each.table,
                "rows": each.rows,
                "was_changed": each.was_changed,
                "kept": each.kept,
                "is_as_stored": each.is_as_stored,
            }
            for each in compared
        ]
        print_json(document | {"restored": restored})
    else:
        for told in _told_restored(compared, kept):
            typer.echo(printable(told))
    raise typer.Exit(document["exit_code"])


@snapshot.command("prune")
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, remove nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the snapshots that params/snapshots.yaml does not keep, and what killed processes have left.

    The newest complete one always stays; damaged ones are left for somebody to look at.

    Exit codes: 0, 1 something cannot be removed, 2 params that cannot be used.
    """
    from rally_etl.commands.terminal import print_json
    from rally_etl.measures import counted
    from rally_etl.protection.stored import prune as pruning
    from rally_etl.protection.stored import retention

    settings = _settings()
    params = retention.load_snapshot_params(settings.params_dir)
    gone = pruning.prune(retention.folder_of(settings, params), params, dry_run)
    freed = sum(each.bytes for each in gone)
    if as_json:
        removed = [{"name": each.name, "bytes": each.bytes, "why": each.why} for each in gone]
        print_json({"dry_run": dry_run, "removed": removed, "freed": freed})
        return
    for each in gone:
        typer.echo(f"{each.name}  {_size(each.bytes):>10}  {each.why}")
    verb = "would be removed" if dry_run else "removed"
    typer.echo(f"{counted(len(gone), 'snapshot')} {verb}, {_size(freed)} {'would be ' if dry_run else ''}freed")


def _settings() -> Settings:
    from rally_etl.settings import Settings

    return Settings.from_env()


def _leagues(engine: Any, settings: Settings, found: Manifest) -> list[str]:
    """Keys of the leagues that are live, and of those that come back."""
    import sqlalchemy as sa

    from rally_etl.naming import load_leagues

    known = load_leagues(settings.params_dir)
    with engine.connect() as connection:
        is_there = connection.scalar(sa.text("select to_regclass('public.leagues') is not null"))
        live = connection.scalars(sa.text("select league_id from public.leagues")).all() if is_there else []
    return sorted({known.canonical(key) or key for key in live if key} | set(found.leagues))


def _told_restored(compared: list[Restored], kept: list[Any]) -> Iterator[str]:
    """Tables that are not as before, the rows in them that stay although they were added since, and all others."""
    from rally_etl.measures import counted

    others = 0
    for each in compared:
        if not each.was_changed and each.is_as_stored:
            others += 1
            continue
        yield each.told
        for row in [row for row in kept if row.kind == each.table]:
            more = f" and {row.row_count - len(row.names):,} more" if row.row_count > len(row.names) else ""
            yield f"  {row.reason}: {', '.join(row.names)}{more}"
    if others:
        yield f"{counted(others, 'table')} had not changed since the snapshot"


def _document(taken: Manifest) -> dict[str, Any]:
    return {
        "id": taken.id, "name": taken.name, "taken_at": taken.taken_at.isoformat(), "rows": taken.rows,
        "bytes": taken.bytes, "dump": taken.dump is not None, "server_version": taken.server_version,
        "product_version": taken.product_version,
        "tables": [
            {"table": each.name, "rows": each.rows, "bytes": each.bytes, "fingerprint": each.fingerprint}
            for each in taken.tables
        ],
    }  # fmt: skip


def _entry(each: Found) -> dict[str, Any]:
    facts = {"id": each.id, "state": each.state, "is_complete": each.state == "complete", "fault": each.fault}
    if not each.manifest:
        return facts
    age = datetime.now(UTC) - each.manifest.taken_at
    return facts | _document(each.manifest) | {"age_s": round(age.total_seconds())}


def _told(each: Found) -> str:
    from rally_etl.measures import counted

    if not each.manifest:
        states = {
            "writing": "is being written",
            "partial": "partial, left by a process that did not end: `rally-etl snapshot prune` removes it",
        }
        return f"{each.id}  {states.get(each.state) or f'damaged: manifest.json: {each.fault}'}"
    found = each.manifest
    age = _age((datetime.now(UTC) - found.taken_at).total_seconds())
    tables, rows = counted(len(found.tables), "table"), counted(found.rows, "row")
    dump = ", dump" if found.dump else ""
    facts = f"{found.taken_at:%Y-%m-%d %H:%M} UTC  {age:>9}  {tables}, {rows}, {_size(found.bytes)}{dump}"
    return f"{each.id}  {facts}  {found.name}".rstrip()


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:,.0f} {unit} old"
    return f"{max(0, seconds):.0f} s old"


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} GiB"


class _Line:
    """One line that moves on a terminal, and nothing elsewhere."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *error: object) -> None:
        self._write("")

    def copied(self, progress: Progress) -> None:
        """How far the copying is."""
        self._write(
            f"{progress.done} of {progress.tables} tables, {progress.rows:,} rows, {_size(progress.bytes)} written"
        )

    def verified(self, done: int, of: int) -> None:
        """How far the verification is."""
        self._write(f"{done} of {of} files verified")

    def _write(self, text: str) -> None:
        if self._shows:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
