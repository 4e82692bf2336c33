-- title: The players of a match line are not on the side of the opponent
-- severity: error
-- dimension: consistency
-- owner: league-data
-- why: With players on opposite sides every win is shown as a loss (incident 32: 758 sides in one file).
-- max_failing_share: 0.05
-- share_of: match_scores of the last year
select
    id,
    match_date,
    home_team,
    away_team,
    home_player_1_id,
    home_player_2_id,
    away_player_1_id,
    away_player_2_id
from match_scores as m
where
    league_id = :league_id
    and greatest(match_date, cast(created_at as date)) > cast(:as_of as date) - 365
    -- Eight single lookups and no "in": each becomes one hash table, and a missing id costs nothing.
    and not exists (select from players as p where p.tenniscores_player_id = home_player_1_id and p.team_id = home_team_id)
    and not exists (select from players as p where p.tenniscores_player_id = home_player_2_id and p.team_id = home_team_id)
    and not exists (select from players as p where p.tenniscores_player_id = away_player_1_id and p.team_id = away_team_id)
    and not exists (select from players as p where p.tenniscores_player_id = away_player_2_id and p.team_id = away_team_id)
    and (
        exists (select from players as p where p.tenniscores_player_id = home_player_1_id and p.team_id = away_team_id)
        or exists (select from players as p where p.tenniscores_player_id = home_player_2_id and p.team_id = away_team_id)
        or exists (select from players as p where p.tenniscores_player_id = away_player_1_id and p.team_id = home_team_id)
        or exists (select from players as p where p.tenniscores_player_id = away_player_2_id and p.team_id = home_team_id)
    )
