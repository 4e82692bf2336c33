"""The rows of one table that are not as in the snapshot, and what becomes of each; and the plan that this makes.

Everything is kept in temporary tables of the planning transaction. Aliases in SQL: ``l`` live, ``s`` snapshot, ``d``
what differs, ``p`` planned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote
from rally_etl.planning.compare import TOUCHED
from rally_etl.protection.snapshots.definitions import run
from rally_etl.protection.stored.loading import Loaded
from rally_etl.protection.stored.rows import NOTHING, added, comparable, fingerprint_of, names, of, row_key

SCHEDULE = "schedule"
KEPT_ENTITIES = ("leagues", "clubs", "series")
"""Ids are forever, and these have nothing to switch off."""
SINCE = "added since the snapshot"
KEEPS_ID = "added since, it keeps its id"
SWITCHED_OFF = "added since, switched off"
REFERRED = "added since, something points at it"


@dataclass(frozen=True, slots=True)
class Differing:
    """One table whose rows are not as in the snapshot.

    Attributes:
        table: as live has it.
        plan: quoted table of the plan.
        name: of the temporary table: the key; ``kind`` gone, changed or added; of an added row ``fate`` (kept, off,
            delete) and ``why``.
    """

    table: Table
    loaded: Loaded
    plan: str
    name: str

    @property
    def live(self) -> str:
        return quote("public", self.table.name)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that were copied and that a plan has: all but computed ones."""
        return self.table.column_names

    @property
    def after(self) -> str:
        """SQL of the table's rows as they will be, as a relation."""
        return (
            f"(select {names(self.columns)} from {self.live} as u"
            f" where not exists (select from {self.plan} as v where {self.table.same('v', 'u')})"
            f" union all select {names(self.columns)} from {self.plan} where _op <> 'delete')"
        )

    def stays(self, alias: str) -> str:
        """SQL condition: a row was added since and stays."""
        mine = f"select from {self.name} as d where d.fate in ('kept', 'off') and {self.table.same('d', alias)}"
        return f"exists ({mine})"


def compare(connection: sa.Connection, table: Table, loaded: Loaded, plan: str, number: int) -> Differing:
    """Find the rows of a live table that differ from the loaded ones; nothing is planned yet."""
    differing = Differing(table, loaded, plan, f"pg_temp.{quote(f'differing {number}')}")
    key = ", ".join(f"coalesce(l.{quote(name)}, s.{quote(name)}) as {quote(name)}" for name in table.key)
    first = quote(table.key[0])
    contents = (
        comparable(connection, "public", table.name, differing.columns, "l"),
        comparable(connection, loaded.schema, loaded.name, differing.columns, "s"),
    )
    run(
        connection,
        f"create temporary table {quote(f'differing {number}')} on commit drop as"
        f" select {key}, cast(case when l.{first} is null then 'gone' when s.{first} is null then 'added'"
        " else 'changed' end as text) as kind, cast(null as text) as fate, cast(null as text) as why"
        f" from {differing.live} as l full join {loaded.sql} as s on {table.same('l', 's')}"
        f" where l.{first} is null or s.{first} is null or {contents[0]} is distinct from {contents[1]}",
    )
    run(connection, f"analyze {differing.name}")
    return differing


def choose(connection: sa.Connection, differing: Differing, practice_rows: str, is_exact: bool) -> None:
    """Say what becomes of each row that was added since.

    Rows of users stay. Of imported ones, teams and players are switched off, leagues, clubs and series keep their ids,
    and the rest goes. If the table is to be exactly as it was, all of them go.
    """
    table = differing.table
    run(connection, f"update {differing.name} set fate = 'delete' where kind = 'added'")
    if is_exact:
        return
    if table.name not in IMPORTED:
        _keep(connection, differing, "true", SINCE)
    elif table.name in KEPT_ENTITIES:
        _keep(connection, differing, "true", KEEPS_ID)
    elif table.has("is_active"):
        _keep(connection, differing, "l.is_active is false", KEEPS_ID)
        _keep(connection, differing, "l.is_active is not false", SWITCHED_OFF, "off")
    elif table.name == SCHEDULE:
        _keep(connection, differing, f"exists (select from (select l.*) as x where ({practice_rows}))", SINCE)


def _keep(connection: sa.Connection, differing: Differing, condition: str, why: str, fate: str = "kept") -> None:
    """Set the fate of added live rows (alias l) for which a condition holds."""
    run(
        connection,
        f"update {differing.name} as d set fate = '{fate}', why = '{why}' from {differing.live} as l"
        f" where d.kind = 'added' and {differing.table.same('d', 'l')} and ({condition})",
    )


def write(connection: sa.Connection, differing: Differing, leagues: Sequence[str]) -> None:
    """Write what differs into the plan's table.

    An imported row is of its own league, as ``pg_temp.restored_leagues`` (id, key) has them; what is of none, and rows
    of users, are of all *leagues* of the run: they are published together.
    """
    table, columns = differing.table, differing.columns
    keys = "cast(array[" + ", ".join("'" + key.replace("'", "''") + "'" for key in leagues) + "] as text[])"
    league = "id" if table.name == "leagues" else "league_id"
    of_league = dict.fromkeys("ls", "")
    if table.name in IMPORTED and table.has(league):
        of_league = {alias: f" left join pg_temp.restored_leagues as g on g.id = {alias}.{league}" for alias in "ls"}
        keys = f"case when g.key is null then {keys} else array[g.key] end"
    into = f"insert into {differing.plan} ({names(columns)}, _op, _leagues)"
    of_snapshot = (
        f"from {differing.loaded.sql} as s join {differing.name} as d on {table.same('d', 's')}{of_league['s']}"
    )
    off = "false"
    if table.name in IMPORTED and table.has("is_active"):
        off = "l.is_active is not false and s.is_active is false"
    run(connection, f"{into} select {of('s', columns)}, 'insert', {keys} {of_snapshot} where d.kind = 'gone'")
    run(
        connection,
        f"{into} select {of('s', columns)}, case when {off} then 'deactivate' else 'update' end, {keys} {of_snapshot}"
        f" join {differing.live} as l on {table.same('l', 's')} where d.kind = 'changed'",
    )
    of_live = f"from {differing.live} as l join {differing.name} as d on {table.same('d', 'l')}{of_league['l']}"
    values = {"is_active": "false"} | ({TOUCHED: "now()"} if table.has(TOUCHED) else {})
    image = ", ".join(values.get(name, f"l.{quote(name)}") for name in columns)
    run(connection, f"{into} select {image}, 'deactivate', {keys} {of_live} where d.fate = 'off'")
    run(connection, f"{into} select {of('l', columns)}, 'delete', {keys} {of_live} where d.fate = 'delete'")
    run(connection, f"analyze {differing.plan}")


def keep_referred(connection: sa.Connection, differing: Differing, pointed: str) -> int:
    """Leave those rows alone that were to be deleted and that something points at; answer how many.

    Args:
        pointed: SQL condition on a row of the plan, alias ``p``.
    """
    table = differing.table
    kept = run(
        connection,
        f"update {differing.name} as d set fate = 'kept', why = '{REFERRED}' from {differing.plan} as p"
        f" where p._op = 'delete' and d.fate = 'delete' and {table.same('d', 'p')} and ({pointed})",
    ).rowcount
    if kept:
        run(
            connection,
            f"delete from {differing.plan} as p using {differing.name} as d"
            f" where p._op = 'delete' and d.fate = 'kept' and {table.same('d', 'p')}",
        )
    return kept


def fingerprint_of_kept(connection: sa.Connection, differing: Differing) -> str:
    """Fingerprint of the rows that were added since and stay, as they will be."""
    table = differing.table
    if not run(connection, f"select exists (select from {differing.name} where fate in ('kept', 'off'))").scalar_one():
        return NOTHING
    return added(
        *(
            fingerprint_of(
                connection, "public", table.name, differing.columns, source=source,
                rows=f"exists (select from {differing.name} as d where d.fate = '{fate}' and {table.same('d', 'r')})",
            )
            for fate, source in (("kept", differing.live), ("off", differing.plan))
        )
    )  # fmt: skip


def fingerprint_after(connection: sa.Connection, differing: Differing) -> str:
    """Fingerprint of the table as it will be, without the rows that were added since and stay."""
    return fingerprint_of(
        connection,
        "public",
        differing.table.name,
        differing.columns,
        rows=f"not {differing.stays('r')}",
        source=differing.after,
    )


def key_sql(differing: Differing, alias: str) -> str:
    """SQL of a row's key as one text."""
    return row_key(differing.table.key, alias)
