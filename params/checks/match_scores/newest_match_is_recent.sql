-- title: In a season under way the newest match is at most 14 days older than the newest one that was due
-- severity: warn
-- dimension: timeliness
-- owner: league-data
-- why: Pages show the last three matches as the latest ones; results that stopped coming look like a season that stopped.
-- mend: Scrape the matches of the league; if the scraper brings none, the site has changed.
with due as (
    select max(match_date) as newest_due_date
    from schedule
    where
        league_id = :league_id
        and match_date < cast(:as_of as date)
        and home_team not ilike '%practice%'
        and away_team <> ''
),

played as (
    select max(match_date) as newest_date
    from match_scores
    where
        league_id = :league_id
        and match_date <= cast(:as_of as date)
)

select
    d.newest_due_date,
    p.newest_date
from due as d
cross join played as p
where
    d.newest_due_date >= cast(:as_of as date) - 60
    and (p.newest_date >= d.newest_due_date - 14) is not true
