-- One row per person and name of the match file: does a roster print the id with that name, blanks and marks aside?
with cards as (
    select
        regexp_replace(c.player_id, :id_prefix, '') as person_key,
        min(c.name) as name,
        regexp_replace(lower(c.name), '\W', '', 'g') as folded,
        sum(c.row_count) as row_count
    from jsonb_to_recordset(cast(:cards as jsonb)) as c (player_id text, name text, row_count integer)
    group by 1, 3
),

listed as (
    select distinct
        person_key,
        player_name,
        regexp_replace(lower(player_name), '\W', '', 'g') as folded
    from rosters
)

select
    format('the name beside %s in %s lines', c.person_key, c.row_count) as fact,
    bool_or(l.folded = c.folded) as agrees,
    format('is not the one of the rosters, %s', min(l.player_name)) as told,
    c.row_count as distance
from cards as c
join listed as l on l.person_key = c.person_key
where c.folded <> ''
group by c.person_key, c.name, c.row_count
