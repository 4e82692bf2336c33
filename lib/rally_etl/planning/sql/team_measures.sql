-- Active teams and series of a league before and after the plan, and the names that go and come.
with before as (
    select t.id, t.team_name, s.name as series
    from public.teams as t join public.series as s on s.id = t.series_id
    where t.league_id = :league_id and t.is_active is not false
),

after as (
    select t.id, t.team_name, t.series_id
    from teams as t
    where :league = any(t._leagues) and t.league_id = :league_id and t.is_active is not false
    union all
    select t.id, t.team_name, t.series_id
    from public.teams as t
    where t.league_id = :league_id and t.is_active is not false and not exists (select from teams as p where p.id = t.id)
),

named as (
    select a.id, a.team_name, coalesce(p.name, l.name) as series
    from after as a
    left join series as p on p.id = a.series_id
    left join public.series as l on l.id = a.series_id
),

renamed as (  -- a series under its new spelling is the same series
    select b.id, b.team_name, coalesce(p.name, b.series) as series
    from before as b
    join public.teams as t on t.id = b.id
    left join series as p on p.id = t.series_id
)

select
    (select count(*) from before) as active_before,
    array(select team_name from before as b where not exists (select from after as a where a.id = b.id)) as gone,
    array(select team_name from after as a where not exists (select from before as b where b.id = a.id)) as come,
    array(select distinct series from renamed except select series from named) as series_gone,
    array(select distinct series from named except select series from renamed) as series_come
