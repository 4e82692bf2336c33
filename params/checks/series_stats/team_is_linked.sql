-- title: A row of the standings is linked to a team and a series that exist
-- severity: error
-- dimension: consistency
-- owner: league-data
-- why: My team and my series read the standings by id; a row without one is invisible.
-- mend: `rally-etl orphans --repair` links what names a live team; a name that no team has is answered with `rally-etl reviews`.
-- max_failing_share: 0.02
-- warn_above_rows: 0
-- share_of: series_stats
select
    s.id,
    s.series,
    s.team,
    s.series_id,
    s.team_id
from series_stats as s
left join teams as t on t.id = s.team_id and t.league_id = :league_id
left join series as e on e.id = s.series_id
where
    s.league_id = :league_id
    and (t.id is null or e.id is null)
