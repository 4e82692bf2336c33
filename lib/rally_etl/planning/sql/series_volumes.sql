-- One row per file and series of the last good load of the same kind (matches and schedules: of the same season), with
-- what this run's file has of it. A load that nobody counted by series is none to compare with.
select
    f.kind,
    before.series,
    before.row_count as rows_before,
    coalesce(now.row_count, 0) as rows_now
from etl.source_files as f
cross join lateral (
    select e.run_id
    from etl.source_files as e
    join etl.run_leagues as r
        on r.run_id = e.run_id and r.league = e.league and r.published_at is not null and r.state <> 'undone'
    where
        e.league = f.league and e.kind = f.kind and e.fault is null and e.run_id <> f.run_id
        and e.season is not distinct from f.season
    order by r.published_at desc
    limit 1
) as last_good
join etl.volumes as before
    on before.run_id = last_good.run_id and before.league = f.league and before.kind = f.kind
left join etl.volumes as now
    on now.run_id = f.run_id and now.league = f.league and now.kind = f.kind and now.series_id = before.series_id
where f.run_id = :run and f.league = :league and f.fault is null
order by f.kind, before.series
