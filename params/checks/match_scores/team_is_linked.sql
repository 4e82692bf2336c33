-- title: A match line is linked to both teams
-- severity: error
-- dimension: completeness
-- owner: league-data
-- why: A line without its team is missing from the pages of the team and of its players (incident 14: 7,297 rows).
-- mend: `rally-etl orphans --repair` links what names a live team; a name that no team has goes into params/leagues/<league>.yaml or is answered with `rally-etl reviews`.
-- max_failing_share: 0.001
-- warn_above_rows: 0
-- share_of: match_scores of the last year
select
    id,
    match_date,
    home_team,
    away_team,
    home_team_id,
    away_team_id
from match_scores
where
    league_id = :league_id
    and (match_date > cast(:as_of as date) - 365 or created_at > cast(:as_of as date) - 365)
    and (home_team_id is null or away_team_id is null)
