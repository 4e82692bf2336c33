-- title: An active team has as many matches this season as the teams of its series, one more or less
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: A round that is missing, or matches on the team of another name, show in the count (incidents 12 and 46).
-- mend: Compare the team's schedule with the site; names that were not read: `rally-etl reviews`, or an alias in params/leagues; then scrape the schedule again.
with played as (
    select
        t.id,
        t.team_name,
        t.series_id,
        count(*) as match_count
    from schedule as s
    cross join lateral (values (s.home_team_id), (s.away_team_id)) as side (team_id)
    inner join teams as t on t.id = side.team_id and t.league_id = :league_id
    where
        s.league_id = :league_id
        and s.match_date >= make_date(
            cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1
        )
        and t.is_active is not false
        and s.away_team <> ''
    group by
        t.id,
        t.team_name,
        t.series_id
),

usual as (
    select
        series_id,
        percentile_disc(0.5) within group (order by match_count) as match_count
    from played
    group by series_id
)

select
    p.id,
    p.team_name,
    p.match_count,
    u.match_count as usual_match_count
from played as p
inner join usual as u on u.series_id = p.series_id
where abs(p.match_count - u.match_count) > 1
