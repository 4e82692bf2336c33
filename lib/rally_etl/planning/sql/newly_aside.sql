-- One row per kind, reason and unknown team of which more records are kept aside than at the last good load of the kind;
-- a kind that was never loaded has nothing to compare with. What says nothing new (byes, practices, repetitions) or is
-- asked as a question is left out.
with loads as (
    select f.run_id, f.league, f.kind, f.sha256, f.ruleset, true as is_now
    from etl.source_files as f
    where f.run_id = :run and f.league = :league and f.fault is null
    union all
    select e.run_id, e.league, e.kind, e.sha256, e.ruleset, false
    from etl.source_files as f
    cross join lateral (
        select o.*
        from etl.source_files as o
        join etl.run_leagues as r
            on r.run_id = o.run_id and r.league = o.league and r.published_at is not null and r.state <> 'undone'
        where o.league = f.league and o.kind = f.kind and o.fault is null and o.run_id <> f.run_id
        order by r.published_at desc
        limit 1
    ) as e
    where f.run_id = :run and f.league = :league and f.fault is null
),

aside as (
    select l.kind, l.is_now, q.reason, '' as name, count(*) as row_count
    from loads as l
    join etl.quarantine as q
        on q.sha256 = l.sha256 and q.ruleset = l.ruleset and q.league = l.league and q.kind = l.kind
    where
        q.reason not in ('duplicate_record', 'menu_row', 'practice_row')
        and not (q.reason = 'bye' and l.kind <> 'players')
    group by l.kind, l.is_now, q.reason
    union all
    select l.kind, l.is_now, h.reason, case when h.reason = 'unknown_team' then h.name else '' end, sum(h.row_count)
    from loads as l
    join etl.held_rows as h on h.run_id = l.run_id and h.league = l.league and h.kind = l.kind
    where h.reason <> 'repeated' and not starts_with(h.reason, 'waits for ')
    group by 1, 2, 3, 4
),

counted as (
    select
        kind, reason, name,
        coalesce(sum(row_count) filter (where is_now), 0) as now_count,
        coalesce(sum(row_count) filter (where not is_now), 0) as last_count
    from aside
    group by kind, reason, name
)

select c.kind, c.reason, c.name, cast(c.now_count - c.last_count as bigint) as more
from counted as c
where c.now_count > c.last_count and exists (select from loads as l where l.kind = c.kind and not l.is_now)
order by more desc, c.kind, c.reason, c.name
