-- One row per file of the run and league, counted again in the staged tables and in quarantine, beside the last load of
-- the same kind that was published (matches and schedules: of the same season, they begin anew with each).
select
    f.path,
    f.kind,
    f.fault,
    f.records,
    f.staged,
    f.faults,
    f.votes_home,
    f.votes_away,
    f.orientation,
    case f.kind
        when 'players' then (select count(*) from etl.staged_players where league = f.league)
        when 'match_scores' then (select count(*) from etl.staged_match_scores where league = f.league)
        when 'series_stats' then (select count(*) from etl.staged_series_stats where league = f.league)
        when 'schedules' then (select count(*) from etl.staged_schedules where league = f.league)
        else (
            -- a person without points has no row, so the record's digests are counted
            select octet_length(record_hashes) / 16 from etl.staged_files where league = f.league and kind = f.kind
        )
    end as staged_rows,
    coalesce(q.quarantined_rows, 0) as quarantined_rows,
    coalesce(q.fault_reasons, '') as fault_reasons,
    coalesce(q.foreign_rows, 0) as foreign_rows,
    format('%s records of another league', q.foreign_rows) as foreign_names,
    coalesce(h.held_rows, 0) as held_rows,
    coalesce(h.held_names, '') as held_names,
    coalesce(w.waiting_rows, 0) as waiting_rows,
    coalesce(w.waiting_names, '') as waiting_names,
    g.staged_last
from etl.source_files as f
left join lateral (
    select
        sum(n) as quarantined_rows,
        string_agg(format('%s %s', n, reason), ', ' order by n desc, reason) as fault_reasons,
        sum(n) filter (where reason = 'foreign_league') as foreign_rows
    from (
        select reason, count(*) as n
        from etl.quarantine
        where sha256 = f.sha256 and ruleset = f.ruleset and league = f.league and kind = f.kind
        group by reason
    ) as reasons
) as q on true
left join lateral (
    select
        sum(row_count) as held_rows,
        array_to_string((array_agg(name order by row_count desc, name))[1:6], ', ')
            || case when count(*) > 6 then format(' and %s more', count(*) - 6) else '' end as held_names
    from etl.held_rows
    where run_id = f.run_id and league = f.league and kind = f.kind and reason <> 'repeated'
        and not starts_with(reason, 'waits for ')
        -- neither names an unknown team: they are nobody's
        and reason not in ('the scraper found no id', 'no evidence beside the standings')
) as h on true
left join lateral (
    select
        sum(row_count) as waiting_rows,
        array_to_string((array_agg(distinct reason))[1:6], ', ') as waiting_names
    from etl.held_rows
    where run_id = f.run_id and league = f.league and kind = f.kind and starts_with(reason, 'waits for ')
) as w on true
left join lateral (
    select e.staged as staged_last
    from etl.source_files as e
    join etl.run_leagues as r on r.run_id = e.run_id and r.league = e.league
        and r.published_at is not null and r.state <> 'undone'
    where
        e.league = f.league and e.kind = f.kind and e.fault is null and e.run_id <> f.run_id
        and e.season is not distinct from f.season
    order by r.published_at desc
    limit 1
) as g on true
where f.run_id = :run and f.league = :league
order by f.kind
