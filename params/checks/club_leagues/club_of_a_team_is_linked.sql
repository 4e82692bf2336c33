-- title: The club of an active team is linked to the league
-- severity: error
-- dimension: consistency
-- owner: league-data
-- why: Registration offers the clubs that are linked; without the pair nobody of that club finds his league (incident 20: 250 pairs).
-- mend: `rally-etl orphans --repair` adds the missing pairs.
select distinct
    c.id as club_id,
    c.name
from teams as t
inner join clubs as c on c.id = t.club_id
where
    t.league_id = :league_id
    and t.is_active is not false
    and not exists (
        select from club_leagues as j
        where j.club_id = t.club_id and j.league_id = :league_id
    )
