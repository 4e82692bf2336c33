-- title: A team has one row in the standings
-- severity: error
-- dimension: uniqueness
-- owner: league-data
-- why: The position of a team is read from one row; with two the page shows either.
-- mend: `rally-etl constraints --repair` folds rows of one team; of two printed names the wrong one goes into params/leagues/<league>.yaml as an alias.
select
    team_id,
    count(*) as row_count,
    array_agg(id order by id) as series_stats_ids,
    array_agg(team order by id) as team_names
from series_stats
where
    league_id = :league_id
    and team_id is not null
group by team_id
having count(*) > 1
