-- Meetings of the season that a schedule file is about, that the database would have and the file does not print.
with season as (
    select make_date(season - 1, 8, 1) as first_day, make_date(season, 7, 31) as last_day
    from etl.source_files
    where run_id = :run and league = :league and kind = 'schedules' and fault is null and season is not null
),

printed as (
    select distinct
        s.match_date,
        coalesce(cast(h.team_id as text), s.home_team) as home,
        coalesce(cast(a.team_id as text), s.away_team) as away
    from etl.staged_schedules as s
    left join names as h
        on h.league = s.league and h.kind = 'schedules' and h.printed = s.home_team
        and h.series = coalesce(s.series, '') and h.opponent in ('', s.away_team)
    left join names as a
        on a.league = s.league and a.kind = 'schedules' and a.printed = s.away_team
        and a.series = coalesce(s.series, '') and a.opponent in ('', s.home_team)
    where s.league = :league
),

kept as (
    select l.id, l.match_date, l.home_team, l.away_team, l.home_team_id, l.away_team_id
    from public.schedule as l
    where l.league_id = :league_id and not exists (select from schedule as p where p.id = l.id)
    union all
    select p.id, p.match_date, p.home_team, p.away_team, p.home_team_id, p.away_team_id
    from schedule as p
    where p.league_id = :league_id and p._op = 'update'
)

select k.match_date, k.home_team, k.away_team
from kept as k
cross join season as s
where
    k.match_date between s.first_day and s.last_day
    and k.home_team !~* 'practice' and k.away_team <> ''
    and not exists (
        select from printed as d
        where
            d.match_date = k.match_date
            and d.home in (cast(k.home_team_id as text), k.home_team)
            and d.away in (cast(k.away_team_id as text), k.away_team)
    )
order by k.match_date, k.home_team
