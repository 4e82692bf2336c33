-- title: No two match lines have the same match id
-- severity: error
-- dimension: uniqueness
-- owner: league-data
-- why: A line that stands twice counts twice in every record of wins and losses.
select
    tenniscores_match_id,
    count(*) as line_count,
    array_agg(id order by id) as match_score_ids
from match_scores
where
    league_id = :league_id
    and tenniscores_match_id is not null
group by tenniscores_match_id
having count(*) > 1
