-- title: No two clubs with active teams in a league are one club in two spellings
-- severity: error
-- dimension: uniqueness
-- owner: league-data
-- why: A club in two spellings shows two half rosters and two half standings (incident 47: one club in six spellings).
-- mend: Make them one with `rally-etl merge clubs <id> into <id>`, and write both spellings into params/clubs.yaml so that no import splits them again.
with playing as (
    select distinct
        c.id,
        c.name,
        lower(regexp_replace(c.name, '\W+', '', 'g')) as folded_name
    from clubs as c
    inner join teams as t on t.club_id = c.id
    where
        t.league_id = :league_id
        and t.is_active is not false
)

select
    folded_name,
    count(*) as club_count,
    array_agg(id order by id) as club_ids,
    array_agg(name order by id) as club_names
from playing
group by folded_name
having count(*) > 1
