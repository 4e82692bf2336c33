-- Else one of the same date and teams; a side without a link is told by its name. Each live row serves one meeting.
update meetings as m set live_id = f.id
from (
    select distinct on (match_date, home_team, away_team) * from (
        select distinct on (l.id) m.match_date, m.home_team, m.away_team, l.id
        from meetings as m
        join scheduled as l
            on l.match_date = m.match_date
            and coalesce(cast(l.home_team_id as text), l.home_team) = coalesce(cast(m.home_team_id as text), m.home_team)
            and coalesce(cast(l.away_team_id as text), l.away_team) = coalesce(cast(m.away_team_id as text), m.away_team)
        where m.live_id is null and not exists (select from meetings as t where t.live_id = l.id)
        order by l.id, m.match_date, m.home_team, m.away_team
    ) as each order by match_date, home_team, away_team, id
) as f
where f.match_date = m.match_date and f.home_team = m.home_team and f.away_team = m.away_team
