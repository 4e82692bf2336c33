"""The hand that breaks: ids given out anew, rows removed, constraints dropped; and the truth about every such row."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa

from attached import PRACTICE, REFERENCES
from rally_etl.database.catalog import quote

UNKNOWN = "cannot be known"
BACK = "is there again"
GONE = "is gone"
PAST = {"activity_log", "user_session_refresh_signals"}
"""What was, in words of the time: nobody reads it as a reference any more."""

PRACTICE_TIMES = (
    "create table if not exists practice_times (id serial primary key, team_id integer not null, practice_date date,"
    " start_time time, end_time time, court_number integer, notes text, created_by integer references users(id))"
)


@dataclass(frozen=True, slots=True)
class Truth:
    """One thing that is broken.

    Attributes:
        row: its key as text.
        column: "" for the row as a whole; `right` is then `BACK` or `GONE`.
        right: the value that would be right, as text, or `UNKNOWN`.
        by: columns that tell a row which comes back under another id, and their values; else none.
        is_past: of a table that tells what was: it may stay as it is, but never become wrong.
        found_as: key under which a finding tells of it, where that is not the row itself; `found_in`: its table.
    """

    table: str
    row: str
    column: str
    right: str | None
    by: tuple[tuple[str, str], ...] = ()
    is_past: bool = False
    found_as: str = ""
    found_in: str = ""

    @property
    def finding(self) -> tuple[str, str]:
        """Table and row that tell of it."""
        return self.found_in or self.table, self.found_as or self.row


@dataclass(slots=True)
class Damage:
    """Everything that one incident broke, and the constraints that it took away."""

    truths: list[Truth] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)  # table, columns as printed


def rows_of(connection: sa.Connection, sql: str, **binds: object) -> list[sa.Row]:
    return list(connection.execute(sa.text(sql), binds))


def execute(connection: sa.Connection, sql: str, **binds: object) -> None:
    connection.execute(sa.text(sql), binds)


def leagues_of_users(connection: sa.Connection) -> list[int]:
    """Leagues whose teams users write about, the first of them first."""
    return list(
        connection.scalars(
            sa.text(
                "select t.league_id from polls as p join teams as t on t.id = p.team_id group by 1 order by min(t.id)"
            )
        )
    )


def teams_with_polls(connection: sa.Connection, count: int, league: int | None = None) -> list[int]:
    """Active teams that have a poll, spread over all of them."""
    return list(
        connection.scalars(
            sa.text(
                "select min(id) from (select t.id, ntile(:count) over (order by t.id) as part from teams as t"
                " where t.is_active and (:league < 0 or t.league_id = :league)"
                " and exists (select from polls as p where p.team_id = t.id)) as spread group by part order by part"
            ),
            {"count": count, "league": -1 if league is None else league},
        )
    )


def without_keys(connection: sa.Connection, table: str, column: str, kind: str = "f") -> Damage:
    """Drop the constraints of this kind on a column, as in a database that a migration never reached."""
    rows = rows_of(
        connection,
        "select c.conname from pg_constraint as c join pg_attribute as a on a.attrelid = c.conrelid"
        " and a.attnum = c.conkey[1] where c.conrelid = to_regclass(:table) and c.contype = :kind"
        " and a.attname = :column and cardinality(c.conkey) = 1",
        table=table,
        column=column,
        kind=kind,
    )
    for row in rows:
        execute(connection, f"alter table {quote(table)} drop constraint {quote(row.conname)}")
    return Damage(dropped=[(table, column)] if rows else [])


def reissue(
    connection: sa.Connection, teams: Iterable[int], respelled: Iterable[int] = ()
) -> tuple[dict[int, int], dict[int, int]]:
    """Delete teams and their players and make them again with new ids; what imports wrote follows, users' rows do not.

    Returns:
        old id -> new id, of teams and of players.
    """
    teams, respelled = list(teams), set(respelled)
    execute(connection, "set local session_replication_role = replica")
    new_teams = {old: _again(connection, "teams", old, old in respelled) for old in teams}
    members = connection.scalars(
        sa.text("select id from players where team_id = any(:teams) order by id"), {"teams": teams}
    ).all()
    new_players = {old: _again(connection, "players", old) for old in members}
    for table, column, moves in (
        ("players", "team_id", new_teams), ("match_scores", "home_team_id", new_teams),
        ("match_scores", "away_team_id", new_teams), ("series_stats", "team_id", new_teams),
        ("schedule", "home_team_id", new_teams), ("schedule", "away_team_id", new_teams),
        ("player_history", "player_id", new_players),
    ):  # fmt: skip
        of_imports = f" and not {PRACTICE}" if table == "schedule" else ""
        execute(
            connection,
            f"update {table} as u set {column} = m.new from jsonb_each_text(cast(:moves as jsonb)) as j(old, next)"
            f" cross join lateral (select j.old::integer as old, j.next::integer as new) as m"
            f" where u.{column} = m.old{of_imports}",
            moves=json.dumps(moves),
        )
    _respell(connection, [new_teams[old] for old in respelled])
    execute(connection, "set local session_replication_role = origin")
    return new_teams, new_players


def _again(connection: sa.Connection, table: str, old: int, is_respelled: bool = False) -> int:
    """Delete a row and write it again under the next id."""
    row = json.loads(
        connection.scalar(sa.text(f"select to_jsonb(t)::text from {table} as t where id = :id"), {"id": old})
    )
    execute(connection, f"delete from {table} where id = :id", id=old)
    row["id"] = connection.scalar(sa.text(f"select nextval(pg_get_serial_sequence('{table}', 'id'))"))
    execute(connection, f"insert into {table} select * from jsonb_populate_record(null::{table}, cast(:row as jsonb))",
             row=json.dumps(row))  # fmt: skip
    return row["id"]


def _respell(connection: sa.Connection, teams: list[int]) -> None:
    """Another spelling of a team's name, in the team and in what was read with it."""
    for row in rows_of(connection, "select id, team_name from teams where id = any(:teams)", teams=teams):
        name = row.team_name.upper()
        execute(connection, "update teams set team_name = :name, display_name = :name where id = :id", name=name,
                 id=row.id)  # fmt: skip
        for table, link, text in (
            ("match_scores", "home_team_id", "home_team"), ("match_scores", "away_team_id", "away_team"),
            ("series_stats", "team_id", "team"), ("schedule", "away_team_id", "away_team"),
        ):  # fmt: skip
            execute(connection, f"update {table} set {text} = :name where {link} = :id", name=name, id=row.id)
        execute(
            connection,
            f"update schedule set home_team = :name where home_team_id = :id and not {PRACTICE}",
            name=name,
            id=row.id,
        )


def remove_team(connection: sa.Connection, team: int) -> dict[int, None]:
    """Delete a team, its players and all that imports wrote about it, as when it is not scraped again."""
    execute(connection, "set local session_replication_role = replica")
    for table in ("match_scores", "schedule"):
        rows = f" and not {PRACTICE}" if table == "schedule" else ""
        execute(connection, f"delete from {table} where :team in (home_team_id, away_team_id){rows}", team=team)
    execute(connection, "delete from series_stats where team_id = :team", team=team)
    execute(
        connection,
        "delete from player_history where player_id in (select id from players where team_id = :team)",
        team=team,
    )
    players = rows_of(connection, "delete from players where team_id = :team returning id", team=team)
    execute(connection, "delete from teams where id = :team", team=team)
    execute(connection, "set local session_replication_role = origin")
    return {row.id: None for row in players}


def references_to(connection: sa.Connection, moves: dict[str, dict[int, int | None]]) -> list[Truth]:
    """Every value of a user row that holds an old id, and the new one; None: nobody knows a right one.

    A person's printed id is another matter: it breaks where no player has it any more.
    """
    truths = []
    tables = {row.name: row.key for row in rows_of(connection, KEYS)}
    columns = {(row.table_name, row.column_name, row.data_type) for row in rows_of(connection, _COLUMNS)}
    for table, references in REFERENCES.items():
        for column, target in references.items():
            if (table, column, "integer") in columns and target in moves:
                rows = f" and {PRACTICE}" if table == "schedule" else ""
                found = rows_of(
                    connection,
                    f"select {tables[table]} as key, {column} as value from {table}"
                    f" where {column} = any(:old){rows} order by 1",
                    old=list(moves[target]),
                )
            elif (table, column, "character varying") in columns and target == "players":
                found = rows_of(
                    connection,
                    f"select {tables[table]} as key, null::integer as value from {table} as u"
                    f" where not exists (select from players as p where p.tenniscores_player_id = u.{column})",
                )
            else:
                continue
            for row in found:
                right = moves[target].get(row.value)
                truths.append(
                    Truth(
                        table,
                        row.key,
                        column,
                        UNKNOWN if right is None else str(right),
                        is_past=table in PAST,
                    )
                )
    return truths


KEYS = """
    select t.relname as name,
           'concat_ws('', '', ' || string_agg(quote_ident(a.attname), ', ' order by k.place) || ')' as key
    from pg_index as x
    join pg_class as t on t.oid = x.indrelid and t.relnamespace = to_regnamespace('public')
    cross join unnest(x.indkey) with ordinality as k(attnum, place)
    join pg_attribute as a on a.attrelid = t.oid and a.attnum = k.attnum
    where x.indisprimary group by t.relname
"""
_COLUMNS = "select table_name, column_name, data_type from information_schema.columns where table_schema = 'public'"


def value_now(connection: sa.Connection, truth: Truth) -> str | None:
    return connection.scalar(
        sa.text(f"select {truth.column}::text from {truth.table} where id = :id"), {"id": int(truth.row)}
    )


def mend(connection: sa.Connection, truths: Iterable[Truth]) -> None:
    """Re-point rows as they should be: what somebody has done right before us."""
    execute(connection, "set local session_replication_role = replica")
    keys = {row.name: row.key for row in rows_of(connection, KEYS)}
    by_column: dict[tuple[str, str], dict[str, str]] = {}
    for truth in truths:
        if truth.right not in (UNKNOWN, BACK, GONE, None):
            by_column.setdefault((truth.table, truth.column), {})[truth.row] = truth.right
    for (table, column), rows in by_column.items():
        execute(
            connection,
            f"update {table} set {column} = j.value::integer from jsonb_each_text(cast(:rows as jsonb)) as j"
            f" where {keys[table]} = j.key",
            rows=json.dumps(rows),
        )
    execute(connection, "set local session_replication_role = origin")


def delete_rows(connection: sa.Connection, table: str, rows: str) -> list[Truth]:
    """Delete rows, and answer that each should be there again."""
    return [
        Truth(table, str(row.id), "", BACK)
        for row in rows_of(connection, f"delete from {table} where {rows} returning id")
    ]
