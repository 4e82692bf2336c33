-- title: An active team has at most two matches on one day
-- severity: warn
-- dimension: uniqueness
-- owner: league-data
-- why: A match that stands twice under two spellings asks for availability twice and pushes others off the page (incident 12).
-- mend: Compare the spellings of the names: `rally-etl constraints --repair` folds rows that are one meeting; a wrong date is scraped again.
with sides as (
    select
        s.match_date,
        side.team_id
    from schedule as s
    cross join lateral (values (s.home_team_id), (s.away_team_id)) as side (team_id)
    where
        s.league_id = :league_id
        and s.match_date >= make_date(
            cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1
        )
        and s.home_team not ilike '%practice%'
        and s.away_team <> ''
)

select
    t.id,
    t.team_name,
    s.match_date,
    count(*) as match_count
from sides as s
inner join teams as t on t.id = s.team_id
where
    t.league_id = :league_id
    and t.is_active is not false
group by
    t.id,
    t.team_name,
    s.match_date
having count(*) > 2
