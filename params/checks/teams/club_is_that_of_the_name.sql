-- title: An active team belongs to the club whose name its own begins with
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: Club pages and searches go by the club; a team under another one is not found by its own members (incident 46).
-- mend: Look the team up on the site; a second spelling of the club goes into params/clubs.yaml, then scrape the rosters again.
select
    t.id,
    t.team_name,
    c.name as club_name
from teams as t
inner join clubs as c on c.id = t.club_id
where
    t.league_id = :league_id
    and t.is_active is not false
    -- The first word of both, or its first letters: Hinsdale Golf Club 5 is of Hinsdale GC, Biltmore 14a of Biltmore CC.
    and left(lower(regexp_replace(t.team_name, '\W', '', 'g')), 4)
    <> left(lower(regexp_replace(c.name, '\W', '', 'g')), 4)
