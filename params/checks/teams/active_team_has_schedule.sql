-- title: At least 99 % of the active teams have matches in the schedule, of the newest season that it has
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: A captain of a team without schedule cannot ask for availability (incident 12: 205 of 727 teams).
-- mend: Scrape the schedule again; if the schedule has the team under another name, answer with `rally-etl reviews` or add an alias to params/leagues/<league>.yaml.
with meetings as materialized (
    select
        home_team_id,
        away_team_id,
        match_date
    from schedule
    where
        league_id = :league_id
        and away_team <> ''
        and home_team not ilike '%practice%'
),

season as (
    select make_date(cast(extract(year from max(match_date) - interval '7 months') as integer), 8, 1) as first_day
    from meetings
),

scheduled as (
    select distinct side.team_id
    from meetings as m
    inner join season as s on s.first_day <= m.match_date
    cross join lateral (values (m.home_team_id), (m.away_team_id)) as side (team_id)
),

compared as (
    select
        t.id,
        t.team_name,
        s.team_id is null as is_left_out,
        count(*) filter (where s.team_id is null) over () as left_out_count,
        count(*) over () as team_count
    from teams as t
    left join scheduled as s on s.team_id = t.id
    where
        t.league_id = :league_id
        and t.is_active is not false
)

select
    id,
    team_name
from compared
where
    is_left_out
    and left_out_count > 0.01 * team_count
