"""What tables are made of: columns, constraints, indexes, triggers, sequences, grants, and the views that read them.

Everything is read with an empty ``search_path``, so that each statement names its schemas and can be run by anybody.
Comments, row security, storage options and replica identity are not looked at.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import quote

Definition = dict[str, Any]

_BASE_TABLES = sa.text(
    """
    select c.relname, c.relkind = 'p' or c.relispartition or exists (
               select from pg_inherits as i where c.oid in (i.inhrelid, i.inhparent)) as is_divided
    from pg_class as c
    where c.relnamespace = to_regnamespace('public') and c.relkind in ('r', 'p')
      and not exists (select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid
                      and d.deptype = 'e')
    order by 1
    """
)
_TABLES = sa.text(
    """
    select c.relname as name, c.oid::bigint as oid, pg_get_userbyid(c.relowner) as owner,
        (select jsonb_agg(jsonb_build_object(
                    'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
                    'default', pg_get_expr(d.adbin, d.adrelid), 'identity', a.attidentity,
                    'generated', a.attgenerated,
                    'collation', case when a.attcollation <> t.typcollation
                                      then (select format('%I.%I', n.nspname, l.collname) from pg_collation as l
                                            join pg_namespace as n on n.oid = l.collnamespace
                                            where l.oid = a.attcollation) end)
                order by a.attnum)
         from pg_attribute as a
         join pg_type as t on t.oid = a.atttypid
         left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
        (select array_agg(a.attname::text order by k.position)
         from pg_index as x, unnest(x.indkey) with ordinality as k(attnum, position), pg_attribute as a
         where x.indrelid = c.oid and x.indisprimary and a.attrelid = c.oid and a.attnum = k.attnum) as key,
        (select jsonb_object_agg(o.conname, jsonb_build_object(
                    'type', o.contype, 'sql', pg_get_constraintdef(o.oid), 'target', f.relname,
                    'target_schema', n.nspname,
                    'columns', (select jsonb_agg(a.attname order by k.position)
                                from unnest(o.conkey) with ordinality as k(attnum, position)
                                join pg_attribute as a on a.attrelid = o.conrelid and a.attnum = k.attnum),
                    'target_columns', (select jsonb_agg(a.attname order by k.position)
                                from unnest(o.confkey) with ordinality as k(attnum, position)
                                join pg_attribute as a on a.attrelid = o.confrelid and a.attnum = k.attnum)))
         from pg_constraint as o
         left join pg_class as f on f.oid = o.confrelid
         left join pg_namespace as n on n.oid = f.relnamespace
         where o.conrelid = c.oid and o.contype in ('p', 'u', 'f', 'c', 'x')) as constraints,
        (select jsonb_object_agg(i.relname, pg_get_indexdef(i.oid))
         from pg_index as x join pg_class as i on i.oid = x.indexrelid
         where x.indrelid = c.oid and x.indisvalid
           and not exists (select from pg_constraint as o where o.conindid = i.oid and o.contype in ('p', 'u', 'x'))
        ) as indexes,
        (select jsonb_object_agg(i.relname, jsonb_build_object(
                    'columns', (select jsonb_agg(pg_get_indexdef(i.oid, n, false) order by n)
                                from generate_series(1, x.indnkeyatts) as n),
                    'rows', pg_get_expr(x.indpred, x.indrelid), 'nulls_are_equal', x.indnullsnotdistinct))
         from pg_index as x join pg_class as i on i.oid = x.indexrelid
         where x.indrelid = c.oid and x.indisvalid and x.indisunique and not x.indisprimary) as unique_keys,
        (select jsonb_object_agg(t.tgname, jsonb_build_object(
                    'sql', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled,
                    'function', t.tgfoid::regprocedure::text,
                    'function_sql', pg_get_functiondef(t.tgfoid)))
         from pg_trigger as t where t.tgrelid = c.oid and not t.tgisinternal) as triggers,
        (select jsonb_agg(distinct jsonb_build_array(g.role, g.privilege_type, g.is_grantable, g.column_name))
         from (select case when x.grantee = 0 then null else pg_get_userbyid(x.grantee) end as role,
                      x.privilege_type, x.is_grantable, null::name as column_name
               from aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) as x
               union all
               select case when x.grantee = 0 then null else pg_get_userbyid(x.grantee) end,
                      x.privilege_type, x.is_grantable, a.attname
               from pg_attribute as a, aclexplode(a.attacl) as x
               where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as g) as grants
    from pg_class as c
    where c.relnamespace = to_regnamespace('public') and c.relkind = 'r' and c.relname = any(:tables)
    """
)
_SEQUENCES = sa.text(
    """
    select distinct on (c.relname, s.oid)
        c.relname as table_name, n.nspname as schema, s.relname as name, a.attname as column_name,
        d.deptype::text as owned, format_type(q.seqtypid, null) as type, q.seqstart as start,
        q.seqincrement as increment, q.seqmin as min, q.seqmax as max, q.seqcache as cache, q.seqcycle as cycle,
        (select jsonb_agg(jsonb_build_array(
                    case when x.grantee = 0 then null else pg_get_userbyid(x.grantee) end, x.privilege_type,
                    x.is_grantable, null))
         from aclexplode(coalesce(s.relacl, acldefault('s', s.relowner))) as x) as grants
    from pg_class as c
    cross join lateral (
        select d.objid as sequence, d.refobjsubid as attnum, d.deptype from pg_depend as d
        where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid
          and d.deptype in ('a', 'i')
        union all
        select d.refobjid, v.adnum, null from pg_attrdef as v
        join pg_depend as d on d.classid = 'pg_attrdef'::regclass and d.objid = v.oid
                           and d.refclassid = 'pg_class'::regclass
        where v.adrelid = c.oid and d.deptype = 'n') as d
    join pg_class as s on s.oid = d.sequence and s.relkind = 'S'
    join pg_namespace as n on n.oid = s.relnamespace
    join pg_sequence as q on q.seqrelid = s.oid
    join pg_attribute as a on a.attrelid = c.oid and a.attnum = d.attnum
    where c.relnamespace = to_regnamespace('public') and c.relkind = 'r' and c.relname = any(:tables)
    order by c.relname, s.oid, d.deptype nulls last
    """
)
_FOREIGN_KEYS_INTO = sa.text(
    """
    select n.nspname as schema, c.relname as table_name, o.conname as name, pg_get_constraintdef(o.oid) as sql
    from pg_constraint as o
    join pg_class as c on c.oid = o.conrelid
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_class as f on f.oid = o.confrelid
    where o.contype = 'f' and o.conparentid = 0
      and f.relnamespace = to_regnamespace('public') and f.relname = any(:tables)
      and not (n.nspname = 'public' and c.relname = any(:tables))
    order by 1, 2, 3
    """
)
_VIEWS = sa.text(
    """
    with recursive reading(oid, depth) as (
        select c.oid, 0 from pg_class as c
        where c.relnamespace = to_regnamespace('public') and c.relkind = 'r' and c.relname = any(:tables)
        union
        select r.ev_class, reading.depth + 1
        from reading
        join pg_depend as d on d.refclassid = 'pg_class'::regclass and d.refobjid = reading.oid
                           and d.classid = 'pg_rewrite'::regclass
        join pg_rewrite as r on r.oid = d.objid and r.ev_class <> reading.oid
    )
    select n.nspname as schema, c.relname as name, c.relkind = 'm' as is_stored, pg_get_userbyid(c.relowner) as owner,
        pg_get_viewdef(c.oid) as sql, max(reading.depth) as depth,
        (select jsonb_agg(pg_get_indexdef(x.indexrelid)) from pg_index as x where x.indrelid = c.oid) as indexes,
        (select jsonb_agg(jsonb_build_array(
                    case when x.grantee = 0 then null else pg_get_userbyid(x.grantee) end, x.privilege_type,
                    x.is_grantable, null))
         from aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) as x) as grants
    from reading
    join pg_class as c on c.oid = reading.oid and c.relkind in ('v', 'm')
    join pg_namespace as n on n.oid = c.relnamespace
    group by c.oid, n.nspname, c.relname, c.relkind, c.relowner, c.relacl
    order by max(reading.depth), 1, 2
    """
)


@dataclass(slots=True)
class Definitions:
    """What tables of schema ``public`` are made of.

    Attributes:
        tables: table -> its definition; a table that does not exist has no entry.
        keys_into: foreign keys of other tables that point at these.
        views: views, of any schema, that read these tables; those that others read come first.
    """

    tables: dict[str, Definition] = field(default_factory=dict)
    keys_into: list[Definition] = field(default_factory=list)
    views: list[Definition] = field(default_factory=list)


def run(connection: sa.Connection, sql: str) -> sa.CursorResult:
    """Run SQL as it is: no colon and no per cent sign of it means anything."""
    return connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


def name_schemas(connection: sa.Connection) -> None:
    """Have this transaction's texts of definitions, and its statements, name every schema."""
    run(connection, "select set_config('search_path', '', true)")


def base_tables(connection: sa.Connection) -> dict[str, bool]:
    """Tables of schema ``public`` that no extension has made -> whether they are partitioned or inherit."""
    return {row.relname: row.is_divided for row in connection.execute(_BASE_TABLES)}


def read_definitions(connection: sa.Connection, tables: Iterable[str]) -> Definitions:
    """Describe these tables as they stand; the transaction's ``search_path`` must be empty."""
    binds = {"tables": list(tables)}
    found = Definitions()
    for row in connection.execute(_TABLES, binds):
        found.tables[row.name] = {
            "oid": row.oid,
            "owner": row.owner,
            "columns": row.columns or [],
            "key": row.key or [],
            "constraints": row.constraints or {},
            "indexes": row.indexes or {},
            "unique_keys": row.unique_keys or {},
            "triggers": row.triggers or {},
            "grants": sorted(row.grants or [], key=json.dumps),
            "sequences": [],
        }
    for row in connection.execute(_SEQUENCES, binds).mappings().all():
        last, called = run(connection, f"select last_value, is_called from {quote(row['schema'], row['name'])}").one()
        sequence = {name: value for name, value in row.items() if name != "table_name"}
        sequence["grants"] = sorted(sequence["grants"] or [], key=json.dumps)
        found.tables[row["table_name"]]["sequences"].append(sequence | {"last": last, "is_called": called})
    found.keys_into = [dict(row) for row in connection.execute(_FOREIGN_KEYS_INTO, binds).mappings()]
    found.views = [dict(row) for row in connection.execute(_VIEWS, binds).mappings()]
    for view in found.views:
        view["indexes"], view["grants"] = view["indexes"] or [], sorted(view["grants"] or [], key=json.dumps)
    return found


def structure(definition: Definition) -> str:
    """A fingerprint of what a table is made of; where its sequences stand does not count."""
    told = {name: value for name, value in definition.items() if name not in ("oid", "unique_keys")}
    told["sequences"] = sorted(
        ({name: each[name] for name in each if name not in ("last", "is_called")} for each in definition["sequences"]),
        key=lambda each: each["name"],
    )
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def told_changes(was: Definition, now: Definition) -> list[str]:
    """What is different in the make of a table, a sentence each."""
    told = []
    before, after = ({column["name"]: column for column in each["columns"]} for each in (was, now))
    told += [f"column {name} is gone" for name in before if name not in after]
    told += [f"column {name} is new" for name in after if name not in before]
    told += [
        f"column {name}: {what} was {before[name][what] or 'none'}, is {after[name][what] or 'none'}"
        for name in before
        if name in after
        for what in before[name]
        if before[name][what] != after[name][what]
    ]
    if not told and was["columns"] != now["columns"]:
        told.append("its columns stand in another order")
    for kind, word in (("constraints", "constraint"), ("indexes", "index"), ("triggers", "trigger")):
        told += [f"{word} {name} is gone" for name in was[kind] if name not in now[kind]]
        told += [f"{word} {name} is new" for name in now[kind] if name not in was[kind]]
        told += [f"{word} {name} is another" for name, each in was[kind].items() if now[kind].get(name, each) != each]
    if was["owner"] != now["owner"]:
        told.append(f"it belongs to {now['owner']}, not to {was['owner']}")
    if was["grants"] != now["grants"]:
        told.append("who may read and write it is another")
    if not told and structure(was) != structure(now):
        told.append("its sequences are others")
    return told
