-- title: In a season under way there are matches of every week in which ten or more were due
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: A week that was not scraped is missing from every standing and record (incident 29: four dates in a season of weeks).
-- mend: Scrape the matches of that week again; a week of which the league moved every match is no fault.
with played as materialized (
    select distinct date_trunc('week', match_date) as week
    from match_scores
    where
        league_id = :league_id
        and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
)

select
    cast(date_trunc('week', s.match_date) as date) as week,
    count(*) as due_match_count
from schedule as s
where
    s.league_id = :league_id
    and s.match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
    and s.match_date < date_trunc('week', cast(:as_of as date) - 7)
    and s.home_team not ilike '%practice%'
    and s.away_team <> ''
    and exists (select from played)
group by date_trunc('week', s.match_date)
having
    count(*) >= 10
    and date_trunc('week', s.match_date) not in (select p.week from played as p)
