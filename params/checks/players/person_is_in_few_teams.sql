-- title: A person plays in at most four teams of a league
-- severity: warn
-- dimension: validity
-- owner: league-data
-- why: Somebody in every team is a menu entry, or one id that the scraper gave to all (three is the most in APTA Chicago, four in CNSWPL).
-- mend: Look the person up on the site; mend the scraper and scrape the rosters again.
select
    tenniscores_player_id,
    count(distinct team_id) as team_count,
    min(first_name) as first_name,
    min(last_name) as last_name
from players
where
    league_id = :league_id
    and is_active is not false
group by tenniscores_player_id
having count(distinct team_id) > 4
