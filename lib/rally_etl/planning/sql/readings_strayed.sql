-- Readings that the plan puts on the chart of another person than before, or than the file says.
with spelled as (
    select spelling, target from etl.aliases where league = :league and entity = 'player' and ended_at is null
    union
    select spelling, target from new_aliases where league = :league and entity = 'player'
),

printed as (
    select s.person_key, s.history_date, cast(s.end_pti as numeric(10, 2)) as end_pti
    from etl.staged_player_history as s
    where s.league = :league
    union all
    select a.target, s.history_date, cast(s.end_pti as numeric(10, 2))
    from etl.staged_player_history as s
    join spelled as a on a.spelling = s.person_key
    where s.league = :league
),

persons as (
    select l.id, regexp_replace(l.tenniscores_player_id, :id_prefix, '') as person_key
    from public.players as l
    where l.league_id = :league_id
    union
    select p.id, regexp_replace(p.tenniscores_player_id, :id_prefix, '')
    from players as p
    where p.league_id = :league_id
),

moved as (
    select p.id
    from player_history as p
    join player_history_before as b using (id)
    where :league = any(p._leagues) and p.player_id <> b.player_id and not exists (
        select from persons as o join persons as n using (person_key) where o.id = b.player_id and n.id = p.player_id)
),

added as (
    select p.id
    from player_history as p
    join persons as o on o.id = p.player_id
    left join spelled as a on a.spelling = o.person_key
    where p._op = 'insert' and :league = any(p._leagues)
      and exists (
          select from etl.source_files as f
          where f.run_id = :run and f.league = :league and f.kind = 'player_history' and f.fault is null)
      and not exists (
          select from printed as d
          where
              d.history_date = p.date and coalesce(d.end_pti, 1e9) = coalesce(p.end_pti, 1e9)
              and d.person_key = coalesce(a.target, o.person_key))
)

select (select count(*) from moved) + (select count(*) from added)
