-- The live row of a team's standings by series and team as printed, which is its key.
create temporary table printed_standings on commit drop as
select distinct on (w.team_id) w.team_id, l.id
from standings as w
join public.series_stats as l on l.league_id = w.league_id and l.series = w.series and l.team = w.team
order by w.team_id, (l.team_id = w.team_id) desc nulls last, l.id
