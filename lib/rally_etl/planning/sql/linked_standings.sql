-- Else the live row of the team itself, or of what its name means where older importers left the team out
-- (incidents 14 and 27); a row that another team's name has taken is not taken again.
create temporary table linked_standings on commit drop as
with linked as (
    select l.id, coalesce(l.team_id, h.team_id) as team_id
    from public.series_stats as l
    left join live_names as h on h.printed = l.team and l.team_id is null
    where l.league_id = :league_id
)

select distinct on (w.team_id) w.team_id, l.id
from standings as w
join linked as l on l.team_id = w.team_id
left join printed_standings as p on p.team_id = w.team_id
left join printed_standings as t on t.id = l.id
where p.id is null and t.id is null
order by w.team_id, l.id
