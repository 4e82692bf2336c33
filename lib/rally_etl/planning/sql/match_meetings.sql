-- A meeting keeps the live row of the same date and sides; a side without a link is told by its name. A pair of sides
-- that has exactly one live row left over and exactly one meeting left over has been moved to another date: the row is
-- kept.
with live as (
    select
        l.id, l.match_date, l.home_team, l.away_team,
        coalesce(l.home_team_id, h.team_id) as home_team_id, coalesce(l.away_team_id, a.team_id) as away_team_id
    from public.schedule as l
    left join live_names as h on h.printed = l.home_team and l.home_team_id is null
    left join live_names as a on a.printed = l.away_team and l.away_team_id is null
    where l.league_id = :league_id and l.home_team !~* 'practice' and coalesce(l.away_team, '') <> ''
),

same_names as (
    select distinct on (m.match_date, m.home_team, m.away_team) m.match_date, m.home_team, m.away_team, l.id
    from meetings as m
    join live as l on l.match_date = m.match_date and l.home_team = m.home_team and l.away_team = m.away_team
    order by m.match_date, m.home_team, m.away_team, l.id
),

same_teams as (
    select distinct on (m.match_date, m.home_team, m.away_team) m.match_date, m.home_team, m.away_team, l.id
    from meetings as m
    join live as l
        on l.match_date = m.match_date
        and coalesce(cast(l.home_team_id as text), l.home_team) = coalesce(cast(m.home_team_id as text), m.home_team)
        and coalesce(cast(l.away_team_id as text), l.away_team) = coalesce(cast(m.away_team_id as text), m.away_team)
    where
        not exists (select from same_names as n where n.id = l.id)
        and not exists (
            select from same_names as n
            where n.match_date = m.match_date and n.home_team = m.home_team and n.away_team = m.away_team
        )
    order by m.match_date, m.home_team, m.away_team, l.id
),

same_date as (
    select * from same_names
    union all
    select * from same_teams
),

live_left as (
    select home_team_id, away_team_id, min(id) as id, min(match_date) as match_date
    from live as l
    where
        home_team_id is not null and away_team_id is not null
        and not exists (select from same_date as d where d.id = l.id)
    group by home_team_id, away_team_id
    having count(*) = 1
),

moved as (
    select min(m.match_date) as match_date, min(m.home_team) as home_team, min(m.away_team) as away_team, l.id
    from meetings as m
    join live_left as l on l.home_team_id = m.home_team_id and l.away_team_id = m.away_team_id
    where
        not exists (
            select from same_date as d
            where d.match_date = m.match_date and d.home_team = m.home_team and d.away_team = m.away_team
        )
        -- a season later is another meeting, not a moved one
        and abs(m.match_date - l.match_date) <= 120
    group by l.id
    having count(*) = 1
)

update meetings as m set live_id = f.id
from (select * from same_date union all select * from moved) as f
where f.match_date = m.match_date and f.home_team = m.home_team and f.away_team = m.away_team
