-- title: At least 95 % of the meetings that were played this season stand in the schedule
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: A meeting that the schedule does not know is one under a wrong team, or a schedule of other teams (incidents 25 and 46).
-- mend: Compare the teams with the site; scrape matches and schedule on one day. Playoffs stand in no schedule.
with played as (
    select
        least(home_team_id, away_team_id) as team_id,
        greatest(home_team_id, away_team_id) as other_team_id,
        min(id) as first_id,
        min(match_date) as match_date
    from match_scores
    where
        league_id = :league_id
        and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
        and home_team_id is not null
        and away_team_id is not null
    group by
        least(home_team_id, away_team_id),
        greatest(home_team_id, away_team_id)
),

scheduled as (
    select distinct
        least(home_team_id, away_team_id) as team_id,
        greatest(home_team_id, away_team_id) as other_team_id
    from schedule
    where league_id = :league_id
),

unscheduled as (
    select
        p.*,
        count(*) over () as unscheduled_count
    from played as p
    left join scheduled as s on s.team_id = p.team_id and s.other_team_id = p.other_team_id
    where s.team_id is null
)

select
    first_id,
    match_date,
    team_id,
    other_team_id
from unscheduled
where unscheduled_count > 0.05 * (select count(*) from played)
