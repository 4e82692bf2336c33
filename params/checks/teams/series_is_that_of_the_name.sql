-- title: An active team plays in the series that its name says
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: Wilmette 26 in another series than 26 is in the wrong table and meets strangers (incidents 19, 25 and 27).
-- mend: Look the team up on the site; mend the form of the name in params/leagues and scrape the rosters again.
-- leagues: APTA_CHICAGO, CNSWPL, NSTF
select
    t.id,
    t.team_name,
    e.name as series_name
from teams as t
inner join series as e on e.id = t.series_id
where
    t.league_id = :league_id
    and t.is_active is not false
    -- Series 12 SW: Tennaqua 12 SW. Series 5: Winnetka 5a. Series H: Wilmette H(1). Series 2B: Tennaqua S2B. Series 1: Wilmette S1 T2.
    and t.team_name !~ ('( |S)' || regexp_replace(e.name, '^\S+ ', '') || '([a-h]| ?\(\d\)| T\d| [A-H])?$')
