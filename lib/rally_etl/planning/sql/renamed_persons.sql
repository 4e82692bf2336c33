-- One row per planned membership of a person whom live knows under another name, with both names.
with known as (
    select distinct on (p.id)
        l.first_name as first_before, l.last_name as last_before, p.first_name as first_now, p.last_name as last_now
    from players as p
    join public.players as l on l.tenniscores_player_id = p.tenniscores_player_id and l.league_id = :league_id
    where :league = any(p._leagues) and p._op in ('insert', 'update')
    order by p.id, l.id = p.id desc, l.is_active desc, l.id
)

select distinct first_before, last_before, first_now, last_now
from known
where (first_before, last_before) is distinct from (first_now, last_now)
order by 1, 2, 3, 4
