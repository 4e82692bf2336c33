-- title: The id of an active player is not one of another league
-- severity: error
-- dimension: consistency
-- owner: league-data
-- why: A scraper wrote 1,306 persons of one league into the file of another, and their teams with them (incident 18).
-- mend: `rally-etl undo <run>` of the import that brought them; put the files into their own folders and run it again.
-- max_failing_share: 0.01
-- warn_above_rows: 0
-- share_of: players
select
    p.id,
    p.tenniscores_player_id,
    p.first_name,
    p.last_name,
    p.team_id
from players as p
inner join leagues as l on l.id = p.league_id
where
    p.league_id = :league_id
    and p.is_active is not false
    -- cnswpl_0c33 names its league, nndz-WkMrK3 names none.
    and strpos(lower(l.league_id), substring(p.tenniscores_player_id from '^([a-z]{3,})_')) = 0
