"""Memory of what users wrote (`etl.user_rows`): every row that refers to imported rows, as it was when last seen.

An image is the row as JSON without its secrets, and under ``_names`` the name of what each reference pointed at. It
follows its row, but a reference keeps its last good value, and that one's name, when somebody else than a run of ours
has

- written anything else into one that the application never writes again (`Reference.is_fixed`),
- emptied one that must not be empty (`Reference.is_required`), or whose target is gone,
- pointed one at nothing.

A value is good if it pointed at something when it was noted. It is kept until a run that is published writes the row.
A row that is missing keeps its image and gets `gone_at`; one that a run of ours has deleted is forgotten. ``row_hash``
is that of the row as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.database.references import Reference, ReferenceParams
from rally_etl.planning.schema import read_planned, schemas
from rally_etl.protection.identity import name_sql
from rally_etl.protection.user_tables import SCHEDULE, UserTable, find_user_tables

NAMES = "_names"
"""Key of an image that no column can have as its own: names by column."""

_PLACES = "table_name text, row_key text, place tid, state text"
_SEEN = """
    insert into noted_rows
    select coalesce(l.table_name, m.table_name), coalesce(l.row_key, m.row_key), l.place,
           case when l.row_key is null then 'gone' when m.row_key is null then 'added'
                when m.gone_at is not null then 'back' else 'changed' end
    from ({live}) as l
    full join (select table_name, row_key, row_hash, gone_at from etl.user_rows
               where table_name = any(:names) or to_regclass('public.' || quote_ident(table_name)) is null) as m
        on m.row_key = l.row_key and m.table_name = l.table_name
    where l.row_key is null and m.gone_at is null or m.row_key is null
       or l.row_key is not null and (l.row_hash is distinct from m.row_hash or m.gone_at is not null)
    """
_GONE = """
    update etl.user_rows as m set gone_at = now()
    from noted_rows as d where d.state = 'gone' and m.table_name = d.table_name and m.row_key = d.row_key
    """
_FORGOTTEN = """
    delete from etl.user_rows as m using noted_rows as d
    where d.state = 'gone' and m.table_name = d.table_name and m.row_key = d.row_key
    """


@dataclass(frozen=True, slots=True)
class Noted:
    """What one noting wrote, in rows; all zero when nothing has changed since the one before."""

    added: int = 0
    changed: int = 0
    gone: int = 0
    back: int = 0


def note_users(connection: sa.Connection, params: ReferenceParams, run_id: str | None = None) -> Noted:
    """Bring the memory up to what live says now; rows that are as they were cost a hash join and no write.

    Args:
        run_id: None notes every row, by the rule at the top of this module. A run notes the rows that it has written,
            with all that they say now, and the new names of what it has renamed, and nothing else: called in the
            transaction of its publish.
    """
    if run_id is None:
        tables = find_changes(connection, params)
        return _take(connection, tables, params, None)
    tables = _remembered(connection, params)
    _make_places(connection)
    for name in [name for name in read_planned(connection, run_id) if name in tables]:
        _place_planned(connection, tables[name], run_id)
    noted = _take(connection, tables, params, run_id)
    _rename(connection, tables, params, run_id)
    return noted


def find_changes(connection: sa.Connection, params: ReferenceParams) -> dict[str, UserTable]:
    """Fill ``noted_rows``, a table of the transaction, with the remembered rows that are not as memory has them.

    Its columns: table_name, row_key, place (`ctid` of the live row), state (added, changed, gone, back).

    Returns:
        the remembered tables.
    """
    tables = _remembered(connection, params)
    _make_places(connection)
    connection.execute(sa.text("set local work_mem = '128MB'"))
    connection.execute(sa.text(_SEEN.format(live=_live(tables))), {"names": list(tables)})
    return tables


def _remembered(connection: sa.Connection, params: ReferenceParams) -> dict[str, UserTable]:
    return {name: each for name, each in find_user_tables(connection, params).items() if each.is_remembered}


def _make_places(connection: sa.Connection) -> None:
    connection.execute(sa.text("drop table if exists pg_temp.noted_rows"))
    connection.execute(sa.text(f"create temporary table noted_rows ({_PLACES}) on commit drop"))


def _live(tables: Mapping[str, UserTable]) -> str:
    """SQL of all remembered rows of live: table_name, row_key, row_hash, place."""
    parts = [
        f"select cast('{name.replace(chr(39), chr(39) * 2)}' as text) as table_name, {each.key('l')} as row_key,"
        f" {each.hash('l')} as row_hash, l.ctid as place from {quote('public', name)} as l where {each.rows}"
        for name, each in tables.items()
    ]
    nothing = "select cast('' as text) as table_name, cast('' as text) as row_key, cast(0 as bigint) as row_hash"
    return " union all ".join(parts) or f"{nothing}, cast(null as tid) as place where false"


def _place_planned(connection: sa.Connection, each: UserTable, run_id: str) -> None:
    """Note which rows a run has written; rows of the schedule that are no practice rows are nobody's."""
    plan = quote(schemas(run_id)[0], each.name)
    before = quote(schemas(run_id)[0], f"{each.name}_before")
    users = "true"
    if each.name == SCHEDULE:
        users = f"p.id in (select id from {plan} where {each.rows} union select id from {before} where {each.rows})"
    connection.execute(
        sa.text(
            f"insert into noted_rows select :name, {each.key('p')}, l.ctid,"
            f" case when l.ctid is null then 'gone' else 'changed' end"
            f" from {plan} as p left join {quote('public', each.name)} as l on {each.table.same('l', 'p')}"
            f" where {users}"
        ),
        {"name": each.name},
    )


def _take(
    connection: sa.Connection, tables: Mapping[str, UserTable], params: ReferenceParams, run_id: str | None
) -> Noted:
    """Write what `noted_rows` names; of a run without keeping anything of before."""
    counts: dict[str, int] = {}
    known: dict[str, bool] = {}  # table -> whether any of its rows has an image already
    for row in connection.execute(sa.text("select table_name, state, count(*) from noted_rows group by 1, 2")):
        counts[row.state] = counts.get(row.state, 0) + row.count
        if row.state != "gone":
            known[row.table_name] = known.get(row.table_name, False) or row.state != "added"
    if not counts:
        return Noted()
    connection.execute(sa.text("analyze noted_rows"))
    if "gone" in counts:
        connection.execute(sa.text(_GONE if run_id is None else _FORGOTTEN))
    for name in sorted(known):
        connection.execute(sa.text("drop table if exists pg_temp.noted"))
        connection.execute(sa.text(_rows(tables[name])), {"name": name})
        connection.execute(sa.text("analyze noted"))
        sql = _images(tables[name], params, keeps=run_id is None and known[name])
        connection.execute(sa.text(sql), {"name": name, "run": run_id})
    return Noted(**counts)


def _images(each: UserTable, params: ReferenceParams, keeps: bool) -> str:
    """SQL that writes the images of one table's rows in `noted_rows`."""
    joins, values, names = [], ["'{}'::jsonb"], []
    for place, reference in enumerate(each.references):
        column = quote(reference.column)
        text = "'" + reference.column.replace("'", "''") + "'"
        joins.append(f"left join ({_names(reference, params)}) as n{place} on n{place}.key = cast(c.{column} as text)")
        name = f"n{place}.name"
        if keeps:
            was = f"c.noted_was ->> {text}"
            joins.append(f"left join ({_names(reference, params)}) as w{place} on w{place}.key = {was}")
            kept = f"({_is_kept(reference, place, text)})"
            values.append(
                f"jsonb_strip_nulls(jsonb_build_object({text}, case when {kept} then c.noted_was -> {text} end))"
            )
            name = f"case when {kept} then c.noted_was -> '{NAMES}' ->> {text} else {name} end"
        names.append(f"{text}, {name}")
    return f"""
        insert into etl.user_rows as m (table_name, row_key, image, row_hash, run_id)
        select distinct on (c.noted_key) :name, c.noted_key,
               c.noted_image || {" || ".join(values)}
               || jsonb_build_object('{NAMES}', jsonb_strip_nulls(jsonb_build_object({", ".join(names)}))),
               c.noted_hash, cast(:run as text)
        from noted as c {" ".join(joins)}
        order by c.noted_key
        on conflict (table_name, row_key) do update
        set image = excluded.image, row_hash = excluded.row_hash, noted_at = clock_timestamp(),
            run_id = excluded.run_id, gone_at = null
        """


def _rows(each: UserTable) -> str:
    """SQL of one table's rows in `noted_rows`, with what the memory says of them: the references as columns."""
    secrets = ", ".join(f"'{name}'" for name in sorted(each.secrets))
    columns = "".join(f", l.{quote(name)}" for name in sorted({reference.column for reference in each.references}))
    return f"""
        create temporary table noted on commit drop as
        select d.row_key as noted_key, {each.hash("l")} as noted_hash, o.image as noted_was,
               to_jsonb(l) - cast(array[{secrets}] as text[]) as noted_image{columns}
        from noted_rows as d
        join {quote("public", each.name)} as l on l.ctid = d.place and {each.key("l")} = d.row_key
        left join etl.user_rows as o on o.table_name = d.table_name and o.row_key = d.row_key
        where d.table_name = :name and d.state <> 'gone'
        """


def _is_kept(reference: Reference, place: int, text: str) -> str:
    """SQL: whether a reference that had a good value keeps it in the image, against what the row says now."""
    now = f"cast(c.{quote(reference.column)} as text)"
    good = f"c.noted_was -> '{NAMES}' ->> {text} is not null and {now} is distinct from c.noted_was ->> {text}"
    if reference.is_fixed:
        return good
    emptied = "true" if reference.is_required else f"w{place}.key is null"
    return f"{good} and case when {now} is null then {emptied} else n{place}.key is null end"


def _names(reference: Reference, params: ReferenceParams) -> str:
    """SQL of what the rows in `c` pointed or point at: key as text, and name."""
    key = f"cast(t.{quote(reference.target_column)} as text)"
    column = quote(reference.column)
    text = "'" + reference.column.replace("'", "''") + "'"
    return (
        f"select {key} as key, min({name_sql('t', reference.target, params)}) as name"
        f" from {quote('public', reference.target)} as t"
        f" where {key} in (select cast({column} as text) from noted union select noted_was ->> {text} from noted)"
        " group by 1"
    )


def _rename(connection: sa.Connection, tables: Mapping[str, UserTable], params: ReferenceParams, run_id: str) -> None:
    """Give the images of rows whose team or player a published run has renamed the new name of it."""
    plan = schemas(run_id)[0]
    planned = {name for name in read_planned(connection, run_id) if name in IMPORTED}
    for each in tables.values():
        for reference in each.references:
            if reference.target not in planned:
                continue
            key, column = quote(reference.target_column), quote(reference.column)
            now, after, before = (name_sql(alias, reference.target, params) for alias in ("t", "p", "b"))
            connection.execute(
                sa.text(
                    f"""
                    update etl.user_rows as m
                    set image = jsonb_set(m.image, cast(:path as text[]), to_jsonb(r.name))
                    from (select distinct on (1) cast(t.{key} as text) as key, {now} as name
                          from {quote(plan, reference.target)} as p
                          join {quote(plan, f"{reference.target}_before")} as b on b.id = p.id
                          join {quote("public", reference.target)} as t on t.id = p.id
                          where p._op <> 'delete' and {after} is distinct from {before} and {now} = {after}) as r
                    join {quote("public", each.name)} as l on cast(l.{column} as text) = r.key
                    where m.table_name = :name and m.row_key = {each.key("l")} and m.image ->> :column = r.key
                      and m.image -> '{NAMES}' ->> :column is distinct from r.name
                    """
                ),
                {"name": each.name, "column": reference.column, "path": [NAMES, reference.column]},
            )
