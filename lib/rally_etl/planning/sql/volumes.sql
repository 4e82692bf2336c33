-- Rows of each file of one league and series, as the names of their teams tell; a match has two of them.
insert into etl.volumes (run_id, league, kind, series_id, series, row_count)
select
    :run,
    :league,
    kind,
    series_id,
    min(series_name),
    case when kind in ('match_scores', 'schedules') then ceil(sum(row_count) / 2) else sum(row_count) end
from names
where league = :league and series_id is not null
group by kind, series_id
