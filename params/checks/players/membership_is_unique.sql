-- title: A person has one active row per team
-- severity: error
-- dimension: uniqueness
-- owner: league-data
-- why: A person who is twice in a team is twice in its roster, and a session may open the wrong row (incident 31).
-- mend: `rally-etl constraints --repair` makes one of rows that are one; else `rally-etl merge players <id> into <id>`.
select
    tenniscores_player_id,
    team_id,
    count(*) as row_count,
    array_agg(id order by id) as player_ids
from players
where
    league_id = :league_id
    and is_active is not false
    and team_id is not null
group by
    tenniscores_player_id,
    team_id
having count(*) > 1
