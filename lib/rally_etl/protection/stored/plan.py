"""The operation ``restore``: tables go back to a snapshot, as a plan of the rows that differ."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote, read_catalog
from rally_etl.database.references import read_reference_params
from rally_etl.errors import RallyEtlError, UsageError
from rally_etl.naming import Leagues, load_leagues
from rally_etl.planning import folding, schema
from rally_etl.planning.operations import Kind, Planned
from rally_etl.planning.temporary import write_temporary
from rally_etl.protection.meaning import read_meaning
from rally_etl.protection.snapshots.definitions import Definition, name_schemas, read_definitions, run
from rally_etl.protection.stored import differing, manifest, referring, retention
from rally_etl.protection.stored.differing import Differing
from rally_etl.protection.stored.loading import Loaded, load
from rally_etl.protection.stored.manifest import Manifest, StoredTable
from rally_etl.protection.stored.rows import NOTHING, fingerprint_of, pin

if TYPE_CHECKING:
    from rally_etl.settings import Settings

OF_STRUCTURE = ("alembic_version",)
"""Tables that say what the others are made of, not what is in them: they stay as they are unless they are named."""

LISTED_ROWS = 200  # per table and reason
TOLD_TABLES = 4
RESTORED = "restored"
"""Table of the plan's schema: one row per restored table, with the fingerprints of live when the plan was made and of
the rows that were added since and stay."""


def told(operation: Mapping[str, Any]) -> str:
    """The operation in a few words."""
    tables = operation["tables"]
    named = ", ".join(tables) if len(tables) <= TOLD_TABLES else f"{len(tables)} tables"
    return f"restore {operation['snapshot']} ({named}{', exactly' if operation.get('exact') else ''})"


def leagues_of(_connection: sa.Connection, _leagues: Leagues, _operation: Mapping[str, Any]) -> list[str]:
    """A snapshot may concern any league."""
    return []


@dataclass(slots=True)
class _Restoring:
    """One restore while it is planned."""

    connection: sa.Connection
    folder: Path
    snapshot: Manifest
    tables: dict[str, Table]
    loaded: dict[str, Loaded] = field(default_factory=dict)
    unchanged: set[str] = field(default_factory=set)
    differing: dict[str, Differing] = field(default_factory=dict)

    def load(self, name: str) -> Loaded | None:
        """Rows of a table of the snapshot, loaded once; None where it has none of that name."""
        stored = next((table for table in self.snapshot.tables if table.name == name), None)
        if stored and name not in self.loaded:
            number = len(self.loaded) + 1
            self.loaded[name] = load(self.connection, self.folder / self.snapshot.id, stored, f"stored {number}")
        return self.loaded.get(name)


def plan_restore(
    connection: sa.Connection,
    catalog: dict[str, Table],
    settings: Settings,
    run_id: str,
    operation: Mapping[str, Any],
    keys: list[str],
) -> Planned:
    """Plan the way back of the tables that the operation names; the plan's schema comes first in ``search_path``.

    Rows that are gone come back, changed ones return to what they were. Of those added since, rows of users stay and
    imported ones follow `differing.choose`; with ``exact`` all of them go. A table that is as in the snapshot is not
    planned for. What the plan makes of each table has the snapshot's fingerprint, but for the rows that stay.

    Returns:
        the user tables for which plan tables were made, and the rows that stay although they were added since.

    Raises:
        UsageError: a table has other columns than then or no key, rows would point at nothing or at another thing, or
            two rows could not stand beside one another; the message names them.
        Damaged: a file of the snapshot is not what was written.
    """
    folder = retention.folder_of(settings)
    snapshot = manifest.read(folder, operation["snapshot"])
    stored = {name: snapshot.table(name) for name in operation["tables"]}
    pin(connection)
    params = read_reference_params(settings.params_dir / "references.yaml")
    definitions = _definitions(connection, stored)
    tables = read_catalog(connection, tuple(stored))
    restoring = _Restoring(connection, folder, snapshot, tables)
    _refuse_altered(snapshot, stored, definitions)
    live = {
        name: fingerprint_of(connection, "public", name, [column.name for column in table.copied])
        for name, table in stored.items()
    }
    restoring.unchanged |= {name for name, table in stored.items() if live[name] == table.fingerprint}
    _refuse_keyless(restoring, stored)
    _refuse_unequal(restoring, stored)
    touched = _compare(restoring, catalog, run_id, params.practice_rows, bool(operation.get("exact")))
    _write_leagues(restoring, load_leagues(settings.params_dir), keys)
    for each in restoring.differing.values():
        differing.write(connection, each, keys)
    pointers = referring.find_pointers(connection, params)
    referring.keep_what_is_used(connection, pointers, restoring.differing, bool(operation.get("exact")))
    held = _refuse_broken(restoring, pointers, frozenset(stored))
    _refuse_moved(restoring, settings, params, keys)
    _refuse_doubled(restoring)
    _advance_sequences(restoring, definitions)
    _note(restoring, run_id, stored, live)
    for name, each in restoring.differing.items():
        held.update(_stays(connection, name, each))
    return Planned(touched, held)


def _definitions(connection: sa.Connection, tables: Iterable[str]) -> dict[str, Definition]:
    """What live tables are made of, in texts that name every schema."""
    path = run(connection, "select current_setting('search_path')").scalar_one()
    name_schemas(connection)
    found = read_definitions(connection, tables).tables
    connection.execute(sa.text("select set_config('search_path', :path, true)"), {"path": path})
    return found


def differences_of(stored: StoredTable, now: Definition | None) -> list[str]:
    """What is different in the columns and the key of a table, a sentence each."""
    if now is None:
        return ["it is not there"]
    before, after = ({each["name"]: each for each in columns} for columns in (_described(stored), now["columns"]))
    changes = [f"column {name} is gone" for name in before if name not in after]
    changes += [f"column {name} is new" for name in after if name not in before]
    changes += [
        f"column {name}: {what} was {before[name][what] or 'none'}, is {after[name][what] or 'none'}"
        for name in before
        if name in after
        for what in ("type", "generated", "collation")
        if before[name][what] != after[name][what]
    ]
    if list(stored.key) != now["key"]:
        changes.append(f"its key was {', '.join(stored.key) or 'none'}, is {', '.join(now['key']) or 'none'}")
    return changes


def _described(stored: StoredTable) -> list[dict[str, Any]]:
    return [column.model_dump() for column in stored.columns]


def _refuse_altered(
    snapshot: Manifest, stored: Mapping[str, StoredTable], definitions: Mapping[str, Definition]
) -> None:
    found = {name: differences_of(table, definitions.get(name)) for name, table in stored.items()}
    if altered := {name: changes for name, changes in found.items() if changes}:
        raise UsageError(
            "tables are not made as they were: "
            + "; ".join(f"{name}: {', '.join(changes)}" for name, changes in altered.items())
            + f"; nothing was planned\nhint: {_others(snapshot, stored, altered)}"
        )


def _refuse_keyless(restoring: _Restoring, stored: Mapping[str, StoredTable]) -> None:
    keyless = [
        name
        for name, table in restoring.tables.items()
        if name not in restoring.unchanged and not _tells_apart(restoring, table, stored[name])
    ]
    if keyless:
        raise UsageError(
            f"nothing tells the rows of {', '.join(keyless)} apart, and they are not as in the snapshot; nothing was"
            f" planned\nhint: {_others(restoring.snapshot, stored, keyless)}"
        )


def _refuse_unequal(restoring: _Restoring, stored: Mapping[str, StoredTable]) -> None:
    """A plan is hashed and compared row by row; a few types (json, xml, money, geometric ones) cannot be."""
    found = {}
    for name, table in restoring.tables.items():
        if name in restoring.unchanged:
            continue
        for column in table.columns:
            try:
                with restoring.connection.begin_nested():
                    run(restoring.connection, f"select hash_record_extended(row(cast(null as {column.type})), 0)")
            except sa.exc.DBAPIError as error:
                if error.connection_invalidated:
                    raise
                found[name] = f"{name}.{column.name} of type {column.type}"
    if found:
        raise UsageError(
            f"nothing can compare values of {', '.join(found.values())}, and these tables are not as in the snapshot;"
            f" nothing was planned\nhint: {_others(restoring.snapshot, stored, found)}"
        )


def _others(snapshot: Manifest, stored: Iterable[str], left_out: Collection[str]) -> str:
    """What to do without some of the tables."""
    others = " ".join(f"--table {shlex.quote(name)}" for name in stored if name not in left_out)
    if others:
        return f"restore the others: rally-etl snapshot restore {snapshot.id} {others}"
    return f"the files of {snapshot.id} hold the rows in COPY's text format, for psql's \\copy"


def _tells_apart(restoring: _Restoring, table: Table, stored: StoredTable) -> bool:
    """Whether the columns by which a plan knows rows are filled and never equal, in live and in the snapshot."""
    if not table.key or table.key == stored.key:
        return bool(table.key)
    (key,) = table.key  # a column `id` that is no primary key
    return all(
        run(
            restoring.connection,
            f"select count(*) = count(distinct {quote(key)}) from {relation}",
        ).scalar_one()
        for relation in (quote("public", table.name), restoring.load(table.name).sql)
    )


def _compare(
    restoring: _Restoring, catalog: Mapping[str, Table], run_id: str, practice_rows: str, is_exact: bool
) -> dict[str, Table]:
    """Load and compare every table that is not as it was; answer those of users, for which plan tables are made."""
    connection, touched = restoring.connection, {}
    plan = schema.schemas(run_id)[0]
    for name, table in restoring.tables.items():
        if name in restoring.unchanged:
            continue
        if name not in catalog:
            touched[name] = table
            schema.add_tables(connection, run_id, {name: table})
        loaded, number = restoring.load(name), len(restoring.differing) + 1
        each = differing.compare(connection, table, loaded, quote(plan, name), number)
        differing.choose(connection, each, practice_rows, is_exact)
        restoring.differing[name] = each
    return touched


def _write_leagues(restoring: _Restoring, known: Leagues, keys: Collection[str]) -> None:
    """Make ``pg_temp.restored_leagues``: id of a league, live or coming back, and its key in this run."""
    sql = "select id, league_id from public.leagues"
    if loaded := restoring.loaded.get("leagues"):
        sql = f"select id, league_id from {loaded.sql} union all {sql} where id not in (select id from {loaded.sql})"
    found = [(row.id, known.canonical(row.league_id) or row.league_id) for row in run(restoring.connection, sql)]
    rows = [{"id": league, "key": key} for league, key in found if key in keys]
    write_temporary(restoring.connection, "restored_leagues", rows, "id integer, key text")


def _refuse_broken(
    restoring: _Restoring, pointers: list[referring.Pointer], restored: frozenset[str]
) -> Counter[tuple[str, str, str]]:
    held: Counter[tuple[str, str, str]] = Counter()
    texts, tables = [], set()
    for table, target, text, is_wrong in referring.broken(
        restoring.connection, pointers, restoring.differing, restored
    ):
        if not is_wrong:
            held[table, "pointed at nothing in the snapshot", text] += 1
            continue
        texts.append(text)
        tables |= {table, target}
    if texts:
        known = {table.name for table in restoring.snapshot.tables}
        more = " ".join(f"--table {name}" for name in sorted(tables & known - restored))
        hint = f"restore these too: {more}" if more else "without --exact rows that were added since stay"
        raise UsageError(f"{'; '.join(texts)}; nothing was planned\nhint: {hint}")
    return held


def _refuse_moved(restoring: _Restoring, settings: Settings, params: Any, keys: list[str]) -> None:
    """Note which imported rows get their former name; refuse if rows written since would get another meaning by it."""
    rows = referring.renamed(restoring.connection, restoring.differing, params)
    referring.note_renamed(restoring.connection, rows, keys[0], f"as in snapshot {restoring.snapshot.id}")
    if not rows:
        return
    path = run(restoring.connection, "select current_setting('search_path')").scalar_one()
    set_path = sa.text("select set_config('search_path', :path, true)")
    restoring.connection.execute(set_path, {"path": "public, pg_temp"})
    leagues = load_leagues(settings.params_dir)
    meaning = read_meaning(restoring.connection, leagues, params.series_words)
    restoring.connection.execute(set_path, {"path": path})
    found = list(
        referring.moved(
            restoring.connection, params, meaning, rows, restoring.differing, restoring.unchanged, restoring.load
        )
    )
    if found:
        raise UsageError(
            f"rows written since the snapshot would be of another thing: {'; '.join(found)}; nothing was planned\n"
            "hint: leave the tables with these names out, or restore the rows too, with --exact"
        )


def _refuse_doubled(restoring: _Restoring) -> None:
    tables = {name: each.table for name, each in restoring.differing.items()}
    if found := folding.collisions(restoring.connection, tables):
        raise UsageError(
            f"rows of the snapshot could not stand beside rows that were added since: {'; '.join(found)}; nothing was"
            " planned\nhint: --exact takes rows away that were added since; `undo` brings them back"
        )


def _advance_sequences(restoring: _Restoring, definitions: Mapping[str, Definition]) -> None:
    """No row that comes back may have an id that a sequence has still to give; ids are skipped, never given twice."""
    for name, each in restoring.differing.items():
        for sequence in definitions[name]["sequences"]:
            if sequence["increment"] > 0 and sequence["column_name"] in each.columns:
                column, full = quote(sequence["column_name"]), quote(sequence["schema"], sequence["name"])
                run(
                    restoring.connection,
                    f"select setval({_literal(full)}, highest) from (select max({column}) as highest from {each.plan}"
                    f" where _op = 'insert') as m, {full} as q where highest > last_value",
                )


def _note(restoring: _Restoring, run_id: str, stored: Mapping[str, StoredTable], live: Mapping[str, str]) -> None:
    """See that the plan makes what the snapshot has, and keep what the evidence needs.

    Raises:
        RallyEtlError: it does not, which is a fault of the program.
    """
    plan = schema.schemas(run_id)[0]
    run(
        restoring.connection,
        f"create table {quote(plan, RESTORED)} (table_name text primary key, live text not null, kept text not null)",
    )
    for name, table in stored.items():
        kept = NOTHING
        if each := restoring.differing.get(name):
            kept = differing.fingerprint_of_kept(restoring.connection, each)
            if (found := differing.fingerprint_after(restoring.connection, each)) != table.fingerprint:
                raise RallyEtlError(
                    f"the plan would not make {name} what it was (fingerprint {found}, not {table.fingerprint});"
                    " nothing was planned\nhint: this is a fault of the program, report it"
                )
        restoring.connection.execute(
            sa.text(f"insert into {quote(plan, RESTORED)} values (:table, :live, :kept)"),
            {"table": name, "live": live[name], "kept": kept},
        )


def _stays(connection: sa.Connection, name: str, each: Differing) -> dict[tuple[str, str, str], int]:
    """(Table, reason, row) -> 1 for rows that were added since and stay; beyond some of each reason, their number."""
    key = differing.key_sql(each, "d")
    rows = run(
        connection,
        f"select why, row_key, row_count from (select why, {key} as row_key, count(*) over (partition by why) as"
        f" row_count, row_number() over (partition by why order by {key}) as number from {each.name} as d"
        f" where fate in ('kept', 'off')) as r where number <= {LISTED_ROWS} order by why, number",
    ).all()
    found = {(name, row.why, f"{name} {row.row_key.strip('()')}"): 1 for row in rows}
    more = {(name, row.why, "and more"): row.row_count - LISTED_ROWS for row in rows if row.row_count > LISTED_ROWS}
    return found | more


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


KIND = Kind(told, leagues_of, plan_restore)
