-- title: A reading of the rating chart has a past date and a rating between -30 and 100
-- severity: warn
-- dimension: validity
-- owner: league-data
-- why: One reading far off makes the whole chart a flat line.
-- mend: Delete the reading by hand, and scrape the histories again.
select
    id,
    player_id,
    date,
    end_pti
from player_history
where
    league_id = :league_id
    and (date between date '2005-01-01' and cast(:as_of as date) + 1 and end_pti between -30 and 100) is not true
