-- One row per team of the scraped standings.
create temporary table standings on commit drop as
select distinct on (n.team_id)
    cast(:league_id as integer) as league_id,
    n.series_name as series,
    n.team_name as team,
    n.series_id,
    n.team_id,
    s.points,
    s.matches_won,
    s.matches_lost,
    s.matches_tied,
    s.lines_won,
    s.lines_lost,
    s.lines_for,
    s.lines_ret,
    s.sets_won,
    s.sets_lost,
    s.games_won,
    s.games_lost
from etl.staged_series_stats as s
join names as n
    on n.league = :league and n.kind = 'series_stats' and n.printed = s.team and n.series = coalesce(s.series, '')
where s.league = :league and n.team_id is not null
order by
    n.team_id, (s.series = n.series_name) desc nulls last, s.matches_won + s.matches_lost desc nulls last,
    s.record_hash
