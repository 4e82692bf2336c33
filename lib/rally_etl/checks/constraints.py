"""Checks without a file: what the live tables' own constraints demand, asked of the planned rows.

A candidate is made of views, which have no constraints; without this a breach would show only in the publish. Only
planned rows are read: live rows that no plan touches obey their constraints already.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.checks.results import SAMPLE_ROWS, CheckResult, Keys, Rule
from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.database.engine import clean_message

ALL_LEAGUES = "*"

_REQUIRED = sa.text(
    """
    select c.relname as table_name, array_agg(a.attname::text order by a.attnum) as columns
    from pg_attribute as a join pg_class as c on c.oid = a.attrelid
    where c.relnamespace = to_regnamespace('public') and c.relname = any(:names) and c.relkind in ('r', 'p')
      and a.attnum > 0 and a.attnotnull and not a.attisdropped
    group by c.relname order by c.relname
    """
)
_UNIQUE = sa.text(
    """
    select t.relname as table_name, i.relname as name, x.indisprimary as is_primary,
           x.indnullsnotdistinct as nulls_are_equal, pg_get_expr(x.indpred, x.indrelid) as predicate,
           array(select pg_get_indexdef(x.indexrelid, k, true) from generate_series(1, x.indnkeyatts) as k) as keys
    from pg_index as x join pg_class as t on t.oid = x.indrelid join pg_class as i on i.oid = x.indexrelid
    where t.relnamespace = to_regnamespace('public') and t.relname = any(:names) and x.indisunique and x.indisvalid
    order by t.relname, i.relname
    """
)
_RULES = sa.text(
    """
    select t.relname as table_name, c.conname as name, pg_get_expr(c.conbin, c.conrelid) as rule
    from pg_constraint as c join pg_class as t on t.oid = c.conrelid
    where c.contype = 'c' and t.relnamespace = to_regnamespace('public') and t.relname = any(:names)
    order by t.relname, c.conname
    """
)
_FOREIGN = sa.text(
    """
    select distinct on (t.relname, c.conkey, c.confrelid, c.confkey)
           t.relname as table_name, c.conname as name, r.relname as target,
           array(select a.attname::text from unnest(c.conkey) with ordinality as k(n, i)
                 join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.n order by k.i) as columns,
           array(select a.attname::text from unnest(c.confkey) with ordinality as k(n, i)
                 join pg_attribute as a on a.attrelid = c.confrelid and a.attnum = k.n order by k.i) as target_columns
    from pg_constraint as c
    join pg_class as t on t.oid = c.conrelid join pg_class as r on r.oid = c.confrelid
    where c.contype = 'f' and t.relnamespace = to_regnamespace('public') and r.relnamespace = t.relnamespace
      and t.relname = any(:names)
    order by t.relname, c.conkey, c.confrelid, c.confkey, c.conname
    """
)
_DROPPED = sa.text("select table_name, name from etl.constraint_changes where run_id = :run_id and action = 'drop'")
_PLANNED = sa.text("select c.relname from pg_class as c where c.relnamespace = to_regnamespace(quote_ident(:plan))")
_WITH_LEAGUE = sa.text(
    "select c.relname from pg_attribute as a join pg_class as c on c.oid = a.attrelid"
    " where c.relnamespace = to_regnamespace('public') and a.attname = 'league_id' and not a.attisdropped"
)


@dataclass(frozen=True, slots=True)
class Constraint:
    """One demand of a live table; `sql` gives the rows that break it, each with ``_leagues``, whom it concerns.

    `reads` are the tables whose rows decide it.
    """

    name: str
    table: str
    title: str
    dimension: str
    sql: str
    reads: frozenset[str]

    @property
    def rule(self) -> Rule:
        """What is said of it in results."""
        return Rule(
            check=self.name,
            severity="error",
            dimension=self.dimension,
            title=self.title,
            owner="database",
            why="The table demands it: the database would refuse the row, or has been made to take it.",
            mend="Mend the record in the scrape, or the live row; `rally-etl orphans` lists references that are lost.",
        )


def candidate_constraints(connection: sa.Connection, plan: str, run_id: str) -> list[Constraint]:
    """Everything the live tables demand of the rows in the schema *plan*; without that schema, of nothing.

    What the run drops before it writes demands nothing.
    """
    planned = set(connection.scalars(_PLANNED, {"plan": plan}))
    names = {"names": [name for name in IMPORTED if name in planned]}
    found = [_required(plan, row.table_name, row.columns) for row in connection.execute(_REQUIRED, names)]
    dropped = {tuple(row) for row in connection.execute(_DROPPED, {"run_id": run_id})}
    unique = [row for row in connection.execute(_UNIQUE, names) if (row.table_name, row.name) not in dropped]
    found += [_unique(plan, row) for row in unique]
    found += [_rule(plan, row) for row in connection.execute(_RULES, names)]
    for row in connection.execute(_FOREIGN, names):
        targets = [quote("public", row.target)] + ([quote(plan, row.target)] if row.target in names["names"] else [])
        found.append(_foreign(row, quote(plan, row.table_name), "p._leagues", targets))
    return _numbered(found)


def live_constraints(connection: sa.Connection) -> list[Constraint]:
    """The foreign keys of the live tables: unlike unique keys a session can switch them off and break them."""
    names = {"names": list(IMPORTED)}
    with_league = set(connection.scalars(_WITH_LEAGUE))
    league = "array[coalesce((select g.league_id from public.leagues as g where g.id = p.league_id), '*')]"
    found = [
        _foreign(
            row,
            quote("public", row.table_name),
            league if row.table_name in with_league and row.table_name != "leagues" else "array['*']",
            [quote("public", row.target)],
        )
        for row in connection.execute(_FOREIGN, names)
    ]
    return _numbered(found)


def run_constraint(
    connection: sa.Connection, constraint: Constraint, leagues: Iterable[str], keys: Mapping[str, str]
) -> list[CheckResult]:
    """Run one constraint for all leagues at once; a row that concerns no known league concerns every one.

    Args:
        keys: spelling in the rows -> key of the league, where they differ.
    """
    started = time.perf_counter()
    wanted = list(leagues)
    try:
        with connection.begin_nested():
            # The texts come from the catalogue: a colon or a percent sign in them is no bind.
            no_binds = {"no_parameters": True}
            rows = connection.exec_driver_sql(_by_league(constraint.sql), execution_options=no_binds).all()
    except sa.exc.SQLAlchemyError as error:
        told = {"error": clean_message(error), "seconds": time.perf_counter() - started}
        return [constraint.rule.result(league, "errored", **told) for league in wanted]
    failing, samples, found = dict.fromkeys(wanted, 0), {league: [] for league in wanted}, dict.fromkeys(wanted, Keys())
    for row in rows:
        key = keys.get(row.league, row.league)
        packed = Keys.of(row.keys, row.failing_rows)
        for league in [key] if key in failing else wanted:
            failing[league] += row.failing_rows
            samples[league] = [*samples[league], *row.sample][:SAMPLE_ROWS]
            found[league] += packed
    seconds = time.perf_counter() - started
    return [
        constraint.rule.counted(league, failing[league], seconds=seconds, sample=samples[league], keys=found[league])
        for league in wanted
    ]


def _required(plan: str, table: str, columns: list[str]) -> Constraint:
    nulls = ", ".join(f"case when {quote(column)} is null then '{column}' end" for column in columns)
    return Constraint(
        f"constraint/{table}.not_null",
        table,
        f"Planned rows of {table} have their required columns",
        "completeness",
        f"select _leagues, id, array_remove(array[{nulls}], null) as null_columns from {quote(plan, table)}"
        f" where {' or '.join(f'{quote(column)} is null' for column in columns)}",
        frozenset({table}),
    )


def _unique(plan: str, row: sa.Row) -> Constraint:
    table, live = quote(plan, row.table_name), quote("public", row.table_name)
    if row.is_primary:
        # The plan's own key makes an id unique there; what is left is a new row under a live row's id.
        sql = f"select p._leagues, p.id from {table} as p join {live} as l on l.id = p.id where p._op = 'insert'"
        title = f"New rows of {row.table_name} take no id that is in use"
        return Constraint(_name(row), row.table_name, title, "uniqueness", sql, frozenset({row.table_name}))
    numbered = list(enumerate(row.keys, start=1))
    keys = ", ".join(f"({key}) as key_{n}" for n, key in numbered)
    names = ", ".join(f"p.key_{n}" for n, _ in numbered)
    same = "is not distinct from" if row.nulls_are_equal else "="
    conditions = [f"({row.predicate})"] if row.predicate else []
    if not row.nulls_are_equal:
        conditions += [f"({key}) is not null" for key in row.keys]
    where = f" where {' and '.join(conditions)}" if conditions else ""
    on = {side: " and ".join(f"{side}.key_{n} {same} p.key_{n}" for n, _ in numbered) for side in ("l", "d")}
    sql = f"""
        with planned as not materialized (
            select _leagues, id, {keys} from {table}{where} {"and" if where else "where"} _op <> 'delete'
        )
        select p._leagues, p.id, l.id as other_id, {names}
        from planned as p join (select id, {keys} from {live}{where}) as l on {on["l"]}
        where l.id <> p.id and not exists (select from {table} as q where q.id = l.id)
        union all
        select p._leagues, p.id, d.other_id, {names}
        from planned as p
        join (
            select {names}, min(p.id) as other_id from planned as p group by {names} having count(*) > 1
        ) as d on {on["d"]}
        where d.other_id <> p.id
        """
    title = f"Planned rows of {row.table_name} keep {row.name}"
    return Constraint(_name(row), row.table_name, title, "uniqueness", sql, frozenset({row.table_name}))


def _rule(plan: str, row: sa.Row) -> Constraint:
    sql = f"select _leagues, id from {quote(plan, row.table_name)} where not ({row.rule})"
    title = f"Planned rows of {row.table_name} keep {row.name}"
    return Constraint(_name(row), row.table_name, title, "validity", sql, frozenset({row.table_name}))


def _foreign(row: sa.Row, table: str, leagues: str, targets: list[str]) -> Constraint:
    pairs = list(zip(row.columns, row.target_columns, strict=True))
    given = " and ".join(f"p.{quote(column)} is not null" for column in row.columns)
    same = " and ".join(f"x.{quote(target)} = p.{quote(column)}" for column, target in pairs)
    gone = " and ".join(f"not exists (select from {target} as x where {same})" for target in targets)
    shown = ", ".join(f"p.{quote(column)}" for column in row.columns)
    sql = f"select {leagues} as _leagues, p.id, {shown} from {table} as p where {given} and {gone}"
    title = f"{row.table_name}.{', '.join(row.columns)} points at a row of {row.target} that exists"
    reads = frozenset({row.table_name, row.target})
    return Constraint(_name(row), row.table_name, title, "consistency", sql, reads)


def _name(row: sa.Row) -> str:
    return f"constraint/{row.table_name}.{row.name}"


def _numbered(constraints: list[Constraint]) -> list[Constraint]:
    """One constraint per name: a table may have a foreign key and an index of one name."""
    found: dict[str, Constraint] = {}
    for constraint in constraints:
        found.setdefault(constraint.name, constraint)
    return list(found.values())


def _by_league(sql: str) -> str:
    return f"""
        select
            league,
            count(*) as failing_rows,
            jsonb_agg(to_jsonb(n) - '_leagues' - 'league' - 'row_no') filter (where row_no <= {SAMPLE_ROWS}) as sample,
            cast(json_agg(cast(n.id as text)) as text) as keys
        from (
            select f.*, league, row_number() over (partition by league) as row_no
            from ({sql}) as f
            cross join lateral unnest(
                case when cardinality(f._leagues) > 0 then f._leagues else array['{ALL_LEAGUES}'] end
            ) as league
        ) as n
        group by league
        """
