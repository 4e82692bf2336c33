-- title: A reading of the rating chart belongs to a player of the league
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: The chart is read by player; a reading without one is lost, one of another league is somebody else's (incident 45).
-- mend: `rally-etl undo <run>` of the import that lost them; a scrape with player_history brings the readings again.
select
    h.id,
    h.player_id,
    h.date,
    h.end_pti
from player_history as h
left join players as p on p.id = h.player_id and p.league_id = :league_id
where
    h.league_id = :league_id
    and p.id is null
