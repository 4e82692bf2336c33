-- One table of metrics: per run, or per look at live outside of runs, and league, metric and subject.

-- A look at the health of live that `rally-etl health` has taken.
create table etl.looks (
    look         bigint generated always as identity primary key,
    at           timestamptz not null default clock_timestamp(),
    as_of        date not null,
    health_score numeric(5, 2) not null,
    level        text not null,
    seconds      double precision
);

alter table etl.metrics drop constraint metrics_pkey;
alter table etl.metrics alter column run_id drop not null;
alter table etl.metrics
add column look    bigint references etl.looks on delete cascade,
add column subject text not null default '', -- table, series, check, stage, ...: what of the league; '': all of it
add column parts   jsonb, -- many subjects in one row: what follows the subject and a slash (of '': it all) -> value
add constraint metrics_of_a_run_or_a_look check (num_nonnulls(run_id, look) = 1),
add constraint metrics_once unique nulls not distinct (run_id, look, league, stage, metric, subject);
create index metrics_by_name on etl.metrics (league, metric, subject);
create index metrics_by_look on etl.metrics (look) where look is not null; -- those of a look that is thinned out
create index looks_by_time on etl.looks (at);

-- The metrics with the moment and the day they stand for, the oldest first by `at`. `is_good`: what was measured became
-- (or is) live, so it may say what is usual; `is_import`: a run that brought a scrape.
create view etl.metric_history as
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
