-- title: The series of an active team is linked to the league
-- severity: error
-- dimension: consistency
-- owner: league-data
-- why: Scripts still join this table; a series without its pair has no standings there (incident 20: 227 pairs).
-- mend: `rally-etl orphans --repair` adds the missing pairs.
select distinct
    e.id as series_id,
    e.name
from teams as t
inner join series as e on e.id = t.series_id
where
    t.league_id = :league_id
    and t.is_active is not false
    and not exists (
        select from series_leagues as j
        where j.series_id = t.series_id and j.league_id = :league_id
    )
