-- title: The rating of an active player lies between -30 and 100
-- severity: warn
-- dimension: validity
-- owner: league-data
-- why: Find-subs, line-ups and the simulator compare ratings; one out of range is a misread column (seen: -17.9 to 96.4).
-- mend: Scrape the roster again; a rating that nobody has is stored as NULL, never as 0.
select
    id,
    tenniscores_player_id,
    first_name,
    last_name,
    pti
from players
where
    league_id = :league_id
    and is_active is not false
    and (pti not between -30 and 100 or starting_pti not between -30 and 100)
