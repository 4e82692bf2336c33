-- Rating points of persons of whom the plan makes a row or switches one off: those of a row that is off go to the
-- person's active one, the oldest if there are several, because the application reads the chart by the row it opens.
with turned as (
    select distinct coalesce(a.target, k.own_key) as person_key
    from (
        select regexp_replace(tenniscores_player_id, :id_prefix, '') as own_key
        from players
        where league_id = :league_id and _op in ('insert', 'deactivate')
    ) as k
    left join person_aliases as a on a.spelling = k.own_key
),

spelled as (
    select p.id, regexp_replace(p.tenniscores_player_id, :id_prefix, '') as own_key, p.is_active
    from public.players as p
    where p.league_id = :league_id and not exists (select from players as q where q.id = p.id)
    union all
    select q.id, regexp_replace(q.tenniscores_player_id, :id_prefix, ''), q.is_active
    from players as q
    where q.league_id = :league_id
),

everybody as (
    select s.id, t.person_key, s.is_active is not false as is_active
    from spelled as s
    left join person_aliases as a on a.spelling = s.own_key
    join turned as t on t.person_key = coalesce(a.target, s.own_key)
),

opened as (
    select person_key, min(id) as id
    from everybody
    where is_active
    group by person_key
)

select h.id, o.id as player_id
from everybody as e
join opened as o on o.person_key = e.person_key
join public.player_history as h on h.player_id = e.id
where not e.is_active
