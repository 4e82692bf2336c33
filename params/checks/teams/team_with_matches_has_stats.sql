-- title: At least 95 % of the active teams with matches this season have a row in the standings
-- severity: error
-- dimension: completeness
-- owner: league-data
-- why: Without its row a team is missing from its series table and its position is empty.
-- mend: Scrape the standings again (or of all series): the site prints them with the results.
with played as (
    select home_team_id as team_id
    from match_scores
    where
        league_id = :league_id
        and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
    union
    select away_team_id
    from match_scores
    where
        league_id = :league_id
        and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
),

ranked as (
    select distinct team_id
    from series_stats
    where league_id = :league_id
),

coverage as (
    select
        t.id,
        t.team_name,
        r.team_id is not null as has_stats,
        avg(cast(r.team_id is not null as integer)) over () as covered_share
    from played as p
    inner join teams as t on t.id = p.team_id
    left join ranked as r on r.team_id = p.team_id
    where
        t.league_id = :league_id
        and t.is_active is not false
)

select
    id,
    team_name,
    round(covered_share, 3) as covered_share
from coverage
where
    not has_stats
    and covered_share < 0.95
