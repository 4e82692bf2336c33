-- One row per table, printed team name and linked team where the name is not the team's own; practice rows are users'.
create temporary table printed_teams on commit drop as
select p.table_name, p.printed, p.team_id, sum(p.row_count) as row_count
from (
    select 'series_stats' as table_name, team as printed, team_id, count(*) as row_count
    from public.series_stats
    where league_id = :league_id
    group by team, team_id
    union all
    select 'match_scores', s.printed, s.team_id, count(*)
    from public.match_scores as l
    cross join lateral (values (l.home_team, l.home_team_id), (l.away_team, l.away_team_id)) as s (printed, team_id)
    where l.league_id = :league_id
    group by s.printed, s.team_id
    union all
    select 'schedule', s.printed, s.team_id, count(*)
    from public.schedule as l
    cross join lateral (values (l.home_team, l.home_team_id), (l.away_team, l.away_team_id)) as s (printed, team_id)
    where l.league_id = :league_id and l.home_team !~* 'practice' and coalesce(l.away_team, '') <> ''
    group by s.printed, s.team_id
) as p
join own_names as o on o.id = p.team_id
where p.printed <> o.name
group by p.table_name, p.printed, p.team_id
