-- title: No match line stands twice with other ids: one date, two teams, four players
-- severity: error
-- dimension: uniqueness
-- owner: league-data
-- why: A whole season was once imported twice under changed ids and doubled every record (incident 16: 18,377 rows).
-- mend: `rally-etl constraints --repair` folds what a doubled suffix split; an import that doubled a season is taken back with `rally-etl undo <run>`.
-- max_failing_share: 0.001
-- warn_above_rows: 0
-- share_of: match_scores of the last year
select
    min(id) as first_id,
    max(id) as last_id,
    count(*) as line_count,
    match_date,
    least(home_team_id, away_team_id) as team_id,
    greatest(home_team_id, away_team_id) as other_team_id
from match_scores
where
    league_id = :league_id
    and (match_date > cast(:as_of as date) - 365 or created_at > cast(:as_of as date) - 365)
    and home_player_1_id is not null
    and home_player_2_id is not null
    and away_player_1_id is not null
    and away_player_2_id is not null
group by
    match_date,
    least(home_team_id, away_team_id),
    greatest(home_team_id, away_team_id),
    -- Exclusive or of four hashes: the same for the same four players in any order, and cheaper than sorting them.
    hashtextextended(home_player_1_id, 0) # hashtextextended(home_player_2_id, 0)
    # hashtextextended(away_player_1_id, 0) # hashtextextended(away_player_2_id, 0)
having count(*) > 1
