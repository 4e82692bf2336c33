-- title: A match was not played after the scrape
-- severity: warn
-- dimension: timeliness
-- owner: league-data
-- why: A future date is a scraper that stamped the date of the next page; the line shows as the latest match.
-- mend: Scrape the matches again after they were played; a date that stays wrong is put right by hand from the site.
select
    id,
    match_date,
    home_team,
    away_team
from match_scores
where
    league_id = :league_id
    and match_date > cast(:as_of as date)
