"""The account of what users wrote: their rows and what these point at, before and after, by what became of them.

Before and after are schemas in the order of a search path: a table is taken from the first that has it. An import
compares ``("public",)`` with ``("candidate_…", "public")``; nothing has happened yet where both are ``("public",)``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.references import Reference, ReferenceParams
from rally_etl.measures import counted
from rally_etl.protection.identity import name_sql
from rally_etl.protection.meaning import Meaning
from rally_etl.protection.user_tables import UserTable, find_user_tables

Schemas = tuple[str, ...]
FATES = ("same", "renamed", "repointed", "changed", "added", "gone", "lost", "moved", "emptied", "dangling")

_RELATIONS = sa.text(
    """
    select c.relname as name, n.nspname as schema,
           array(select cast(a.attname as text) from pg_attribute as a
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = any(:schemas) and c.relkind in ('r', 'p', 'v', 'm')
    order by array_position(cast(:schemas as text[]), cast(n.nspname as text)) desc
    """
)


@dataclass(slots=True, kw_only=True)
class Account:
    """What became of the rows of one table of users, or (with a column) of what one reference points at, in rows.

    Attributes:
        label: what one row is, in a captain's words.
        row_count: rows at this moment; of a reference, those that are not NULL.
        same: present and unchanged; of a reference, means the same by id and by name.
        renamed: the same thing under another name, as decided.
        repointed: another id, the same thing.
        lost: points nowhere and did not. moved: points at another thing. emptied: NULL and was not.
        dangling: points nowhere, as before.
        fingerprint: of the rows, where the account is about rows.
        told: what is lost, moved, emptied or renamed: kind, league id (None where there is none), rows, sentence.
    """

    table: str
    column: str = ""
    target: str = ""
    label: str = ""
    row_count: int = 0
    same: int = 0
    renamed: int = 0
    repointed: int = 0
    changed: int = 0
    added: int = 0
    gone: int = 0
    lost: int = 0
    moved: int = 0
    emptied: int = 0
    dangling: int = 0
    fingerprint: str = ""
    told: list[tuple[str, int | None, int, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """`<table>` or `<table>.<column>`."""
        return f"{self.table}.{self.column}" if self.column else self.table


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view that a search path shows."""

    schema: str
    columns: frozenset[str]

    def sql(self, name: str) -> str:
        """Its quoted name."""
        return quote(self.schema, name)


def account(
    connection: sa.Connection, params: ReferenceParams, before: Schemas, after: Schemas, meaning: Meaning
) -> list[Account]:
    """Account for all rows of users and their references; tables in the order of their names, references below them.

    Where the rows of a table are the very same ones on both sides they are counted once, by what they point at; else
    row by row.
    """
    connection.execute(sa.text("set local work_mem = '128MB'"))
    first, then = look(connection, before), look(connection, after)
    accounts = []
    for name, table in sorted(find_user_tables(connection, params, dict.fromkeys((*before, *after))).items()):
        if name not in first and name not in then:
            continue
        sides = _Sides(table, first.get(name), then.get(name))
        accounts.append(_rows(connection, sides))
        for reference in table.references:
            if reference.how == "id" and not reference.is_past and sides.has(reference.column):
                accounts.append(_reference(connection, sides, reference, params, first, then, meaning))
    return accounts


def store_accounts(connection: sa.Connection, run_id: str, moment: str, accounts: Iterable[Account]) -> None:
    """Keep accounts in the ledger; a second call for the moment replaces the first."""
    connection.execute(
        sa.text("delete from etl.accounts where run_id = :run and moment = :moment"), {"run": run_id, "moment": moment}
    )
    names = [each.name for each in fields(Account) if each.name not in ("table", "column", "told")]
    rows = [
        {"run": run_id, "moment": moment, "table": each.table, "column": each.column}
        | {name: getattr(each, name) for name in names}
        for each in accounts
    ]
    if rows:
        connection.execute(
            sa.text(
                f"insert into etl.accounts (run_id, moment, table_name, column_name, {', '.join(names)})"
                f" values (:run, :moment, :table, :column, {', '.join(f':{name}' for name in names)})"
            ),
            rows,
        )


def look(connection: sa.Connection, schemas: Schemas) -> dict[str, Relation]:
    """Every table or view that the schemas show, each from the first that has it."""
    found = connection.execute(_RELATIONS, {"schemas": list(schemas)})
    return {row.name: Relation(row.schema, frozenset(row.columns)) for row in found}


@dataclass(frozen=True, slots=True)
class _Sides:
    """One table of users before and after; a side is None where it does not exist."""

    table: UserTable
    before: Relation | None
    after: Relation | None

    @property
    def is_one(self) -> bool:
        """Whether both sides are the same relation."""
        return self.before == self.after

    def has(self, column: str) -> bool:
        return any(side and column in side.columns for side in (self.before, self.after))

    def rows(self, side: Relation | None, *columns: str) -> str:
        """SQL of one side's rows: key, hash, and the columns named as text; a column that it lacks is NULL."""
        shown = [
            f"cast(l.{quote(column)} as text) as {quote(column)}"
            if side and column in side.columns
            else f"cast(null as text) as {quote(column)}"
            for column in columns
        ]
        if side is None:
            head = ["cast(null as text) as row_key", "cast(null as bigint) as row_hash", "cast(null as bigint) as nth"]
            return f"select {', '.join([*head, *shown])} where false"
        hashed = self.table.hash("l", side.columns)
        key, nth = self.table.key("l"), "1"
        if not self.table.table.key:  # rows that nothing tells apart are matched by all that they say
            key, nth = f"cast({hashed} as text)", f"row_number() over (partition by {hashed})"
        head = [f"{key} as row_key", f"{hashed} as row_hash", f"{nth} as nth"]
        return f"select {', '.join([*head, *shown])} from {side.sql(self.table.name)} as l where {self.table.rows}"


def _rows(connection: sa.Connection, sides: _Sides) -> Account:
    """What became of the rows of one table."""
    print_ = "count(row_hash) || ':' || coalesce(sum(row_hash), 0) || ':' || coalesce(bit_xor(row_hash), 0)"
    if sides.is_one:
        found = connection.execute(sa.text(f"select count(*), {print_} from ({sides.rows(sides.after)}) as a")).one()
        return Account(
            table=sides.table.name, label=sides.table.label, row_count=found[0], same=found[0], fingerprint=found[1]
        )
    row = connection.execute(
        sa.text(
            f"""
            select count(a.row_key) as row_count, count(*) filter (where a.row_hash = b.row_hash) as same,
                   count(*) filter (where a.row_hash <> b.row_hash) as changed,
                   count(*) filter (where b.row_key is null) as added,
                   count(*) filter (where a.row_key is null) as gone,
                   {print_.replace("row_hash", "a.row_hash")} as fingerprint
            from ({sides.rows(sides.before)}) as b
            full join ({sides.rows(sides.after)}) as a on a.row_key = b.row_key and a.nth = b.nth
            """
        )
    ).one()
    return Account(table=sides.table.name, label=sides.table.label, **row._mapping)


def _reference(
    connection: sa.Connection,
    sides: _Sides,
    reference: Reference,
    params: ReferenceParams,
    first: Mapping[str, Relation],
    then: Mapping[str, Relation],
    meaning: Meaning,
) -> Account:
    """What became of what one reference points at."""
    found = Account(table=reference.table, column=reference.column, target=reference.target, label=sides.table.label)
    sql = _compared(sides, reference, params, first.get(reference.target), then.get(reference.target))
    for row in connection.execute(sa.text(sql)):
        kind = row.kind or _judged(connection, reference, row, meaning)
        setattr(found, kind, getattr(found, kind) + row.row_count)
        found.row_count += row.row_count if kind != "emptied" else 0
        if kind in ("lost", "moved", "emptied", "renamed"):
            found.told.append((kind, row.league_id, row.row_count, _told(reference, row, kind, meaning)))
    return found


def _compared(
    sides: _Sides,
    reference: Reference,
    params: ReferenceParams,
    first: Relation | None,
    then: Relation | None,
) -> str:
    """SQL of what rows pointed and point at: one row for what clearly is the same, else one per pair of values."""
    column = quote(reference.column)
    if sides.is_one:
        limit = f" and ({sides.table.rows})"
        used = (
            "select cast(k as text) as was, cast(k as text) as now, row_count from (select"
            f" {column} as k, count(*) as row_count from {sides.after.sql(reference.table)}"
            f" where {column} is not null{limit} group by 1) as g"
        )
    else:
        used = (
            f"select b.{column} as was, a.{column} as now, count(*) as row_count"
            f" from ({sides.rows(sides.after, reference.column)}) as a"
            f" left join ({sides.rows(sides.before, reference.column)}) as b on b.row_key = a.row_key and b.nth = a.nth"
            f" where a.{column} is not null or b.{column} is not null group by 1, 2"
        )
    pointed = [f"was as materialized ({_targets(reference, params, first, 'was')})"]
    is_one = sides.is_one and first == then
    if not is_one:
        pointed.append(f"now as materialized ({_targets(reference, params, then, 'now')})")
    return f"""
        with used as materialized ({used}),
        {", ".join(pointed)},
        compared as (
            select u.was, u.now, u.row_count, b.names as was_names, a.names as now_names, b.ids as was_ids,
                   a.ids as now_ids, coalesce(b.league_id, a.league_id) as league_id,
                   case when u.now is null then 'emptied'
                        when u.was is not null and b.key is null and a.key is null then 'dangling'
                        when u.was is null and a.key is null then 'dangling'
                        when u.was is null or u.was = u.now and b.names && a.names then 'same'
                        when a.key is null then 'lost' end as kind
            from used as u left join was as b on b.key = u.was
            left join {"was" if is_one else "now"} as a on a.key = u.now
        )
        select kind, was, now, row_count, was_names, now_names, was_ids, now_ids, league_id
        from compared where kind is null or kind in ('lost', 'emptied')
        union all
        select kind, null, null, cast(sum(row_count) as bigint), null, null, null, null, null
        from compared where kind in ('same', 'dangling') group by kind
        """


def _targets(reference: Reference, params: ReferenceParams, relation: Relation | None, used: str) -> str:
    """SQL of the rows pointed at, by key: a person's printed id has one row per membership."""
    if relation is None or reference.target_column not in relation.columns:
        nothing = "cast(null as integer[]) as ids, cast(null as integer) as league_id"
        return f"select cast(null as text) as key, cast(null as text[]) as names, {nothing} where false"
    key = f"cast(t.{quote(reference.target_column)} as text)"
    league = "t.id" if reference.target == "leagues" else "t.league_id" if "league_id" in relation.columns else "null"
    return (
        f"select {key} as key, array_agg({name_sql('t', reference.target, params)}) as names,"
        f" array_agg(t.id) as ids, min(cast({league} as integer)) as league_id"
        f" from {relation.sql(reference.target)} as t where {key} in (select {used} from used) group by 1"
    )


def _judged(connection: sa.Connection, reference: Reference, row: sa.Row, meaning: Meaning) -> str:
    """What became of a reference whose value or name is another one, and that points at something now."""
    before = row.was_names
    if before is None:
        if row.was != row.now:
            return "repointed"  # it had pointed at nothing
        # an orphan whose id is there again: the very thing that had it, or another one
        before = _names_once(connection, reference.target, row.now_ids)
    is_same = any(
        meaning.is_same(reference.target, row.league_id, one, other) for one in before for other in row.now_names
    )
    if row.was != row.now:
        is_decided = meaning.is_operation or meaning.is_redirected(reference.target, row.was_ids, row.now_ids)
        return "repointed" if is_same or is_decided else "moved"
    if is_same:
        return "same"
    return "renamed" if meaning.why_renamed(reference.target, row.now_ids) else "moved"


def _names_once(connection: sa.Connection, target: str, ids: Sequence[int]) -> list[str]:
    """Names that the rows of these ids have had, as far as history knows."""
    sql = "select distinct name from etl.entity_history where table_name = :target and entity_id = any(:ids)"
    return list(connection.scalars(sa.text(sql), {"target": target, "ids": list(ids)}))


def _told(reference: Reference, row: sa.Row, kind: str, meaning: Meaning) -> str:
    """One sentence; the same words as in the evidence of the stage integration."""
    rows = f"{reference.name}: {counted(row.row_count, 'row')}"
    before = repr(row.was_names[0]) if row.was_names else f"{reference.target} {row.was}, which was not there"
    if kind == "lost":
        return f"{rows} of {before} ({reference.target} {row.was})"
    if kind == "emptied":
        return f"{rows} of {before} would be empty"
    after = repr(row.now_names[0])
    if kind == "renamed":
        return f"{rows} of {before}, now {after}: {meaning.why_renamed(reference.target, row.now_ids)}"
    return f"{rows} of {before} would be of {after}"


def totals(accounts: Iterable[Account]) -> Counter[str]:
    """All rows and all references together: `rows`, `references`, and what became of either."""
    found: Counter[str] = Counter()
    for each in accounts:
        found["references" if each.column else "rows"] += each.row_count
        for name in FATES:
            found[f"{name}_references" if each.column else f"{name}_rows"] += getattr(each, name)
    return found
