-- title: A scheduled match is linked to both teams
-- severity: error
-- dimension: completeness
-- owner: league-data
-- why: A match without its team is missing from the calendar of the team (incident 13).
-- mend: `rally-etl orphans --repair` links what names a live team; a name that no team has goes into params/leagues/<league>.yaml or is answered with `rally-etl reviews`.
-- max_failing_share: 0.01
-- share_of: schedule of the last year
select
    id,
    match_date,
    home_team,
    away_team,
    home_team_id,
    away_team_id
from schedule
where
    league_id = :league_id
    and (match_date > cast(:as_of as date) - 365 or created_at > cast(:as_of as date) - 365)
    and home_team not ilike '%practice%'
    and away_team <> ''
    and (home_team_id is null or away_team_id is null)
