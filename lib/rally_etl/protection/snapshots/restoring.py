"""The steps back to a snapshot, inside one transaction that holds all its tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.engine import clean_message
from rally_etl.errors import RallyEtlError
from rally_etl.protection.snapshots import added, rebuilding
from rally_etl.protection.snapshots.added import Diff
from rally_etl.protection.snapshots.definitions import (
    Definitions,
    base_tables,
    read_definitions,
    run,
    structure,
    told_changes,
)
from rally_etl.protection.snapshots.fingerprints import comparable_columns, fingerprint, fingerprint_rows, record
from rally_etl.protection.snapshots.snapshot import Snapshot

ANALYSED_ROWS = 500  # from here on the next queries would go wrong with the statistics of before


@dataclass(slots=True)
class Restoring:
    """One transaction that brings the tables of a snapshot back; its steps in the order in which they are done."""

    connection: sa.Connection
    snapshot: Snapshot
    now: Definitions = field(default_factory=Definitions)
    diffs: dict[str, Diff] = field(default_factory=dict)
    told: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rebuilt: set[str] = field(default_factory=set)
    rows: dict[str, str] = field(default_factory=dict)
    touched: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unproven: set[tuple[str, str]] = field(default_factory=set)

    @property
    def aside(self) -> str:
        """Schema for live tables that something else takes the place of; it goes with the end of the transaction."""
        return f"{self.snapshot.schema}_aside"

    def prepare(self) -> None:
        """Have every table under its own name, and see what is different in the make of each."""
        if not self._run("select to_regnamespace('public') is not null").scalar_one():
            self._run("create schema public")
        self._run(f"create schema {quote(self.aside)}")
        self._bring_home()
        self.now = read_definitions(self.connection, self.snapshot.tables)
        was = self.snapshot.definitions.tables
        self.told = {name: self._told(name) for name in self.snapshot.tables}
        self.rebuilt = {name for name, now in self.now.tables.items() if not rebuilding.stands(was[name], now)}
        self.rows = fingerprint(self.connection, "public", self.now.tables)
        self.touched = [
            name
            for name in self.snapshot.tables
            if name in self.rebuilt or self.rows.get(name) != self.snapshot.fingerprints[name]
        ]

    def go_back(self, keep_added: bool) -> dict[str, str]:
        """Bring everything back and see that it is; answer the fingerprints of all tables without kept rows."""
        given = {name: self._ids_given(name) for name in self.snapshot.tables}
        views = self._drop_views()
        outside = self._drop_foreign_keys()
        for name in self.rebuilt:
            self._run(f"alter table {quote('public', name)} set schema {quote(self.aside)}")
        for name in self.touched:
            if name in self.now.tables:
                schema = self.aside if name in self.rebuilt else "public"
                self.diffs[name] = added.read_diff(
                    self.connection, self.snapshot, name, schema, name, self.now.tables[name]
                )
        added.choose(self.connection, self.snapshot, self.diffs, keep_added)
        for diff in self.diffs.values():
            added.write_images(self.connection, self.snapshot, diff)
        for name in self.snapshot.tables:
            self._mend(name)
        for name, definition in self.snapshot.definitions.tables.items():
            for sequence in definition["sequences"]:
                rebuilding.raise_sequence(self.connection, sequence, given[name].get(sequence["name"]))
        self._add_foreign_keys(outside)
        self._make_views(views)
        fingerprints = self._verify()
        self._run(f"drop schema {quote(self.aside)} cascade")
        return fingerprints

    def _run(self, sql: str) -> sa.CursorResult:
        return run(self.connection, sql)

    def _bring_home(self) -> None:
        """Give tables that were renamed their names back; what stands under them goes aside."""
        named = sa.text(
            "select c.oid\\:\\:bigint as oid, n.nspname as schema, c.relname as name from pg_class as c"
            " join pg_namespace as n on n.oid = c.relnamespace where c.relkind = 'r' and c.oid = any(:oids)"
        )
        oids = {definition["oid"]: name for name, definition in self.snapshot.definitions.tables.items()}
        rows = self.connection.execute(named, {"oids": list(oids)}).all()
        elsewhere = {row.oid: row for row in rows if (row.schema, row.name) != ("public", oids[row.oid])}
        for oid, row in elsewhere.items():
            self._run(f"alter table {quote(row.schema, row.name)} rename to {quote(f'_home_{oid}')}")
            self.notes.append(f"table {oids[oid]} had been made {row.schema}.{row.name}; it has its name again")
        there = base_tables(self.connection)
        for oid, row in elsewhere.items():
            if oids[oid] in there:
                self._take_aside(oids[oid])
            if row.schema != "public":
                self._run(f"alter table {quote(row.schema, f'_home_{oid}')} set schema public")
            self._run(f"alter table {quote('public', f'_home_{oid}')} rename to {quote(oids[oid])}")

    def _take_aside(self, name: str) -> None:
        """A table that was put in the place of another goes; users' rows that only it has are set aside."""
        now = read_definitions(self.connection, [name]).tables[name]
        self._run(f"alter table {quote('public', name)} set schema {quote(self.aside)}")
        self._run(f"alter table {quote(self.aside, name)} rename to {quote(f'_instead_of_{name}')}")
        diff = added.read_diff(self.connection, self.snapshot, name, self.aside, f"_instead_of_{name}", now)
        if self.snapshot.rows_of_users(name):
            self._run(
                f"update {diff.name} set kind = 'aside', why = 'it was written to a table that stood in the place of"
                f" this one' where kind = 'added'"
            )
            added.write_images(self.connection, self.snapshot, diff)
        self.notes.append(f"a table that had been put in the place of {name} is gone again")

    def _told(self, name: str) -> tuple[str, ...]:
        """What is different in the make of a table."""
        was, now = self.snapshot.definitions.tables[name], self.now.tables.get(name)
        if now is None:
            return ("it was gone",)
        return tuple(told_changes(was, now)) if structure(now) != self.snapshot.structures[name] else ()

    def _ids_given(self, name: str) -> dict[str, int]:
        """Sequence -> the largest id that a column fed by it has, or that a sequence feeding it now has reached."""
        now = self.now.tables.get(name)
        found: dict[str, int] = {}
        for sequence in self.snapshot.definitions.tables[name]["sequences"]:
            column = next(
                (each for each in (now or {"columns": []})["columns"] if each["name"] == sequence["column_name"]), None
            )
            if column is None or column["type"] not in ("smallint", "integer", "bigint"):
                continue
            furthest = "max" if sequence["increment"] > 0 else "min"
            values = [
                self._run(f"select {furthest}({quote(column['name'])}) from {quote('public', name)}").scalar_one()
            ]
            values += [
                each["last"] for each in now["sequences"] if each["column_name"] == column["name"] and each["is_called"]
            ]
            if values := [value for value in values if value is not None]:
                found[sequence["name"]] = max(values) if furthest == "max" else min(values)
        return found

    def _drop_foreign_keys(self) -> list[dict[str, Any]]:
        """Drop every foreign key of and into tables that differ; answer those of tables that the snapshot has not."""
        rows = self.connection.execute(
            sa.text(
                "select n.nspname, c.relname, o.conname, n.nspname = 'public' and c.relname = any(:all) as is_ours"
                " from pg_constraint as o join pg_class as c on c.oid = o.conrelid"
                " join pg_namespace as n on n.oid = c.relnamespace"
                " where o.contype = 'f' and o.conparentid = 0 and (o.conrelid = any(:oids) or o.confrelid = any(:oids))"
            ),
            {
                "oids": [self.now.tables[name]["oid"] for name in self.touched if name in self.now.tables],
                "all": list(self.snapshot.tables),
            },
        ).all()
        for row in rows:
            self._run(f"alter table {quote(row.nspname, row.relname)} drop constraint {quote(row.conname)}")
        dropped = {(row.nspname, row.relname, row.conname) for row in rows if not row.is_ours}
        return [each for each in self.now.keys_into if (each["schema"], each["table_name"], each["name"]) in dropped]

    def _mend(self, name: str) -> None:
        """Bring one table back, but for its foreign keys."""
        was, now = self.snapshot.definitions.tables[name], self.now.tables.get(name)
        live, copy, diff = quote("public", name), quote(self.snapshot.schema, name), self.diffs.get(name)
        is_touched = name in self.touched
        if not is_touched and structure(now) == self.snapshot.structures[name]:
            return
        stands = now is not None and name not in self.rebuilt
        if stands:
            for key, each in now["constraints"].items():
                if each["type"] == "f" and was["constraints"].get(key) != each:
                    self._run(f"alter table {live} drop constraint if exists {quote(key)}")
            rebuilding.loosen(self.connection, name, was, now)
        else:
            rebuilding.create(self.connection, name, was)
        columns = [quote(each["name"]) for each in was["columns"] if not each["generated"]]
        into = f"insert into {live} ({', '.join(columns)}) overriding system value"
        values = ", ".join(f"s.{column}" for column in columns)
        if is_touched and stands:
            rebuilding.quiet(self.connection, name, read_definitions(self.connection, [name]).tables[name])
            if diff.key:
                self._run(
                    f"delete from {live} as l using {diff.name} as d where {diff.same('d', 'l')}"
                    " and d.kind in ('added', 'aside', 'copy', 'changed')"
                )
                self._run(
                    f"{into} select {values} from {copy} as s join {diff.name} as d on {diff.same('d', 's')}"
                    " where d.kind in ('gone', 'changed')"
                )
            else:
                self._run(f"delete from {live}")
                self._run(f"{into} select {values} from {copy} as s")
        elif is_touched:
            self._run(f"{into} select {values} from {copy} as s")
            if diff and diff.key and diff.is_whole:
                self._run(
                    f"{into} select {values} from {diff.live} as s join {diff.name} as d on {diff.same('d', 's')}"
                    " where d.kind = 'kept'"
                )
        rebuilding.tighten(self.connection, name, was, read_definitions(self.connection, [name]).tables[name])
        if is_touched and self.snapshot.rows[name] >= ANALYSED_ROWS:
            self._run(f"analyze {live}")

    def _add_foreign_keys(self, outside: list[dict[str, Any]]) -> None:
        now = read_definitions(self.connection, self.snapshot.tables)
        for name, definition in self.snapshot.definitions.tables.items():
            for key, each in definition["constraints"].items():
                if each["type"] == "f" and key not in now.tables[name]["constraints"]:
                    self._add_foreign_key("public", name, key, each["sql"])
        wanted = {(each["schema"], each["table_name"], each["name"]): each["sql"] for each in outside}
        wanted |= {
            (each["schema"], each["table_name"], each["name"]): each["sql"]
            for each in self.snapshot.definitions.keys_into
            if self._run(f"select to_regclass('{quote(each['schema'], each['table_name'])}') is not null").scalar_one()
        }
        there = {(each["schema"], each["table_name"], each["name"]) for each in now.keys_into}
        for (schema, table, key), sql in wanted.items():
            if (schema, table, key) not in there:
                self._add_foreign_key(schema, table, key, sql)

    def _add_foreign_key(self, schema: str, table: str, key: str, sql: str) -> None:
        """Add a foreign key as it was; where rows break it that the snapshot itself has, without proof."""
        statement = f"alter table {quote(schema, table)} add constraint {quote(key)} {sql}"
        try:
            with self.connection.begin_nested():
                self._run(statement)
        except sa.exc.IntegrityError:
            self._run(f"{statement} not valid")
            self.unproven.add((table, key))
            self.notes.append(
                f"foreign key {key} of {table} is back without proof (NOT VALID): rows break it that"
                + (" were there before" if table in self.snapshot.tables else " this snapshot does not hold")
            )

    def _drop_views(self) -> list[dict[str, Any]]:
        """Drop every view of these tables if any has to be made again; answer those that have to."""
        was = {(each["schema"], each["name"]): each for each in self.snapshot.definitions.views}
        now = {(each["schema"], each["name"]): each for each in self.now.views}
        if not self.rebuilt and all(now.get(name) == each for name, each in was.items()):
            return []
        for schema, name in reversed(list(now)):
            kind = "materialized view" if now[schema, name]["is_stored"] else "view"
            self._run(f"drop {kind} {quote(schema, name)}")
        for schema, name in was:  # one that was made anew may read none of these tables
            self._run(f"drop view if exists {quote(schema, name)}")
        return [*was.values(), *(each for name, each in now.items() if name not in was)]

    def _make_views(self, views: list[dict[str, Any]]) -> None:
        known = {(each["schema"], each["name"]) for each in self.snapshot.definitions.views}
        for view in views:
            try:
                with self.connection.begin_nested():
                    rebuilding.make_view(self.connection, view)
            except sa.exc.DBAPIError as error:
                if view["schema"] == "public" and ("public", view["name"]) in known:
                    raise
                self.notes.append(f"view {view['schema']}.{view['name']} is gone: {clean_message(error)}")

    def _verify(self) -> dict[str, str]:
        """Fingerprints of all tables without kept rows; they, and the make of every table, must be the snapshot's."""
        found = dict(self.rows)
        for name in self.touched:
            columns, diff = comparable_columns(self.connection, "public", [name])[name], self.diffs.get(name)
            kept = (
                f" where not exists (select from {diff.name} as d where d.kind = 'kept' and {diff.same('d', 'l')})"
                if diff and diff.key
                else ""
            )
            found[name] = fingerprint_rows(
                self.connection, f"select {record(columns, 'l')} as r from {quote('public', name)} as l{kept}"
            )
        made = read_definitions(self.connection, self.snapshot.tables).tables
        for name in self.snapshot.tables:
            wanted = self.snapshot.definitions.tables[name]
            constraints = {
                key: each | {"sql": each["sql"] + " NOT VALID"} if (name, key) in self.unproven else each
                for key, each in wanted["constraints"].items()
            }
            if found[name] != self.snapshot.fingerprints[name]:
                raise RallyEtlError(f"the rows of {name} would not be those of the snapshot; nothing was restored")
            if structure(made[name]) != structure(wanted | {"constraints": constraints}):
                told = "; ".join(told_changes(wanted, made[name]))
                raise RallyEtlError(f"table {name} would not be what it was ({told}); nothing was restored")
        return found
