"""A plan in sentences: what a captain would notice, with a few names of teams and ids of players, and counts."""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.measures import counted
from rally_etl.planning.schema import read_planned, schemas

SHOWN = 5

_TEAM = (
    "coalesce((select n.team_name from teams as n where n.id = {0}),"
    " (select n.team_name from public.teams as n where n.id = {0}))"
)
_DUE = ":league = any(p._leagues)"
_NOT_MERGED = "not exists (select from new_redirects as m where m.table_name = 'teams' and m.from_id = p.id)"

_NAMED: dict[tuple[str, str], str] = {
    ("new series", "new series"): f"select p.name from series as p where p._op = 'insert' and {_DUE} order by p.id",
    ("new club", "new clubs"): f"select p.name from clubs as p where p._op = 'insert' and {_DUE} order by 1",
    ("new team", "new teams"): f"select p.team_name from teams as p where p._op = 'insert' and {_DUE} order by 1",
    ("team is back", "teams are back"): f"""
        select p.team_name from teams as p join teams_before as b using (id)
        where p.is_active and b.is_active is false and {_DUE} order by 1""",
    ("team is merged into another", "teams are merged into others"): f"""
        select b.team_name || ' (' || b.id || ') into ' || {_TEAM.format("m.into_id")} || ' (' || m.into_id || ')'
        from new_redirects as m join teams as p on p.id = m.from_id join teams_before as b using (id)
        where m.table_name = 'teams' and {_DUE} order by 1""",
    ("team no longer plays", "teams no longer play"): f"""
        select p.team_name from teams as p where p._op = 'deactivate' and {_DUE} and {_NOT_MERGED} order by 1""",
    ("team is renamed", "teams are renamed"): f"""
        select b.team_name || ' is now ' || p.team_name from teams as p join teams_before as b using (id)
        where p.team_name <> b.team_name and {_DUE} and {_NOT_MERGED} order by 1""",
    ("player changes team", "players change team"): f"""
        select 'player ' || p.id || ' from ' || {_TEAM.format("g.team_id")}
            || ' to ' || {_TEAM.format("p.team_id")}
        from players as p join players as g
            on g.tenniscores_player_id = p.tenniscores_player_id and g._op = 'deactivate' and p._op = 'insert'
        where {_DUE} order by p.id""",
    ("new player", "new players"): f"""
        select 'player ' || p.id || ' (' || {_TEAM.format("p.team_id")} || ')' from players as p
        where p._op = 'insert' and {_DUE} and not exists (
            select from players as g where g.tenniscores_player_id = p.tenniscores_player_id and g._op = 'deactivate')
        order by p.id""",
    ("player leaves", "players leave"): f"""
        select 'player ' || p.id || ' (' || {_TEAM.format("p.team_id")} || ')'
        from players as p join players_before as b using (id)
        where p._op <> 'delete' and p.is_active is false and b.is_active is not false and {_DUE} and not exists (
            select from players as g where g.tenniscores_player_id = p.tenniscores_player_id and g._op = 'insert')
        order by p.id""",
    ("match line is corrected", "match lines are corrected"): f"""
        select p.home_team || ' v ' || p.away_team || ' on ' || p.match_date || ': ' || coalesce(b.scores, 'no score')
            || ' is now ' || case when p.scores is distinct from b.scores then coalesce(p.scores, 'no score')
                             else 'won by ' || case p.winner when 'home' then p.home_team when 'away' then p.away_team
                                                             else 'nobody' end end
        from match_scores as p join match_scores_before as b using (id)
        where (p.scores, p.winner) is distinct from (b.scores, b.winner) and {_DUE} order by 1""",
    ("match line moves to another date", "match lines move to another date"): f"""
        select p.home_team || ' v ' || p.away_team || ': ' || b.match_date || ' is now ' || p.match_date
        from match_scores as p join match_scores_before as b using (id)
        where p.match_date <> b.match_date and {_DUE} order by 1""",
    ("meeting moves to another date", "meetings move to another date"): f"""
        select p.home_team || ' v ' || p.away_team || ': ' || b.match_date || ' is now ' || p.match_date
        from schedule as p join schedule_before as b using (id)
        where p.match_date <> b.match_date and {_DUE} order by 1""",
}  # fmt: skip

_COUNTED: dict[tuple[str, str], str] = {
    ("new match line", "new match lines"): f"select count(*) from match_scores as p where p._op = 'insert' and {_DUE}",
    (
        "new meeting in the schedule",
        "new meetings in the schedule",
    ): f"select count(*) from schedule as p where p._op = 'insert' and {_DUE}",
    ("standings row moves", "standings rows move"): f"select count(*) from series_stats as p where {_DUE}",
    (
        "player has new figures",
        "players have new figures",
    ): f"select count(*) from players as p where p._op = 'update' and {_DUE}",
    (
        "new rating point",
        "new rating points",
    ): f"select count(*) from player_history as p where p._op = 'insert' and {_DUE}",
    ("rating chart follows its player", "rating charts follow their players"): f"""
        select count(distinct p.player_id) from player_history as p join player_history_before as b using (id)
        where p.player_id <> b.player_id and {_DUE}""",
}

# what a roster leaves out and live keeps changes no row, so the plan does not show it
_KEPT = """
    select detail ->> 0 from etl.metrics
    where run_id = :run and league = :league and stage = 'import' and metric = 'ratings_missing_share' and value > 0
    """


def headlines(engine: sa.Engine, run_id: str, league: str) -> list[str]:
    """Sentences about one league's plan, the rarest kind of change first; empty when nothing changes.

    An empty answer also when the plan is no longer kept.
    """
    plan = schemas(run_id)[0]
    with engine.connect() as connection:
        if not connection.execute(sa.text("select to_regnamespace(:name)"), {"name": quote(plan)}).scalar():
            return []
        path = {"path": f"{quote(plan)}, pg_temp"}
        connection.execute(sa.text("select set_config('search_path', :path, true)"), path)
        told = _taken_back(connection, run_id, league)
        told += [_told(words, names) for words, sql in _NAMED.items() if (names := _ask(connection, sql, league))]
        counts = ((words, _ask(connection, sql, league)[0]) for words, sql in _COUNTED.items())
        told += [_counted(words, count) for words, count in counts if count]
        return told + list(connection.execute(sa.text(_KEPT), {"run": run_id, "league": league}).scalars())


def _taken_back(connection: sa.Connection, run_id: str, league: str) -> list[str]:
    """`12 rows are back as they were, 3 made by the run are removed, 2 are kept (1 changed since, 1 …)`, of an undo."""
    sql = sa.text("select operation ->> 'run' from etl.runs where run_id = :run and operation ->> 'kind' = 'undo'")
    undone = connection.scalar(sql, {"run": run_id})
    if not undone:
        return []
    counts: Counter[str] = Counter()
    then = read_planned(connection, undone)
    for name, table in read_planned(connection, run_id).items():
        made = "false"
        if name in then:
            images = quote(schemas(undone)[0], name)
            made = f"exists (select from {images} as t where {table.same('t', 'p')} and t._op = 'insert')"
        rows = connection.execute(
            sa.text(
                "select case when _op = 'delete' then 'removed' when _op = 'insert' then 'again'"
                f" when {made} then 'off' else 'back' end as what, count(*) as row_count"
                f" from {quote(name)} as p where {_DUE} group by 1"
            ),
            {"league": league},
        )
        counts.update({row.what: row.row_count for row in rows})
    kept = connection.execute(
        sa.text(
            "select reason, sum(row_count) as row_count from etl.held_rows where run_id = :run and league = :league"
            " group by 1 order by 2 desc, 1"
        ),
        {"run": run_id, "league": league},
    ).all()
    told = [_counted(("row is back as it was", "rows are back as they were"), counts["back"])]
    told = told if counts["back"] or not counts else []
    told += [f"{counted(counts['again'], 'row')} come back under the ids that they had"] if counts["again"] else []
    told += [f"{counted(counts['removed'], 'row')} that the run had made are removed"] if counts["removed"] else []
    if kept:
        why = ", ".join(f"{row.row_count:,} {row.reason}" for row in kept)
        off = f", {counts['off']:,} of them switched off" if counts["off"] else ""
        told.append(f"{counted(sum(row.row_count for row in kept), 'row')} kept ({why}{off})")
    return [", ".join(told)]


def _ask(connection: sa.Connection, sql: str, league: str) -> list:
    return list(connection.execute(sa.text(sql), {"league": league}).scalars())


def _told(words: tuple[str, str], names: list[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return f"{_counted(words, len(names))}: {'; '.join(names[:SHOWN])}{more}"


def _counted(words: tuple[str, str], count: int) -> str:
    return f"{count:,} {words[0] if count == 1 else words[1]}"
