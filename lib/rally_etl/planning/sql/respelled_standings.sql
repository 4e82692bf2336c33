-- One row per row of the standings of which the team or the series is another spelling of the one it is linked to.
create temporary table respelled_series_stats on commit drop as
select l.id, coalesce(s.name, l.series) as series, coalesce(t.name, l.team) as team
from public.series_stats as l
left join series_spellings as s on s.printed = l.series and s.series_id = coalesce(l.series_id, 0)
left join team_spellings as t on t.printed = l.team and t.team_id = l.team_id
where l.league_id = :league_id and (s.name is not null or t.name is not null)
