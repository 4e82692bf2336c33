-- One row per team of the scraped standings. A live row is found by its series and team as printed, which is its key,
-- else by its team, or by what its name means where older importers left the team out (incidents 14 and 27).
with wanted as (
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
),

same_names as (
    select distinct on (w.team_id) w.team_id, l.id
    from wanted as w
    join public.series_stats as l on l.league_id = w.league_id and l.series = w.series and l.team = w.team
    order by w.team_id, (l.team_id = w.team_id) desc nulls last, l.id
),

linked as (
    select l.id, coalesce(l.team_id, h.team_id) as team_id
    from public.series_stats as l
    left join live_names as h on h.printed = l.team and l.team_id is null
    where l.league_id = :league_id
),

same_team as (
    select distinct on (w.team_id) w.team_id, l.id
    from wanted as w
    join linked as l on l.team_id = w.team_id
    where
        not exists (select from same_names as n where n.team_id = w.team_id)
        and not exists (select from same_names as n where n.id = l.id)
    order by w.team_id, l.id
)

select f.id, w.*
from wanted as w
left join (select * from same_names union all select * from same_team) as f on f.team_id = w.team_id
