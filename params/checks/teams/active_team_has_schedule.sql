-- title: At least 99 % of the active teams have matches in the schedule, of this season where it has any
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: A captain of a team without schedule cannot ask for availability (incident 12: 205 of 727 teams).
-- mend: Scrape the schedule again; if the schedule has the team under another name, answer with `rally-etl reviews` or add an alias to params/leagues/<league>.yaml.
with meetings as materialized (
    select
        home_team_id,
        away_team_id,
        match_date >= make_date(
            cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1
        ) as is_of_this_season
    from schedule
    where
        league_id = :league_id
        and away_team <> ''
        and home_team not ilike '%practice%'
),

scheduled as (
    select home_team_id as team_id
    from meetings
    where is_of_this_season or not exists (select from meetings as m where m.is_of_this_season)
    union
    select away_team_id
    from meetings
    where is_of_this_season or not exists (select from meetings as m where m.is_of_this_season)
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
