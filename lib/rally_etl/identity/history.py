"""Entity history: under which names, in which series and league everything was seen, from when to when."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.database.catalog import read_catalog
from rally_etl.identity.aliases import EVERYWHERE

# One row per thing as live has it now; a club belongs to all leagues.
_NOW = """
    select 'teams' as table_name, t.id, cast(:league as text) as league, t.team_name as name, s.name as series,
           '' as team, coalesce(t.is_active, true) as is_active
    from public.teams as t join public.series as s on s.id = t.series_id
    where t.league_id = :league_id
    union all
    select 'series', s.id, :league, s.name, '', '',
           exists (select from public.teams as t where t.series_id = s.id and t.league_id = :league_id
                   and t.is_active is not false)
    from public.series as s where {of_league}
    union all
    select 'players', p.id, :league, concat_ws(' ', p.first_name, p.last_name), coalesce(s.name, ''),
           coalesce(t.team_name, ''), coalesce(p.is_active, true)
    from public.players as p
    left join public.series as s on s.id = p.series_id
    left join public.teams as t on t.id = p.team_id
    where p.league_id = :league_id
    union all
    select 'clubs', c.id, :everywhere, c.name, '', '', true
    from public.clubs as c
    where exists (select from public.club_leagues as j where j.club_id = c.id and j.league_id = :league_id)
"""
_SHARED = (
    "exists (select from public.teams as t where t.series_id = s.id and t.league_id = cast(:league_id as integer))"
)


def record_history(connection: sa.Connection, league: str, league_id: int, run_id: str | None) -> int:
    """Bring the history of one league up to what live says now; answer how many things are seen anew or changed.

    What changed ends its interval and begins another; what stayed costs no write. Called in the transaction of a
    publish before the rows change (what older importers made has no history yet) and after.

    Args:
        run_id: the run that publishes; None for what stood in live before it.
    """
    has_league = read_catalog(connection, ("series",))["series"].has("league_id")
    binds = {"league": league, "league_id": league_id, "run": run_id, "everywhere": EVERYWHERE}
    connection.execute(sa.text("drop table if exists pg_temp.history_now"))
    now = _NOW.format(of_league="s.league_id = :league_id" if has_league else _SHARED)
    connection.execute(
        sa.text(
            f"""
            create temporary table history_now on commit drop as
            select n.*, h.entity_id is not null as is_known
            from ({now}) as n
            left join etl.entity_history as h
                on h.table_name = n.table_name and h.entity_id = n.id and h.league = n.league and h.valid_to is null
            where h.entity_id is null
               or (h.name, h.series, h.team, h.is_active) is distinct from (n.name, n.series, n.team, n.is_active)
            """
        ),
        binds,
    )
    connection.execute(
        sa.text(
            "update etl.entity_history as h set valid_to = clock_timestamp(), ended_run = :run from history_now as n"
            " where n.is_known and h.table_name = n.table_name and h.entity_id = n.id and h.league = n.league"
            " and h.valid_to is null"
        ),
        binds,
    )
    return connection.execute(
        sa.text(
            "insert into etl.entity_history (table_name, entity_id, league, name, series, team, is_active, run_id)"
            " select table_name, id, league, name, series, team, is_active, :run from history_now"
        ),
        binds,
    ).rowcount
