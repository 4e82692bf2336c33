"""What users attached, seen by SQL of the tests' own: rows as digests, references as names, orphans as counts."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.database.catalog import quote

IMPORTED = ("leagues", "clubs", "series", "club_leagues", "series_leagues", "teams", "players", "player_history",
            "match_scores", "match_scores_previous_seasons", "series_stats")  # fmt: skip
PRACTICE = "home_team ilike '%practice%'"
REFERENCES = {
    "users": {"league_context": "leagues", "team_id": "teams"},
    "user_player_associations": {"tenniscores_player_id": "players"},
    "user_contexts": {"league_id": "leagues", "team_id": "teams", "series_id": "series"},
    "player_availability": {"player_id": "players", "series_id": "series"},
    "polls": {"team_id": "teams"},
    "poll_responses": {"player_id": "players"},
    "captain_messages": {"team_id": "teams"},
    "schedule": {"home_team_id": "teams", "league_id": "leagues"},
    "practice_times": {"team_id": "teams"},
    "saved_lineups": {"team_id": "teams"},
    "lineup_escrow": {"initiator_team_id": "teams", "recipient_team_id": "teams"},
    "pairing_preferences": {"team_id": "teams"},
    "player_season_tracking": {"player_id": "players", "team_id": "teams", "league_id": "leagues"},
    "videos": {"team_id": "teams"},
    "player_notes": {"player_id": "players", "club_id": "clubs"},
    "user_instructions": {"team_id": "teams", "series_id": "series"},
    "activity_log": {"player_id": "players", "team_id": "teams"},
    "user_session_refresh_signals": {"old_league_id": "leagues", "new_league_id": "leagues"},
    "pickup_games": {"club_id": "clubs", "league_id": "leagues"},
    "food": {"club_id": "clubs"},
    "beer": {"club_id": "clubs"},
}
"""User table -> column -> imported table; texts hold a person's printed id, numbers a row's id."""
NAMES = {
    "leagues": "t.league_id",
    "clubs": "t.name",
    "series": "t.name",
    "teams": "t.team_name",
    "players": "t.first_name || ' ' || t.last_name",
}


def user_tables(engine: sa.Engine) -> list[str]:
    """Tables of schema public that no import writes, and `schedule` for its practice rows."""
    with engine.connect() as connection:
        tables = connection.scalars(
            sa.text("select tablename from pg_tables where schemaname = 'public' order by 1")
        ).all()
    return [table for table in tables if table not in IMPORTED]


def digests(engine: sa.Engine) -> dict[str, tuple[int, str]]:
    """User table -> number and digest of its rows; of `schedule` the practice rows only."""
    found = {}
    with engine.connect() as connection:
        for table in user_tables(engine):
            rows = f" where {PRACTICE}" if table == "schedule" else ""
            text = f"select t::text as r from {quote('public', table)} as t{rows}"
            found[table] = tuple(
                connection.execute(
                    sa.text(f"select count(*), md5(coalesce(string_agg(r, chr(10) order by r), '')) from ({text}) as x")
                ).one()
            )
    return found


def meanings(engine: sa.Engine) -> dict[tuple[str, str], dict[str, str | None]]:
    """(User table, column) -> value -> name of the row that it points at; None where there is none.

    Case, blanks, punctuation and the words that leagues put before a series' number are left out of the names.
    """
    found = {}
    with engine.connect() as connection:
        present = set(
            connection.execute(
                sa.text("select table_name, column_name from information_schema.columns where table_schema = 'public'")
            ).all()
        )
        for table, columns in REFERENCES.items():
            for column, target in columns.items():
                if (table, column) not in present:
                    continue
                key = "tenniscores_player_id" if (target, table) in _PRINTED else "id"
                rows = f" and {PRACTICE}" if table == "schedule" else ""
                name = f"regexp_replace(lower({NAMES[target]}), 'series|division|chicago|[^a-z0-9]', '', 'g')"
                found[table, column] = dict(
                    connection.execute(
                        sa.text(
                            f"select u.value, min({name}) from (select distinct {column}::text as value"
                            f" from {table} where {column} is not null{rows}) as u"
                            f" left join {target} as t on t.{key}::text = u.value group by 1"
                        )
                    ).all()
                )
    return found


_PRINTED = {("players", table) for table in ("user_player_associations", "player_season_tracking", "player_notes")}


def orphans(engine: sa.Engine) -> dict[tuple[str, str], list[str]]:
    """(User table, column) -> values that point at nothing, where there are any."""
    return {
        reference: lost
        for reference, names in meanings(engine).items()
        if (lost := [value for value, name in names.items() if name is None])
    }


def rosters(engine: sa.Engine) -> dict[int, set[str]]:
    """Team -> printed ids of its active players."""
    found: dict[int, set[str]] = {}
    with engine.connect() as connection:
        for row in connection.execute(
            sa.text("select team_id, tenniscores_player_id as person from players where is_active and team_id > 0")
        ):
            found.setdefault(row.team_id, set()).add(row.person)
    return found


def printed_ids(engine: sa.Engine) -> dict[int, str]:
    """Player row -> the id that the league's site prints for the person."""
    with engine.connect() as connection:
        return dict(connection.execute(sa.text("select id, tenniscores_player_id from players")).all())
