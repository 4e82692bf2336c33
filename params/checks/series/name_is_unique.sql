-- title: No two series with active teams in a league have the same name
-- severity: error
-- dimension: uniqueness
-- owner: league-data
-- why: A series in two rows shows two half tables and hides teams from each other.
-- mend: Make them one with `rally-etl merge series <id> into <id>`.
with playing as (
    select distinct
        s.id,
        s.name,
        lower(regexp_replace(btrim(s.name), '\W+', ' ', 'g')) as folded_name
    from series as s
    inner join teams as t on t.series_id = s.id
    where
        t.league_id = :league_id
        and t.is_active is not false
)

select
    folded_name,
    count(*) as series_count,
    array_agg(id order by id) as series_ids,
    array_agg(name order by id) as series_names
from playing
group by folded_name
having count(*) > 1
