"""What a run updated or deleted returns to what it was; what was changed since stays."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.planning.compare import TOUCHED
from rally_etl.planning.undo.undone import DUE, Undone, row_key

MAKE_CHANGED = """
    drop table if exists pg_temp.undo_changed;
    create temporary table undo_changed (
        table_name text not null, row_key text not null, column_name text not null, written text, now text
    ) on commit drop;
"""
"""What somebody changed after the run, of what the run itself had written: one row per column, '' for a whole row."""

_SHOWN_VALUE = 40  # letters of a value that a list shows
_CHANGED = f"""
    select row_key, string_agg(
        case when column_name = '' then now
             else column_name || ' is ' || coalesce(left(now, {_SHOWN_VALUE}), 'empty') || ', the run had written '
                  || coalesce(left(written, {_SHOWN_VALUE}), 'nothing') end, '; ' order by column_name) as what
    from undo_changed where table_name = :table group by 1 order by 1
    """


def note_changed(connection: sa.Connection, part: Undone) -> dict[str, str]:
    """Note in ``undo_changed`` what was changed since in one table; answer it as key of a row -> what, in words."""
    names = [name for name in part.table.column_names if name not in (*part.table.key, TOUCHED)]
    there = f"case when p._op = 'delete' then {part.is_live} else not {part.is_live} end"
    values = [f"('', null, case when p._op = 'delete' then 'it is there again' else 'it is gone' end, {there})"]
    values += [
        f"('{name}', cast(p.{quote(name)} as text), cast(l.{quote(name)} as text),"
        f" p._op <> 'delete' and {part.is_live} and l.{quote(name)} is distinct from p.{quote(name)}"
        f" and (p._op = 'insert' or p.{quote(name)} is distinct from b.{quote(name)}))"
        for name in names
    ]
    live, after = (", ".join(f"{alias}.{quote(name)}" for name in names) for alias in ("l", "p"))
    differs = f"row({live}) is distinct from row({after})" if names else "false"
    binds = {"table": part.table.name}
    connection.execute(
        sa.text(
            "insert into undo_changed"
            f" select :table, {row_key(part.table, 'p')}, c.column_name, c.written, c.now {part.rows}"
            f" cross join lateral (values {', '.join(values)}) as c(column_name, written, now, is_changed)"
            f" where {DUE} and (p._op = 'delete' or not {part.is_live} or {differs}) and c.is_changed"
        ),
        binds | part.binds,
    )
    return {row.row_key: row.what for row in connection.execute(sa.text(_CHANGED), binds)}


def plan_deleted(connection: sa.Connection, part: Undone) -> dict[str, str]:
    """Plan what the run deleted, under the ids it had; answer what cannot come back, as it points at nothing."""
    table = part.table
    lost = f"{part.rows} where {DUE} and p._op = 'delete' and not {part.is_live}"
    stands = " and ".join(part.stands(each.column) for each in part.keys) or "true"
    part.plan_rows(connection, part.of("b"), "'insert'", f"{lost} and {stands}")
    columns = [f"case when not ({part.stands(each.column)}) then '{each.column}' end" for each in part.keys]
    if not columns:
        return {}
    rows = connection.execute(
        sa.text(
            f"select {row_key(table, 'p')} as row_key, array_to_string(array[{', '.join(columns)}], ', ') as columns"
            f" {lost} and not ({stands}) order by 1"
        ),
        part.binds,
    )
    return {row.row_key: row.columns for row in rows}


def plan_returns(connection: sa.Connection, part: Undone) -> dict[str, str]:
    """Plan what was updated or switched off, back to what it was, column by column.

    Returns:
        key of a row -> columns that pointed at nothing before the run mended them, and cannot be written so again.
    """
    changed = _changed_columns(connection, part)
    if not changed:
        return {}
    returns = {
        name: "p.{0} is distinct from b.{0} and l.{0} is not distinct from p.{0}".format(quote(name))
        + f" and {part.stands(name)}"
        for name in changed
    }
    values = {
        name: f"case when {condition} then b.{quote(name)} else l.{quote(name)} end"
        for name, condition in returns.items()
    }
    off = f"l.is_active is not false and {values['is_active']} is false" if "is_active" in values else "false"
    updated = f"{part.rows} where {DUE} and p._op in ('update', 'deactivate')"
    part.plan_rows(
        connection,
        part.of("l", values),
        f"case when {off} then 'deactivate' else 'update' end",
        f"{updated} and {part.is_live} and ({' or '.join(f'({each})' for each in returns.values())})",
    )
    lost = [
        f"case when p.{name} is distinct from b.{name} and not ({part.stands(each.column)}) then '{each.column}' end"
        for each in part.keys
        if (name := quote(each.column))
    ]
    if not lost:
        return {}
    rows = connection.execute(
        sa.text(
            f"select row_key, columns from (select {row_key(part.table, 'p')} as row_key,"
            f" array_remove(array[{', '.join(lost)}], null) as columns {updated}) as compared"
            " where cardinality(columns) > 0 order by row_key"
        ),
        part.binds,
    )
    return {row.row_key: ", ".join(dict.fromkeys(row.columns)) for row in rows}


def _changed_columns(connection: sa.Connection, part: Undone) -> list[str]:
    """Columns that the run wrote in some row."""
    names = [name for name in part.table.column_names if name not in part.table.key]
    if not names:
        return []
    flags = ", ".join(f"bool_or(p.{quote(name)} is distinct from b.{quote(name)})" for name in names)
    row = connection.execute(
        sa.text(f"select {flags} from {part.after} as p join {part.before} as b on {part.table.same('b', 'p')}")
    ).one()
    return [name for name, is_changed in zip(names, row, strict=True) if is_changed]
