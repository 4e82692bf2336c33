-- title: A match line has a date that can be true
-- severity: error
-- dimension: validity
-- owner: league-data
-- why: A line without a date, or of another century, falls out of every season window.
-- mend: Scrape the matches again with their dates; live lines take the date of the next import.
-- max_failing_share: 0.01
-- warn_above_rows: 0
-- share_of: match_scores
select
    id,
    match_date,
    home_team,
    away_team
from match_scores
where
    league_id = :league_id
    and (match_date between date '2005-01-01' and cast(:as_of as date) + 60) is not true
