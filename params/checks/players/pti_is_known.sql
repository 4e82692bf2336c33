-- title: At least 75 % of the active players of a league with ratings have one
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: Without a rating a player is in no search by rating and the simulator shows nothing (a file of August 2025 had 5 % of them).
-- mend: Scrape the roster again; before a season 14 % are unrated, more is a page that did not load.
with rated as (
    select
        id,
        tenniscores_player_id,
        first_name,
        last_name,
        pti,
        count(pti) over () as rated_count,
        count(*) over () as player_count
    from players
    where
        league_id = :league_id
        and is_active is not false
)

select
    id,
    tenniscores_player_id,
    first_name,
    last_name
from rated
where
    pti is null
    and rated_count between 1 and 0.75 * player_count
