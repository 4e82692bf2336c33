-- title: Something speaks of an active team besides its own row
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: A team that nothing supports is a phantom of an importer (incident 11: 110 teams), in every drop-down.
-- mend: `rally-etl orphans --repair` switches off teams that nothing speaks of; one that has a right twin: `rally-etl merge teams <id> into <id>`.
-- A standings row that counts nothing supports no team. What users wrote does: every column of theirs that holds team ids
-- is asked, whatever tables this database has.
with unsupported as materialized (
    select
        t.id,
        t.team_name
    from teams as t
    where
        t.league_id = :league_id
        and t.is_active is not false
        and not exists (
            select from players as p
            where p.league_id = :league_id and p.team_id = t.id
        )
        and not exists (select from schedule as s where s.league_id = :league_id and s.home_team_id = t.id)
        and not exists (select from schedule as s where s.league_id = :league_id and s.away_team_id = t.id)
        and not exists (
            select from series_stats as s
            where
                s.league_id = :league_id
                and s.team_id = t.id
                and greatest(
                    s.matches_won, s.matches_lost, s.matches_tied, s.lines_won, s.lines_lost, s.sets_won, s.games_won
                ) > 0
        )
),

unplayed as materialized (
    select
        u.id,
        u.team_name
    from unsupported as u
    left join (
        select distinct side.team_id
        from match_scores as m
        cross join lateral (values (m.home_team_id), (m.away_team_id)) as side (team_id)
        where m.league_id = :league_id
    ) as p on p.team_id = u.id
    where p.team_id is null
),

user_columns as (
    select
        c.relname as table_name,
        a.attname as column_name
    from pg_class as c
    inner join pg_attribute as a on a.attrelid = c.oid
    where
        cast(cast(c.relnamespace as regnamespace) as text) = 'public'
        and c.relkind in ('r', 'p')
        and c.relname not in ('teams', 'players', 'match_scores', 'series_stats', 'schedule')
        and a.attname like '%team\_id'
        and a.atttypid in (cast('integer' as regtype), cast('bigint' as regtype))
        and not a.attisdropped
        and exists (select from unplayed)
),

used as (
    -- ts_stat runs a query that is made here: a table that this database lacks is not asked
    select distinct cast(found.word as integer) as team_id
    from user_columns as c
    cross join lateral ts_stat(
        format(
            'select array_to_tsvector(array_agg(distinct cast(%I as text))) from public.%I'
            || ' where %I = any(cast(%L as integer[]))',
            c.column_name,
            c.table_name,
            c.column_name,
            (select array_agg(u.id) from unplayed as u)
        )
    ) as found
)

select
    u.id,
    u.team_name
from unplayed as u
left join used as r on r.team_id = u.id
where r.team_id is null
