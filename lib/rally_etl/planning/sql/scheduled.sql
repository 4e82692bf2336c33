-- League matches of the live schedule with the teams that they mean: one row per meeting, without users' practice rows.
create temporary table scheduled on commit drop as
select
    l.id, l.match_date, l.home_team, l.away_team,
    coalesce(l.home_team_id, h.team_id) as home_team_id, coalesce(l.away_team_id, a.team_id) as away_team_id
from public.schedule as l
left join live_names as h on h.printed = l.home_team and l.home_team_id is null
left join live_names as a on a.printed = l.away_team and l.away_team_id is null
where l.league_id = :league_id and l.home_team !~* 'practice' and coalesce(l.away_team, '') <> ''
