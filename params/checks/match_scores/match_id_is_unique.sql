-- title: No two match lines have the same match id
-- severity: error
-- dimension: uniqueness
-- owner: league-data
-- why: A line that stands twice counts twice in every record of wins and losses.
-- mend: `rally-etl constraints --repair` folds the lines that are one and adds the unique key that is missing.
with repeated as (
    -- A number per id is cheaper to group by than the id. Where none repeats the lines are not read again.
    select hashtextextended(tenniscores_match_id, 0) as id_hash
    from match_scores
    where
        league_id = :league_id
        and tenniscores_match_id is not null
    group by hashtextextended(tenniscores_match_id, 0)
    having count(*) > 1
)

select
    m.tenniscores_match_id,
    count(*) as line_count,
    array_agg(m.id order by m.id) as match_score_ids
from match_scores as m
where
    m.league_id = :league_id
    and hashtextextended(m.tenniscores_match_id, 0) in (select r.id_hash from repeated as r)
group by m.tenniscores_match_id
having count(*) > 1
