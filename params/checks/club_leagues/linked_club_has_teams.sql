-- title: A club that is linked to the league has teams or players in it
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: Registration offers a club in which nobody of the league plays (incident 18 left such pairs).
-- mend: Delete the pair by hand once no row of users speaks of the club; if its teams are missing, scrape the rosters again.
select
    j.id,
    j.club_id,
    c.name
from club_leagues as j
inner join clubs as c on c.id = j.club_id
where
    j.league_id = :league_id
    and not exists (
        select from teams as t
        where t.club_id = j.club_id and t.league_id = :league_id
    )
    and not exists (
        select from players as p
        where p.club_id = j.club_id and p.league_id = :league_id
    )
