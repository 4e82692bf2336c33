-- title: A series that is linked to the league has teams in it, now or before
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: Two leagues that share a series show the teams of both in one table (incident 42).
-- mend: Delete the pair by hand; if the teams of the series are missing, scrape the rosters again.
select
    j.id,
    j.series_id,
    e.name
from series_leagues as j
inner join series as e on e.id = j.series_id
where
    j.league_id = :league_id
    and not exists (
        select from teams as t
        where t.series_id = j.series_id and t.league_id = :league_id
    )
