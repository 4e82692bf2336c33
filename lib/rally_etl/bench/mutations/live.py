"""Damage to the live database before a run: what other programs did to it."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from rally_etl.bench.mutations.damages import Damage

WITHOUT_KEYS = """
    do $$
    declare
        one record;
    begin
        for one in
            select conrelid::regclass as name, conname from pg_constraint
            where contype = 'f' and connamespace = to_regnamespace('public')
        loop
            execute format('alter table %s drop constraint %I', one.name, one.conname);
        end loop;
    end $$
"""
_ANOTHER = "(select min(o.id) from teams as o where o.id <> t.team_id)"


def _run(*statements: str) -> Callable[[sa.Connection, float], int]:
    """Execute statements; the rows of the last one count."""

    def apply(connection: sa.Connection, size: float) -> int:
        rows = 0
        for statement in statements:
            done = connection.execute(sa.text(statement))
            rows = max(done.rowcount, 0) or 1
        return rows

    return apply


_TABLE: list[tuple[str, str, Callable[[sa.Connection, float], int]]] = [
    ("teams cleared and made again", "1", _run(
        WITHOUT_KEYS, "update players set team_id = team_id + 50000", "update teams set id = id + 50000")),
    ("polls of no team", "1", _run(WITHOUT_KEYS, "update polls set team_id = 999999")),
    ("one poll of no team", "2", _run(
        WITHOUT_KEYS, "update polls set team_id = 999999 where id = (select min(id) from polls)")),
    ("messages of no team", "4", _run(WITHOUT_KEYS, "update captain_messages set team_id = 999999")),
    ("polls emptied of their team", "1", _run("update polls set team_id = null")),
    ("polls of another team", "5", _run(
        f"update polls as t set team_id = {_ANOTHER}"
        " where id = (select min(id) from polls where team_id is not null)")),
    ("contexts emptied", "31", _run("update user_contexts set team_id = null where team_id is not null")),
    ("contexts of another team", "31", _run(
        f"update user_contexts as t set team_id = {_ANOTHER}"
        " where user_id = (select min(user_id) from user_contexts)")),
    ("practice times gone", "6", _run("delete from schedule where home_team ~* 'practice'")),
    ("practice times a hundred times", "3", _run(
        "insert into schedule (league_id, match_date, match_time, home_team, home_team_id)"
        " select s.league_id, s.match_date, s.match_time, s.home_team, s.home_team_id"
        " from schedule as s cross join generate_series(1, 100) where s.home_team ~* 'practice'")),
    ("availability gone", "7", _run("delete from player_availability where id % 50 <> 0")),
    ("availability of no player", "7", _run(WITHOUT_KEYS, "update player_availability set player_id = 999999")),
    ("associations of nobody", "50", _run("update user_player_associations set tenniscores_player_id ="
        " 'nndz-gone' || user_id")),
    ("votes of nobody", "1", _run(WITHOUT_KEYS, "update poll_responses set player_id = 900000 + id")),
    ("unique key of the lines dropped", "16", _run(
        "do $$ declare one record; begin for one in select i.indexrelid::regclass as name, c.conname from pg_index as i"
        " left join pg_constraint as c on c.conindid = i.indexrelid where i.indrelid = 'match_scores'::regclass"
        " and i.indisunique and not i.indisprimary loop if one.conname is not null then execute format("
        "'alter table match_scores drop constraint %I', one.conname); else execute format('drop index %s', one.name);"
        " end if; end loop; end $$")),
    ("column that the application reads dropped", "8", _run(
        "alter table player_availability drop column user_id cascade")),
    ("lines twice", "16", _run(
        "insert into match_scores (league_id, match_date, home_team, away_team, home_team_id, away_team_id,"
        " home_player_1_id, home_player_2_id, away_player_1_id, away_player_2_id, scores, winner, tenniscores_match_id)"
        " select league_id, match_date, home_team, away_team, home_team_id, away_team_id, home_player_1_id,"
        " home_player_2_id, away_player_1_id, away_player_2_id, scores, winner,"
        " tenniscores_match_id || substring(tenniscores_match_id from '_Line[0-9]+$') from match_scores")),
    ("sequence behind", "1", _run("select setval(pg_get_serial_sequence('teams', 'id'), 1, true)")),
]  # fmt: skip

DAMAGES = [Damage(f"live, {name}", incident, "live", (1.0,), apply) for name, incident, apply in _TABLE]
