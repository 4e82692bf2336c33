"""What users choose anew as they like, their team and league, against memory: seldom emptied by many at once.

One user who changes the team is life. Many choices that are empty, and one of a team in which its user never played,
are what importers and repairs have left (incident 31).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.references import ReferenceParams, find_map
from rally_etl.measures import counted, measure
from rally_etl.protection.user_tables import find_user_tables

FEWEST = 10
"""Of fewer chosen things nothing is said: two users who tidy up would be a fifth of them."""

CHOICES = ("choices_emptied_share", "choices_astray")
"""Measures of the run as a whole, of what users have chosen."""

_CONTEXTS = ("user_contexts", "team_id")
_ASTRAY = """
    select count(*)
    from public.user_contexts as l
    join etl.user_rows as r on r.table_name = 'user_contexts' and r.row_key = {key}
    where l.team_id is not null and cast(l.team_id as text) is distinct from r.image ->> 'team_id'
      and exists (
          select from public.user_player_associations as a
          join public.players as p on p.tenniscores_player_id = a.tenniscores_player_id
          where a.user_id = l.user_id)
      and not exists (
          select from public.user_player_associations as a
          join public.players as p on p.tenniscores_player_id = a.tenniscores_player_id
          where a.user_id = l.user_id and p.team_id = l.team_id)
    """


def choice_measures(connection: sa.Connection, params: ReferenceParams) -> dict[str, dict[str, Any]]:
    """How many choices are gone since memory noted them; to be asked before it is brought up to now."""
    tables = find_user_tables(connection, params)
    shares, told = [0.0], []
    astray = 0
    for each in find_map(connection, params).by_id:
        if (
            each.is_fixed
            or each.is_required
            or not each.is_users
            or not getattr(tables.get(each.table), "is_remembered", False)
        ):
            continue
        table = tables[each.table]
        row = connection.execute(
            sa.text(
                f"select count(*) as had, count(*) filter (where l.{quote(each.column)} is null) as emptied"
                f" from {quote('public', each.table)} as l"
                f" join etl.user_rows as r on r.table_name = :table and r.row_key = {table.key('l')}"
                " where r.gone_at is null and r.image ->> :column is not null"
            ),
            {"table": each.table, "column": each.column},
        ).one()
        if row.emptied and row.had >= FEWEST:
            shares.append(row.emptied / row.had)
            told.append(f"{each.name}: {row.emptied:,} of {counted(row.had, 'row')}")
        if (each.table, each.column) == _CONTEXTS and "user_player_associations" in tables:
            astray = connection.execute(sa.text(_ASTRAY.format(key=table.key("l")))).scalar_one()
    return {
        "choices_emptied_share": measure(max(shares), told),
        "choices_astray": measure(astray, [counted(astray, "chosen team")] if astray else []),
    }
