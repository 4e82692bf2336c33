-- title: Two teams meet once on a day
-- severity: warn
-- dimension: uniqueness
-- owner: league-data
-- why: A meeting that stands twice, the second time with the sides changed, asks for availability twice (incident 12).
-- mend: Compare with the site and delete the wrong row by hand; `rally-etl constraints --repair` folds rows that are equal.
select
    min(id) as first_id,
    max(id) as last_id,
    match_date,
    least(home_team_id, away_team_id) as team_id,
    greatest(home_team_id, away_team_id) as other_team_id,
    count(*) as match_count
from schedule
where
    league_id = :league_id
    and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
    and home_team_id is not null
    and away_team_id is not null
group by
    match_date,
    least(home_team_id, away_team_id),
    greatest(home_team_id, away_team_id)
having count(*) > 1
