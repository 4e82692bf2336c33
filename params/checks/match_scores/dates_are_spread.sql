-- title: No single date holds more than 60 % of the lines of a season under way
-- severity: error
-- dimension: validity
-- owner: league-data
-- why: One date for all is a scraper that read the date of the page and not of the match (incident 28).
-- mend: Do not publish: mend the scraper (it read the date of the page) and scrape again; what is live already goes back with `rally-etl undo <run>`.
with dated as (
    select
        match_date,
        count(*) as line_count,
        sum(count(*)) over () as season_line_count
    from match_scores
    where
        league_id = :league_id
        and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
    group by match_date
)

select
    match_date,
    line_count,
    season_line_count
from dated
where
    season_line_count >= 1000
    and line_count > 0.6 * season_line_count
