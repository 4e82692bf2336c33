-- title: A scheduled match has a date, and that date can be true
-- severity: error
-- dimension: validity
-- owner: league-data
-- why: A match without a date, or of another century, is in no calendar.
-- mend: Scrape the schedule again with its dates; live rows take the date of the next import, the wrong rows are deleted by hand.
-- max_failing_share: 0.01
-- warn_above_rows: 0
-- share_of: schedule
select
    id,
    match_date,
    home_team,
    away_team
from schedule
where
    league_id = :league_id
    and (match_date between date '2005-01-01' and cast(:as_of as date) + 450) is not true
