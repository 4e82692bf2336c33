-- title: A match line is dated within 14 days of a meeting of its teams in the schedule
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: The scraper stamps the newest date of a page on older matches, up to two weeks late; more is a date of something else (incident 28).
-- mend: Look the meeting up on the site; scrape the matches again, and a date that stays wrong is put right by hand.
with meetings as (
    select
        match_date,
        least(home_team_id, away_team_id) as team_id,
        greatest(home_team_id, away_team_id) as other_team_id,
        min(id) as first_id,
        count(*) as line_count
    from match_scores
    where
        league_id = :league_id
        and (match_date > cast(:as_of as date) - 365 or created_at > cast(:as_of as date) - 365)
    group by
        match_date,
        least(home_team_id, away_team_id),
        greatest(home_team_id, away_team_id)
),

scheduled as materialized (
    select
        least(home_team_id, away_team_id) as team_id,
        greatest(home_team_id, away_team_id) as other_team_id,
        match_date
    from schedule
    where
        league_id = :league_id
        and away_team_id is not null
)

select
    m.first_id,
    m.match_date,
    m.line_count,
    m.team_id,
    m.other_team_id,
    min(abs(m.match_date - s.match_date)) as days_off
from meetings as m
inner join scheduled as s on s.team_id = m.team_id and s.other_team_id = m.other_team_id
group by
    m.first_id,
    m.match_date,
    m.line_count,
    m.team_id,
    m.other_team_id
having (min(abs(m.match_date - s.match_date)) <= 14) is not true
