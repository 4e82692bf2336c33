-- title: The team of a player is a team of the player's league
-- severity: error
-- dimension: consistency
-- owner: league-data
-- why: The session takes the league from the player and the pages from the team; they show two leagues (incident 18).
-- mend: `rally-etl undo <run>` of the import that wrote it; a row of before: give it the team of its own league by hand, or scrape the roster again.
select
    p.id,
    p.tenniscores_player_id,
    p.team_id,
    t.team_name,
    t.league_id as team_league_id
from players as p
inner join teams as t on t.id = p.team_id
where
    p.league_id = :league_id
    and t.league_id <> :league_id
