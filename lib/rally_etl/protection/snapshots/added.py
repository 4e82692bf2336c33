"""Rows that were added to users' tables since a snapshot: which can stay when the database goes back to it.

Users may write while a guarded command runs, and nobody can tell their rows from the command's own. A row stays when
all that it refers to is in the snapshot and stands for the same thing, and it is in nobody's way; every other one is
set aside with its image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.protection.snapshots.definitions import Definition, run
from rally_etl.protection.snapshots.difference import different_rows, same
from rally_etl.protection.snapshots.fingerprints import comparable_columns, record
from rally_etl.protection.snapshots.snapshot import Snapshot

_NOW = ("now()", "CURRENT_TIMESTAMP", "clock_timestamp()")


@dataclass(frozen=True, slots=True)
class Diff:
    """The rows of one table that differ, in a temporary table of this transaction.

    Attributes:
        name: of the temporary table: the key, ``kind`` (added, gone, changed; of users' added rows kept, aside or
            copy) and ``why``; without a key the place of a surplus live row.
        live: the table that holds the live rows, quoted.
        key: columns that tell its rows apart; empty where nothing does.
        is_whole: the live table has all columns of the snapshot, with their types.
    """

    table: str
    name: str
    live: str
    key: tuple[str, ...]
    is_whole: bool

    def same(self, one: str, other: str) -> str:
        """SQL condition that two aliases, of this and of a table, stand for the same row."""
        return same(self.key, one, other) if self.key else f"{one}.live = {other}.ctid"


def read_diff(
    connection: sa.Connection, snapshot: Snapshot, table: str, schema: str, name: str, now: Definition | None
) -> Diff:
    """Compare a table of schema *schema*, called *name*, with the copy of *table*; *now* is what it is made of."""
    was = snapshot.definitions.tables[table]
    key = tuple(was["key"]) if now and was["key"] == now["key"] else ()
    columns = {each["name"]: each["type"] for each in now["columns"]} if now else {}
    diff = Diff(
        table=table,
        name=f"pg_temp.{quote(f'{name} of {schema}')}",
        live=quote(schema, name),
        key=key,
        is_whole=all(columns.get(each["name"]) == each["type"] for each in was["columns"]),
    )
    rows = different_rows(connection, snapshot, table, schema, name, has_key=bool(key))
    run(connection, f"create temporary table {diff.name.split('.', 1)[1]} on commit drop as"
        f" select d.*, cast(null as text) as why from ({rows}) as d")  # fmt: skip
    run(connection, f"analyze {diff.name}")
    return diff


def choose(connection: sa.Connection, snapshot: Snapshot, diffs: Mapping[str, Diff], keep_added: bool) -> None:
    """Say of each row added to a table of users whether it is kept, and if not, why."""
    users = {table: diff for table, diff in diffs.items() if snapshot.rows_of_users(table)}
    for table, diff in users.items():
        rule = snapshot.rows_of_users(table)
        run(
            connection,
            f"update {diff.name} as d set kind = 'kept' where d.kind = 'added'"
            f" and exists (select from {diff.live} as l where {diff.same('d', 'l')} and ({rule}))",
        )
        if not keep_added:
            _set_aside(connection, diff, "true", "'rows that were added since are not kept'")
        elif not diff.key:
            _set_aside(connection, diff, "true", "'nothing tells the rows of this table apart'")
        elif not diff.is_whole:
            _set_aside(connection, diff, "true", "'the table had other columns when it was written'")
        else:
            _set_copies_aside(connection, snapshot, diff)
            _set_moved_aside(connection, snapshot, diff, diffs)
            _set_doubled_aside(connection, snapshot, diff)
    while keep_added and any(_set_dangling_aside(connection, snapshot, diff, diffs) for diff in users.values()):
        pass


def write_images(connection: sa.Connection, snapshot: Snapshot, diff: Diff) -> None:
    """Keep the image of each row of users that does not stay as it is, in ``etl.guard_rows``."""
    rule = snapshot.rows_of_users(diff.table)
    if not rule:
        return
    key = ", ".join(f"l.{quote(name)}" for name in snapshot.key(diff.table) if diff.key) or "l.ctid"
    connection.execute(
        sa.text(
            "insert into etl.guard_rows (run_id, table_name, row_key, why, image)"
            f" select :run, :table, concat_ws(', ', {key}),"
            " coalesce(d.why, case d.kind when 'changed' then 'it was changed since' else 'it was added since' end),"
            " to_jsonb(l) - cast(:secrets as text[])"
            f" from {diff.name} as d join {diff.live} as l on {diff.same('d', 'l')}"
            " where d.kind in ('aside', 'changed')"
            f" and exists (select from (select l.*) as l where ({rule.replace(':', chr(92) + ':')}))"
        ),
        {"run": snapshot.run_id, "table": diff.table, "secrets": list(snapshot.secrets)},
    )


def _set_aside(connection: sa.Connection, diff: Diff, condition: str, why: str, kind: str = "aside") -> int:
    """Set those kept rows aside, of which a condition on them (alias d) holds; answer how many."""
    return run(
        connection, f"update {diff.name} as d set kind = '{kind}', why = {why} where d.kind = 'kept' and ({condition})"
    ).rowcount


def _set_copies_aside(connection: sa.Connection, snapshot: Snapshot, diff: Diff) -> None:
    """A row that says, under a new number, what a row says that went since is that row written again.

    Of practices the application refuses a second one: there a copy of any row, and of another added one, does not stay.
    """
    was = snapshot.definitions.tables[diff.table]
    numbered = {each["column_name"] for each in was["sequences"]}
    made = {each["name"] for each in was["columns"] if each["default"] in _NOW}
    columns = comparable_columns(connection, snapshot.schema, [diff.table])[diff.table]
    told = [name for name in columns if name not in {*diff.key, *made}]
    if not told or set(diff.key) - numbered:
        return
    is_practice = diff.table == "schedule"
    first, copy = quote(diff.key[0]), quote(snapshot.schema, diff.table)
    keys = [quote(name) for name in diff.key]

    def said(alias: str) -> str:
        return f"hash_record_extended({record(columns, alias, told)}, 0)"

    gone = f" join {diff.name} as g on {same(diff.key, 'g', 's')} and g.kind = 'gone'"
    run(
        connection,
        f"create temporary table copies on commit drop as"
        f" with added as materialized (select {', '.join(f'd.{key}' for key in keys)}, {said('l')} as said"
        f" from {diff.name} as d join {diff.live} as l on {diff.same('d', 'l')} where d.kind = 'kept'),"
        f" known as materialized (select {said('s')} as said, min(cast(s.{first} as text)) as was"
        f" from {copy} as s{'' if is_practice else gone} group by 1)"
        f" select a.*, coalesce(k.was, cast(first_value({first}) over same as text)) as was,"
        f" k.said is not null or {str(is_practice).lower()} and row_number() over same > 1 as is_copy"
        f" from added as a left join known as k using (said)"
        f" window same as (partition by said order by {', '.join(keys)})",
    )
    of = f"from pg_temp.copies as c where c.is_copy and {same(diff.key, 'c', 'd')}"
    _set_aside(
        connection, diff, f"exists (select {of})", f"(select 'it says what row ' || c.was || ' says' {of})", "copy"
    )
    run(connection, "drop table pg_temp.copies")


def _set_moved_aside(connection: sa.Connection, snapshot: Snapshot, diff: Diff, diffs: Mapping[str, Diff]) -> None:
    """The id that a row refers to was given to another thing meanwhile: nobody knows which of both is meant."""
    for each in snapshot.references:
        target = diffs.get(each.target)
        names = [name for name in snapshot.identity.get(each.target, ()) if name in snapshot.columns(each.target)]
        if each.table != diff.table or target is None or list(target.key) != [each.target_column] or not names:
            continue
        said = [f"concat_ws(' ', {', '.join(f'{alias}.{quote(name)}' for name in names)})" for alias in ("n", "s")]
        key, column = quote(each.target_column), f"cast(l.{quote(each.column)} as text)"
        moved = (
            f"from {diff.live} as l join {target.live} as n on cast(n.{key} as text) = {column}"
            f" join {quote(snapshot.schema, each.target)} as s on cast(s.{key} as text) = {column}"
            f" where {diff.same('d', 'l')} and {said[0]} <> {said[1]}"
        )
        why = f"{_literal(each.target)} || ' ' || {column} || ' was ' || {said[1]} || ', is ' || {said[0]}"
        _set_aside(connection, diff, f"exists (select {moved})", f"(select {why} {moved})")


def _set_doubled_aside(connection: sa.Connection, snapshot: Snapshot, diff: Diff) -> None:
    """A unique key lets only one of two rows be, and the one of the snapshot is older."""
    copy = quote(snapshot.schema, diff.table)
    for name, unique in snapshot.definitions.tables[diff.table]["unique_keys"].items():
        rows = f"where {unique['rows']}" if unique["rows"] else ""
        values = ", ".join(f"({column}) as e{number}" for number, column in enumerate(unique["columns"]))
        equal = "is not distinct from" if unique["nulls_are_equal"] else "="
        alike = " and ".join(f"a.e{number} {equal} b.e{number}" for number in range(len(unique["columns"])))
        key = ", ".join(f"{quote(column)} as k{number}" for number, column in enumerate(diff.key))
        mine = " and ".join(f"a.k{number} = d.{quote(column)}" for number, column in enumerate(diff.key))
        _set_aside(
            connection,
            diff,
            f"exists (select from (select {key}, {values} from {diff.live} {rows}) as a"
            f" join (select {values} from {copy} {rows}) as b on {alike} where {mine})",
            _literal(f"a row of the snapshot has its key {name}"),
        )


def _set_dangling_aside(connection: sa.Connection, snapshot: Snapshot, diff: Diff, diffs: Mapping[str, Diff]) -> int:
    """A row that refers to what is neither in the snapshot nor kept; answer how many."""
    was = snapshot.definitions.tables[diff.table]
    pointers = [
        (each["columns"], each["target"], each["target_columns"])
        for each in was["constraints"].values()
        if each["type"] == "f" and each["target_schema"] == "public" and each["target"] in snapshot.tables
    ]
    pointers += [
        ([each.column], each.target, [each.target_column])
        for each in snapshot.references
        if each.table == diff.table and not each.is_past
    ]
    count = 0
    for columns, target, target_columns in pointers:
        pairs = list(zip(columns, target_columns, strict=True))

        def found(alias: str, pairs: list[tuple[str, str]] = pairs) -> str:
            return " and ".join(
                f"cast({alias}.{quote(there)} as text) = cast(l.{quote(here)} as text)" for here, there in pairs
            )

        filled = " and ".join(f"l.{quote(column)} is not null" for column in columns)
        missing = f"not exists (select from {quote(snapshot.schema, target)} as t where {found('t')})"
        if (other := diffs.get(target)) and other.key:
            missing += (
                f" and not exists (select from {other.name} as k join {other.live} as n on {other.same('k', 'n')}"
                f" where k.kind = 'kept' and {found('n')})"
            )
        value = f"concat_ws(', ', {', '.join(f'l.{quote(column)}' for column in columns)})"
        of = f"from {diff.live} as l where {diff.same('d', 'l')}"
        why = f"(select {_literal(target)} || ' ' || {value} || ', which it refers to, is not in the snapshot' {of})"
        count += _set_aside(connection, diff, f"exists (select {of} and {filled} and {missing})", why)
    return count


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
