-- title: A series has as many rows in the standings as active teams
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: A short table shows a captain no position; a long one shows a team of another series (incident 27: 3 sub-series under one).
-- mend: Scrape the standings again: they follow the rosters one scrape later. A team too many: `rally-etl merge teams <id> into <id>`.
with playing as (
    select
        series_id,
        count(*) as team_count
    from teams
    where
        league_id = :league_id
        and is_active is not false
    group by series_id
),

ranked as (
    select
        s.series_id,
        count(*) as row_count
    from series_stats as s
    left join teams as t on t.id = s.team_id and t.league_id = :league_id
    where
        s.league_id = :league_id
        and t.is_active is not false
    group by s.series_id
)

select
    e.id,
    e.name,
    p.team_count,
    coalesce(r.row_count, 0) as row_count
from playing as p
inner join series as e on e.id = p.series_id
left join ranked as r on r.series_id = p.series_id
where
    (r.row_count = p.team_count) is not true
    and exists (select from ranked)
