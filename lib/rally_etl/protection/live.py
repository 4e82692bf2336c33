"""The account after a publish: live compared with the baseline, without blaming what users did meanwhile."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.references import Reference, ReferenceParams, read_reference_params
from rally_etl.measures import counted
from rally_etl.naming import load_leagues
from rally_etl.protection.account import Account, store_accounts
from rally_etl.protection.identity import name_sql
from rally_etl.protection.meaning import Meaning, read_meaning
from rally_etl.protection.memory import find_changes
from rally_etl.protection.user_tables import UserTable, find_user_tables
from rally_etl.settings import Settings

IDENTITY = {
    "teams": ["team_name"], "series": ["name"], "clubs": ["name"], "players": ["first_name", "last_name"],
}  # fmt: skip
"""Names as the entity history has them, by the columns that they are made of."""

_MOMENTS = ["baseline", "candidate"]
_COUNTS = "select table_name, state, count(*) as row_count from noted_rows group by 1, 2"
# What the gate has let through: an undo of a repair makes a row point at nothing again, and says so.
_EXPECTED = """
    select distinct on (table_name, column_name) table_name, column_name, dangling + lost as nowhere
    from etl.accounts where run_id = :run and moment = any(:moments)
    order by table_name, column_name, moment = 'candidate' desc
    """


def verify_users(engine: sa.Engine, settings: Settings, run_id: str, back_to: str | None = None) -> list[str]:
    """Account for live after a publish, at one moment of it; answer what is lost or moved, in sentences.

    Args:
        back_to: the run that *run_id* has taken back: everything should mean what it meant before that one.

    Raises:
        UsageError: params that cannot be read.
    """
    params = read_reference_params(settings.params_dir / "references.yaml")
    leagues = load_leagues(settings.params_dir)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        meaning = read_meaning(connection, leagues, params.series_words, back_to or run_id)
        accounts = account_live(connection, params, meaning, run_id, back_to)
    return [text for each in accounts for kind, _, _, text in each.told if kind in ("lost", "moved")]


def account_live(
    connection: sa.Connection, params: ReferenceParams, meaning: Meaning, run_id: str, back_to: str | None = None
) -> list[Account]:
    """Account for live as it is now, and keep it in the ledger.

    What users changed, added or deleted since the baseline is counted as that, and what their changed rows point at is
    theirs. Of all other rows each reference must point at something, and that must have the name it had.
    """
    remembered = find_changes(connection, params)
    connection.execute(sa.text("analyze noted_rows"))
    changes = {(row.table_name, row.state): row.row_count for row in connection.execute(sa.text(_COUNTS))}
    expected = {
        (row.table_name, row.column_name): row.nowhere
        for row in connection.execute(
            sa.text(_EXPECTED), {"run": back_to or run_id, "moments": ["baseline"] if back_to else _MOMENTS}
        )
    }
    accounts = []
    for name, table in sorted(find_user_tables(connection, params).items()):
        accounts.append(_rows(connection, table, changes if name in remembered else {}))
        for each in table.references:
            if not each.is_past:
                known = expected.get((name, each.column), 0)
                accounts.append(_reference(connection, table, each, params, meaning, back_to or run_id, known))
    store_accounts(connection, run_id, "live", accounts)
    return accounts


def _rows(connection: sa.Connection, table: UserTable, changes: dict[tuple[str, str], int]) -> Account:
    hashes = f"select {table.hash('l')} as h from {quote('public', table.name)} as l where {table.rows}"
    row = connection.execute(
        sa.text(
            "select count(*) as row_count, count(*) || ':' || coalesce(sum(h), 0) || ':' || coalesce(bit_xor(h), 0)"
            f" as fingerprint from ({hashes}) as r"
        )
    ).one()
    found = Account(table=table.name, label=table.label, **row._mapping)
    found.changed = changes.get((table.name, "changed"), 0)
    found.added = changes.get((table.name, "added"), 0) + changes.get((table.name, "back"), 0)
    found.gone = changes.get((table.name, "gone"), 0)
    found.same = found.row_count - found.changed - found.added
    return found


def _reference(
    connection: sa.Connection,
    table: UserTable,
    reference: Reference,
    params: ReferenceParams,
    meaning: Meaning,
    run_id: str,
    expected: int,
) -> Account:
    """What the rows that nobody has changed point at; *expected* of them point at nothing in the candidate."""
    found = Account(table=reference.table, column=reference.column, target=reference.target, label=table.label)
    nowhere: list[sa.Row] = []
    for row in connection.execute(sa.text(_pointing(table, reference, params)), {"run": run_id}):
        found.row_count += row.row_count
        if row.is_same:
            found.same += row.row_count
            continue
        if row.names is None:
            nowhere.append(row)
            continue
        befores = row.befores or row.names
        pairs = [(one, other) for one in befores for other in row.names]
        if any(meaning.is_same(reference.target, row.league_id, one, other) for one, other in pairs):
            found.same += row.row_count
        elif meaning.why_renamed(reference.target, row.ids):
            found.renamed += row.row_count
        else:
            found.moved += row.row_count
            text = f"{reference.name}: {counted(row.row_count, 'row')} of {befores[0]!r} are of {row.names[0]!r} now"
            found.told.append(("moved", row.league_id, row.row_count, text))
    total = sum(row.row_count for row in nowhere)
    found.lost = max(0, total - expected)
    found.dangling = total - found.lost
    if found.lost:
        keys = ", ".join(f"{reference.target} {row.key}" for row in nowhere[:3])
        text = f"{reference.name}: {counted(found.lost, 'row')} more than planned point at nothing ({keys})"
        found.told.append(("lost", None, found.lost, text))
    return found


def _pointing(table: UserTable, reference: Reference, params: ReferenceParams) -> str:
    """SQL of what unchanged rows point at: names now, and the names of before this run where history has them."""
    column = quote(reference.column)
    key = f"cast(t.{quote(reference.target_column)} as text)"
    league = {"leagues": "t.id", "clubs": "null", "series": "null"}.get(reference.target, "t.league_id")
    before = "cast(null as text)"
    if params.identity.get(reference.target) == IDENTITY.get(reference.target, ()):
        before = (
            "(select h.name from etl.entity_history as h"
            f" where h.table_name = '{reference.target}' and h.entity_id = t.id and h.run_id is distinct from :run"
            " order by h.valid_from desc limit 1)"
        )
    return f"""
        with used as materialized (
            select cast(k as text) as key, row_count from (
                select l.{column} as k, count(*) as row_count
                from {quote("public", table.name)} as l
                where l.{column} is not null and ({table.rows})
                  and not exists (select from noted_rows as d where d.table_name = '{table.name}'
                                  and d.state <> 'gone' and d.place = l.ctid)
                group by 1) as g
        ),
        targets as materialized (
            select {key} as key, array_agg({name_sql("t", reference.target, params)}) as names, array_agg(t.id) as ids,
                   array_remove(array_agg({before}), null) as befores, min(cast({league} as integer)) as league_id
            from {quote("public", reference.target)} as t where {key} in (select key from used) group by 1
        ),
        compared as (
            select u.key, u.row_count, t.names, t.ids, nullif(t.befores, '{{}}') as befores, t.league_id,
                   t.names is not null and (t.befores = '{{}}' or t.names && t.befores) as is_same
            from used as u left join targets as t on t.key = u.key
        )
        select key, row_count, names, ids, befores, league_id, is_same from compared where not is_same
        union all
        select null, cast(sum(row_count) as bigint), null, null, null, null, true from compared where is_same
        having count(*) > 0
        """
