-- title: A series has teams, or users refer to it
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: A series that an importer made up is offered at registration and shows an empty table (26 of 79 in one import).
-- mend: Merge it into the series it was meant to be with `rally-etl merge series <id> into <id>`, or delete it by hand.
with empty as materialized (
    select
        s.id,
        s.name
    from series as s
    where
        to_jsonb(s) ->> 'league_id' = cast(:league_id as text) -- a database may lack the column
        and not exists (select from teams as t where t.series_id = s.id)
        and not exists (select from players as p where p.series_id = s.id)
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
        and c.relname not in ('series', 'series_leagues', 'teams', 'players', 'series_stats')
        and a.attname like '%series\_id'
        and a.atttypid in (cast('integer' as regtype), cast('bigint' as regtype))
        and not a.attisdropped
        and exists (select from empty)
),

used as (
    -- ts_stat runs a query that is made here: a table that this database lacks is not asked
    select distinct cast(found.word as integer) as series_id
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
left join used as u on u.series_id = e.id
where u.series_id is null
