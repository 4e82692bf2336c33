-- title: No two leagues are one league in two spellings
-- severity: error
-- dimension: uniqueness
-- owner: league-data
-- why: Under two keys a league has two half rosters and users see one of them (incident 41: 536 rows under a misspelled key).
-- mend: Write the spelling into aliases of params/leagues/<league>.yaml; the rows of the wrong league are moved by hand, then that league is deleted.
with spelled as (
    select
        id,
        league_id,
        league_name,
        regexp_replace(lower(league_id), '[^a-z0-9]', '', 'g') as folded_key,
        regexp_replace(lower(league_name), '[^a-z0-9]', '', 'g') as folded_name
    from leagues
)

select
    o.id,
    o.league_id,
    o.league_name
from spelled as o
inner join spelled as l on l.id <> o.id
where
    l.id = :league_id
    and (
        o.folded_name = l.folded_name
        -- the same letters, in whatever order: nsft for nstf
        or array(select c from regexp_split_to_table(o.folded_key, '') as c order by c)
        = array(select c from regexp_split_to_table(l.folded_key, '') as c order by c)
    )
