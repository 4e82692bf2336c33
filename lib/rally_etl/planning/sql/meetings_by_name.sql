-- A meeting keeps the live row of the same date and printed sides.
update meetings as m set live_id = f.id
from (
    select distinct on (m.match_date, m.home_team, m.away_team) m.match_date, m.home_team, m.away_team, l.id
    from meetings as m
    join scheduled as l on l.match_date = m.match_date and l.home_team = m.home_team and l.away_team = m.away_team
    order by m.match_date, m.home_team, m.away_team, l.id
) as f
where f.match_date = m.match_date and f.home_team = m.home_team and f.away_team = m.away_team
