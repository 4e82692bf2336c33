-- One row per scheduled meeting of the scrape: date and the two teams, as printed sides. A side that is not known
-- keeps its printed name and no id; a meeting of which neither side is known waits.
create temporary table meetings on commit drop as
select distinct on (match_date, home_team, away_team)
    s.match_date,
    s.match_time,
    coalesce(h.team_name, s.home_team) as home_team,
    coalesce(a.team_name, s.away_team) as away_team,
    h.team_id as home_team_id,
    a.team_id as away_team_id,
    coalesce(c.name, s.location) as location,
    cast(null as integer) as live_id
from etl.staged_schedules as s
left join names as h
    on h.league = :league and h.kind = 'schedules' and h.printed = s.home_team
    and h.opponent = s.away_team and h.series = coalesce(s.series, '')
left join names as a
    on a.league = :league and a.kind = 'schedules' and a.printed = s.away_team
    and a.opponent = s.home_team and a.series = coalesce(s.series, '')
left join places as c on c.printed = s.location
where s.league = :league and coalesce(h.team_id, a.team_id) is not null and h.team_id is distinct from a.team_id
order by match_date, home_team, away_team, s.match_time nulls last, s.record_hash
