"""Imported rows of one state as they would be under the ids of live, and which live row each of them is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote
from rally_etl.database.ownership import HandKept
from rally_etl.planning.compare import TOUCHED, Wanted, plan_changes
from rally_etl.planning.pointers import PERSON_KEY

TARGETS = {
    "league_id": "leagues",
    "club_id": "clubs",
    "series_id": "series",
    "team_id": "teams",
    "home_team_id": "teams",
    "away_team_id": "teams",
    "player_id": "players",
}
"""Columns of imported tables that hold ids, and of what."""

SEATS = ("home_player_1_id", "home_player_2_id", "away_player_1_id", "away_player_2_id")
MADE = "created_at"

_SAME = {
    "club_leagues": ("club_id", "league_id"),
    "series_leagues": ("series_id", "league_id"),
    "player_history": ("player_id", "date", "series", "end_pti"),
    "match_scores": ("tenniscores_match_id",),
    "series_stats": ("league_id", "series_id", "team_id"),
    "schedule": ("league_id", "match_date", "home_team_id", "away_team_id"),
}
"""What makes two rows one; where the first of them is empty, or a team is, `_ELSE`."""
_ELSE = {
    "match_scores": ("match_date", "home_team_id", "away_team_id", *SEATS, "scores"),
    "series_stats": ("league_id", "series", "team"),
    "schedule": ("league_id", "match_date", "home_team", "away_team"),
}
_TELLS = {
    "match_scores": "{0}.tenniscores_match_id is not null",
    "series_stats": "{0}.team_id is not null",
    "schedule": "{0}.home_team_id is not null and {0}.away_team_id is not null",
}
_MAY_BECOME_EMPTY = {"match_scores": ("winner", "scores")}  # a tie has no winner


@dataclass(frozen=True, slots=True)
class Source:
    """The state whose rows are brought under live ids.

    ``pg_temp.renumbered`` (table_name, from_id, into_id) and ``renumbered_persons`` (from_key, into_key) say how.

    Attributes:
        is_news: rows that differ update live ones; else only rows that live lacks are planned.
        hand_kept: columns that people keep: never news, but for a first value; of an earlier state they come back.
        practice_rows: SQL condition for the rows of users in the schedule, which are no imported rows.
    """

    connection: sa.Connection
    schema: str
    is_news: bool
    hand_kept: Iterable[HandKept]
    practice_rows: str

    def is_news_of_people(self, table: str, column: str) -> bool | None:
        """Whether a new row may bring the column; None: it is no column of people."""
        found = [each.is_initial for each in self.hand_kept if (each.table, each.column) == (table, column)]
        return found[0] if found else None

    def rows_of(self, table: str, schema: str) -> str:
        """SQL of the imported rows of a table in a schema."""
        users = f" where ({self.practice_rows}) is not true" if table == "schedule" else ""
        return f"(select * from {quote(schema, table)}{users})"


def number_added(source: Source, table: Table, added: set[int]) -> int:
    """Give ids to rows of an entity that live lacks: their own, or new ones where something had those before.

    A row whose club, series, league or team is not known gets none. Answers how many got one.
    """
    parents = _parents(source, table)
    known = "".join(
        f" and (s.{quote(column)} is null or exists (select from renumbered as r where r.table_name = '{target}'"
        f" and r.from_id = s.{quote(column)}))"
        for column, target in parents.items()
    )
    live = quote("public", table.name)
    found = source.connection.execute(
        sa.text(
            f"""
            insert into renumbered
            select '{table.name}', s.id,
                   case when exists (select from {live} as l where l.id = s.id)
                          or :is_news and exists (select from etl.entity_history as h
                                                  where h.table_name = '{table.name}' and h.entity_id = s.id)
                        then nextval('{table.sequence}') else s.id end
            from {quote(source.schema, table.name)} as s
            where s.id = any(:added){known}
            """
        ),
        {"added": sorted(added), "is_news": source.is_news},
    ).rowcount
    source.connection.execute(
        sa.text(
            f"select setval('{table.sequence}', highest) from (select max(into_id) as highest from renumbered"
            f" where table_name = '{table.name}') as r, {table.sequence} as s where highest > s.last_value"
        )
    )
    return found


def plan_entities(source: Source, table: Table, league: str) -> None:
    """Plan the rows of leagues, clubs, series, teams or players that have a live id."""
    parents = _parents(source, table)
    columns = _columns(source, table)
    joins, images = _renumbered(columns, parents)
    sql = (
        f"select own.into_id as id, s.id as source_id, {images} from {quote(source.schema, table.name)} as s"
        f" join renumbered as own on own.table_name = '{table.name}' and own.from_id = s.id{joins}"
    )
    values = {}
    for name in columns:
        value = _value(source, table, name)
        if name in parents:  # of a thing that is not known live says more
            value = f"case when w.{quote(f'had_{name}')} is null then w.{quote(name)}" + (
                f" else coalesce(w.{quote(name)}, l.{quote(name)}) end"
            )
            value = value if source.is_news else _kept(name, value)
        values[name] = value
    if not source.is_news and table.has("is_active"):
        values["is_active"] = _kept("is_active", "false")
    plan_changes(source.connection, table, Wanted(sql, values, new_id="w.id"), league, {})


def plan_rows(source: Source, table: Table, league: str) -> int:
    """Plan the rows of a table that is not referred to, each beside the live row that says the same.

    Answers the rows that say something of a thing that is not known and stay out.
    """
    parents = _parents(source, table)
    columns = _columns(source, table)
    joins, images = _renumbered(columns, parents)
    unknown = [f"(w.{quote(f'had_{name}')} is not null and w.{quote(name)} is null)" for name in parents]
    temporary = f"image_{table.name}"
    source.connection.execute(sa.text(f"drop table if exists pg_temp.{temporary}"))
    source.connection.execute(
        sa.text(
            f"""
            create temporary table {temporary} on commit drop as
            select w.*, {" or ".join(unknown) or "false"} as is_out, {_same("w", table)} as same
            from (select s.id as source_id, {images} from {source.rows_of(table.name, source.schema)} as s{joins}) as w
            """
        )
    )
    source.connection.execute(sa.text(f"analyze {temporary}"))
    numbered = "row_number() over (partition by {0} order by {1}) as place"
    sql = f"""
        select w.*, l.live_id
        from (select *, {numbered.format("same", "source_id")} from {temporary} where not is_out) as w
        left join (
            select l.live_id, l.same, {numbered.format("same", "live_id")}
            from (select l.id as live_id, {_same("l", table)} as same
                  from {source.rows_of(table.name, "public")} as l) as l
        ) as l on l.same = w.same and l.place = w.place
        """
    values = {name: _value(source, table, name) for name in columns}
    plan_changes(source.connection, table, Wanted(sql, values, join="l.id = w.live_id"), league, {})
    return source.connection.scalar(sa.text(f"select count(*) from {temporary} where is_out"))


def plan_off(source: Source, table: Table, ids: Iterable[int], league: str) -> None:
    """Plan to switch off live rows that the command has dropped; nothing is deleted."""
    if table.has("is_active"):
        wanted = Wanted(
            f"select id from {quote('public', table.name)} where id = any(:ids) and is_active is not false",
            {"is_active": "false"},
        )
        plan_changes(source.connection, table, wanted, league, {"ids": sorted(ids)})


def _parents(source: Source, table: Table) -> dict[str, str]:
    """Columns that hold ids -> their tables."""
    return {
        name: target for name, target in TARGETS.items() if name in _columns(source, table) and table.name != target
    }


def _columns(source: Source, table: Table) -> list[str]:
    """Columns that both states have, without the id and without the time of the last change."""
    found = source.connection.execute(sa.text(f"select * from {quote(source.schema, table.name)} limit 0")).keys()
    return [
        name
        for name in table.column_names
        if name in found
        and name not in ("id", TOUCHED)
        and not (source.is_news and source.is_news_of_people(table.name, name) is False)
    ]


def _renumbered(columns: Iterable[str], parents: Mapping[str, str]) -> tuple[str, str]:
    """SQL of joins and of columns over ``s``: ids and persons as live knows them, ids as they were as ``had_…``."""
    joins, images = [], []
    for place, name in enumerate(columns):
        column = f"s.{quote(name)}"
        if name in parents:
            joins.append(
                f" left join renumbered as r{place} on r{place}.table_name = '{parents[name]}'"
                f" and r{place}.from_id = {column}"
            )
            images += [f"r{place}.into_id as {quote(name)}", f"{column} as {quote(f'had_{name}')}"]
        elif name in (*SEATS, PERSON_KEY):
            joins.append(f" left join renumbered_persons as r{place} on r{place}.from_key = {column}")
            images.append(f"coalesce(r{place}.into_key, {column}) as {quote(name)}")
        else:
            images.append(f"{column} as {quote(name)}")
    return "".join(joins), ", ".join(images)


def _value(source: Source, table: Table, name: str) -> str:
    """SQL over ``w`` and ``l`` of what a column becomes."""
    wanted, live = f"w.{quote(name)}", f"l.{quote(name)}"
    if source.is_news_of_people(table.name, name) is not None:
        return _kept(name, wanted) if source.is_news else wanted
    if not source.is_news or name in (MADE, PERSON_KEY):
        return _kept(name, wanted)
    if name in _MAY_BECOME_EMPTY.get(table.name, ()):
        return wanted
    # a row that was made anew says nothing in columns that its importer does not know
    return f"case when w.source_id = l.id then {wanted} else coalesce({wanted}, {live}) end"


def _kept(name: str, wanted: str) -> str:
    return f"case when l.id is null then {wanted} else l.{quote(name)} end"


def _same(alias: str, table: Table) -> str:
    """SQL of one text that is equal in rows that say the same."""

    def text(names: Iterable[str]) -> str:
        return f"cast(row({', '.join(f'{alias}.{quote(name)}' for name in names)}) as text)"

    if table.name not in _ELSE:
        return text(_SAME[table.name])
    return (
        f"case when {_TELLS[table.name].format(alias)} then {text(_SAME[table.name])}"
        f" else {text(_ELSE[table.name])} || ' else' end"
    )
