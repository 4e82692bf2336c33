-- title: A team does not play against itself
-- severity: error
-- dimension: validity
-- owner: league-data
-- why: A line of a team against itself counts as a win and a loss of the same team.
-- mend: Look the match up on the site and put the right opponent into params/leagues/<league>.yaml as an alias, then scrape again.
select
    id,
    match_date,
    home_team,
    away_team
from match_scores
where
    league_id = :league_id
    and (match_date > cast(:as_of as date) - 365 or created_at > cast(:as_of as date) - 365)
    and (home_team_id = away_team_id or home_team = away_team)
