-- title: A team with ten or more matches this season plays some at home and some away
-- severity: warn
-- dimension: validity
-- owner: league-data
-- why: A team that is always at home, or never, is a file whose sides were mixed up; travel and courts are shown wrong.
-- mend: Compare with the site. Teams that host every match by agreement are no fault: raise max_failing_rows for the league.
with sides as (
    select
        side.team_id,
        side.team_name,
        count(*) as match_count,
        count(*) filter (where side.is_home) as home_count
    from schedule as s
    cross join lateral (
        values (s.home_team_id, s.home_team, true), (s.away_team_id, s.away_team, false)
    ) as side (team_id, team_name, is_home)
    where
        s.league_id = :league_id
        and s.match_date >= make_date(
            cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1
        )
        and s.away_team <> ''
        and side.team_id is not null
    group by
        side.team_id,
        side.team_name
)

select
    team_id,
    team_name,
    match_count,
    home_count
from sides
where
    match_count >= 10
    and home_count not between 0.1 * match_count and 0.9 * match_count
