-- A pair of sides that has exactly one live row left over and exactly one meeting left over has been moved to another
-- date: the row is kept.
with live_left as (
    select home_team_id, away_team_id, min(id) as id, min(match_date) as match_date
    from scheduled as l
    where
        home_team_id is not null and away_team_id is not null
        and not exists (select from meetings as t where t.live_id = l.id)
    group by home_team_id, away_team_id
    having count(*) = 1
),

moved as (
    select min(m.match_date) as match_date, min(m.home_team) as home_team, min(m.away_team) as away_team, l.id
    from meetings as m
    join live_left as l on l.home_team_id = m.home_team_id and l.away_team_id = m.away_team_id
    where
        m.live_id is null
        -- a season later is another meeting, not a moved one
        and abs(m.match_date - l.match_date) <= 120
    group by l.id
    having count(*) = 1
)

update meetings as m set live_id = f.id
from moved as f
where f.match_date = m.match_date and f.home_team = m.home_team and f.away_team = m.away_team
