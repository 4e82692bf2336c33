-- title: A club of the league has teams in some league, or users refer to it
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: A second spelling of a club is offered at registration beside the right one and has nobody in it (incident 47).
-- mend: Merge it into the right spelling: `rally-etl merge clubs <id> into <id>`; a club that nothing is like may be deleted by hand.
with empty as materialized (
    select
        c.id,
        c.name
    from clubs as c
    inner join club_leagues as j on j.club_id = c.id
    where
        j.league_id = :league_id
        and not exists (select from teams as t where t.club_id = c.id)
        and not exists (select from players as p where p.club_id = c.id)
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
        and c.relname not in ('clubs', 'club_leagues', 'teams', 'players')
        and a.attname like '%club\_id'
        and a.atttypid in (cast('integer' as regtype), cast('bigint' as regtype))
        and not a.attisdropped
        and exists (select from empty)
),

used as (
    -- ts_stat runs a query that is made here: a table that this database lacks is not asked
    select distinct cast(found.word as integer) as club_id
    from user_columns as c
    cross join lateral ts_stat(
        format(
            'select array_to_tsvector(array_agg(distinct cast(%I as text))) from public.%I'
            || ' where %I = any(cast(%L as integer[]))',
            c.column_name,
            c.table_name,
            c.column_name,
            (select array_agg(e.id) from empty as e)
        )
    ) as found
)

select
    e.id,
    e.name
from empty as e
left join used as u on u.club_id = e.id
where u.club_id is null
