-- Metrics of many subjects in one row: of a league with 54 series a tenth of the space.
alter table etl.metrics
add column parts jsonb; -- what follows the subject and a slash (of the subject '': the whole subject) -> value

create or replace view etl.metric_history as
select
    m.run_id, m.look, m.league, m.stage, m.metric, s.subject, s.value, s.detail,
    coalesce(r.started_at, l.at) as at,
    coalesce(r.as_of, l.as_of) as as_of,
    r.run_id is not null and r.operation is null as is_import,
    r.run_id is null or not r.dry_run and (
        rl.state in ('published', 'verified')
        or m.league = '*' and r.status = 'completed' and r.decision in ('GO', 'HOLD')
    ) is true as is_good
from etl.metrics as m
left join etl.runs as r on r.run_id = m.run_id
left join etl.run_leagues as rl on rl.run_id = m.run_id and rl.league = m.league
left join etl.looks as l on l.look = m.look
cross join lateral (
    select m.subject, m.value, m.detail
    union all
    select concat_ws('/', nullif(m.subject, ''), p.key), cast(p.value as double precision), cast('[]' as jsonb)
    from jsonb_each_text(m.parts) as p
) as s;
