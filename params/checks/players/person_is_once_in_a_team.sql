-- title: No two active players of a team have the same name
-- severity: warn
-- dimension: uniqueness
-- owner: league-data
-- why: One person under two ids has half a record under each, and stands twice in the roster (incident 44: 23 persons).
-- mend: If it is one person: `rally-etl merge players <id> into <id>`. Two people of one name in a team are no fault.
select
    min(id) as first_id,
    max(id) as last_id,
    team_id,
    lower(regexp_replace(concat_ws(' ', btrim(first_name), btrim(last_name)), '\s+', ' ', 'g')) as folded_name,
    array_agg(tenniscores_player_id order by id) as player_ids
from players
where
    league_id = :league_id
    and is_active is not false
    and team_id is not null
group by
    team_id,
    lower(regexp_replace(concat_ws(' ', btrim(first_name), btrim(last_name)), '\s+', ' ', 'g'))
having min(tenniscores_player_id) <> max(tenniscores_player_id)
