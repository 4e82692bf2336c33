-- One row per new rating point of a person whose row is known: the active row, of several the one that already has
-- history, else the oldest. A point that any row of the person has is not new. Points without a known person wait.
with spelled as (
    select
        p.id,
        regexp_replace(p.tenniscores_player_id, :id_prefix, '') as own_key,
        p.is_active
    from public.players as p
    where p.league_id = :league_id and not exists (select from players as q where q.id = p.id)
    union all
    select q.id, regexp_replace(q.tenniscores_player_id, :id_prefix, ''), q.is_active
    from players as q
    where q.league_id = :league_id
),

everybody as (
    select p.id, coalesce(a.target, p.own_key) as person_key, p.is_active
    from spelled as p
    left join person_aliases as a on a.spelling = p.own_key
),

persons as (
    select distinct on (e.person_key) e.person_key, e.id
    from everybody as e
    left join (select distinct player_id from public.player_history) as h on h.player_id = e.id
    order by e.person_key, e.is_active is false, h.player_id is null, e.id
),

known as (
    select e.person_key, h.date, coalesce(n.name, h.series) as series, h.end_pti
    from public.player_history as h
    join everybody as e on e.id = h.player_id
    left join history_series as n on n.printed = h.series
)

select distinct
    cast(:league_id as integer) as league_id,
    p.id as player_id,
    coalesce(n.name, s.series) as series,
    s.history_date as date,
    s.end_pti
from etl.staged_player_history as s
left join person_aliases as a on a.spelling = s.person_key
join persons as p on p.person_key = coalesce(a.target, s.person_key)
left join history_series as n on n.printed = s.series
where
    s.league = :league
    and not exists (
        select from known as k
        where
            k.person_key = p.person_key and k.date = s.history_date
            and coalesce(k.series, '') = coalesce(n.name, s.series, '')
            and coalesce(k.end_pti, 1e9) = coalesce(cast(s.end_pti as numeric(10, 2)), 1e9)
    )
