-- title: Where most match ids of this season name the court, all do
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: The application takes the court from the match id; a line without shows as court 1, or on none.
-- mend: Scrape the matches again with their ids; what the scraper made up goes with `rally-etl undo <run>`.
with season as (
    select
        count(*) as line_count,
        count(*) filter (where tenniscores_match_id like '%\_Line%') as naming_count
    from match_scores
    where
        league_id = :league_id
        and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
)

select
    id,
    tenniscores_match_id,
    match_date,
    home_team,
    away_team
from match_scores
where
    league_id = :league_id
    and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
    and (tenniscores_match_id like '%\_Line%') is not true
    and (select s.naming_count * 2 > s.line_count from season as s)
