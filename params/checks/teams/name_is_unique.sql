-- title: No two active teams of a league have the same name
-- severity: error
-- dimension: uniqueness
-- owner: league-data
-- why: If two rows stand for one team, its matches, polls and practices are split between two pages.
-- mend: Make them one with `rally-etl merge teams <id> into <id>`; rows of users follow.
select
    lower(regexp_replace(btrim(team_name), '\W+', ' ', 'g')) as folded_name,
    count(*) as team_count,
    array_agg(id order by id) as team_ids,
    array_agg(team_name order by id) as team_names
from teams
where
    league_id = :league_id
    and is_active is not false
group by lower(regexp_replace(btrim(team_name), '\W+', ' ', 'g'))
having count(*) > 1
