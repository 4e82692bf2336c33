-- title: A team is not scheduled against itself
-- severity: error
-- dimension: validity
-- owner: league-data
-- why: A match against itself stands in the calendar and nobody comes.
-- mend: Look the match up on the site; mend the scraper, scrape the schedule again and delete the wrong row by hand.
select
    id,
    match_date,
    home_team,
    away_team
from schedule
where
    league_id = :league_id
    and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
    and home_team not ilike '%practice%'
    and away_team <> ''
    and (home_team_id = away_team_id or home_team = away_team)
