"""Keys by which users find what they wrote: whose account, which day, which practice; a run leaves them as they are."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.measures import counted
from rally_etl.protection.account import Schemas, look
from rally_etl.protection.user_tables import SCHEDULE, UserTable

KEYS = {
    "user_player_associations": ("user_id", "tenniscores_player_id"),
    "user_contexts": ("user_id",),
    "player_availability": ("user_id", "match_date"),
}
"""Columns by which the application finds a user's rows."""

PRACTICE = ("match_date", "match_time")


def keys_that_differ(
    connection: sa.Connection, tables: dict[str, UserTable], before: Schemas, after: Schemas, is_import: bool
) -> list[tuple[int, str]]:
    """Rows of users whose key is another one, with a sentence per table.

    Of an import, keys that are on one side only. Of a run without a scrape, whose plan may point at other things and
    bring rows back, rows that are on both sides and have another key as far as that is the user's own.
    """
    first, then = look(connection, before), look(connection, after)
    found = []
    for name, columns in KEYS.items():
        if name not in first or first[name] == then.get(name) or name not in tables:
            continue
        if name not in then:
            found.append((1, f"{name} is not there any more"))
            continue
        sides = first[name].sql(name), then[name].sql(name)
        pointing = {each.column for each in tables[name].references}
        own = [column for column in columns if is_import or column not in pointing]
        count = connection.scalar(sa.text(_differing(tables[name], sides, own, is_import)))
        if count:
            found.append((count, f"{counted(count, 'row')} of {name} with another {' and '.join(own)}"))
    return found


def practices_that_differ(
    connection: sa.Connection, tables: dict[str, UserTable], before: Schemas, after: Schemas, is_import: bool
) -> Iterator[tuple[int | None, int, str]]:
    """Of an import, per team the practice rows that are more or fewer: league id, how many, sentence.

    Of a run without a scrape, practice rows that would be on another day or at another time.
    """
    first, then = look(connection, before), look(connection, after)
    if SCHEDULE not in first or SCHEDULE not in then or first[SCHEDULE] == then[SCHEDULE]:
        return
    sides = first[SCHEDULE].sql(SCHEDULE), then[SCHEDULE].sql(SCHEDULE)
    practice = tables[SCHEDULE]
    if not is_import:
        count = connection.scalar(sa.text(_differing(practice, sides, list(PRACTICE), is_import=False)))
        if count:
            yield None, count, f"{counted(count, 'practice')} at another time"
        return
    per_team = "select home_team_id as team_id, count(*) as row_count from {} where {} group by 1"
    rows = connection.execute(
        sa.text(
            f"""
            select coalesce(a.team_id, b.team_id) as team_id, coalesce(b.row_count, 0) as before,
                   coalesce(a.row_count, 0) as after, t.team_name, t.league_id
            from ({per_team.format(sides[0], practice.rows)}) as b
            full join ({per_team.format(sides[1], practice.rows)}) as a on a.team_id = b.team_id
            left join public.teams as t on t.id = coalesce(a.team_id, b.team_id)
            where coalesce(b.row_count, 0) <> coalesce(a.row_count, 0)
              and coalesce(a.team_id, b.team_id) is not null
            union all
            select null, b.row_count, a.row_count, null, null
            from (select count(*) as row_count from {sides[0]} where ({practice.rows}) and home_team_id is null) as b
            cross join (select count(*) as row_count from {sides[1]} where ({practice.rows}) and home_team_id is null)
                as a
            where b.row_count <> a.row_count
            order by 1
            """
        )
    )
    for row in rows:
        team = row.team_name or ("no team" if row.team_id is None else f"team {row.team_id}")
        text = f"{team} had {counted(row.before, 'practice')} and would have {row.after:,}"
        yield row.league_id, abs(row.after - row.before), text


def _differing(table: UserTable, sides: tuple[str, str], columns: list[str], is_import: bool) -> str:
    """SQL of how many rows have another key."""
    names = [quote(column) for column in columns]
    if is_import:
        listed = ", ".join(names)
        one, other = (f"select {listed} from {side} where {table.rows}" for side in sides)
        return (
            f"select (select count(*) from (({one}) except all ({other})) as g)"
            f" + (select count(*) from (({other}) except all ({one})) as a)"
        )
    one, other = (f"(select * from {side} where {table.rows})" for side in sides)
    same = ", ".join(f"b.{name}" for name in names), ", ".join(f"a.{name}" for name in names)
    return (
        f"select count(*) from {one} as b join {other} as a on {table.table.same('a', 'b')}"
        f" where row({same[0]}) is distinct from row({same[1]})"
    )
