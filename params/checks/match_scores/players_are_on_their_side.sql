-- title: The players of a match line are not on the side of the opponent
-- severity: error
-- dimension: consistency
-- owner: league-data
-- why: With players on opposite sides every win is shown as a loss (incident 32: 758 sides in one file).
-- mend: Scrape the matches again: the file has the players on the wrong side; live lines are put right by the next import.
-- max_failing_share: 0.01
-- warn_above_rows: 0
-- share_of: match_scores of the last year
with roster as materialized (
    select
        tenniscores_player_id as player_id,
        team_id
    from players
    where
        league_id = :league_id
        and team_id is not null
)

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
    and (match_date > cast(:as_of as date) - 365 or created_at > cast(:as_of as date) - 365)
    -- Single lookups and no "in": each becomes one hash table, and a missing id costs nothing. Most lines
    -- stop at the first: one player on the right side settles it.
    and not (
        exists (select from roster as r where r.player_id = m.home_player_1_id and r.team_id = m.home_team_id)
        or exists (select from roster as r where r.player_id = m.home_player_2_id and r.team_id = m.home_team_id)
        or exists (select from roster as r where r.player_id = m.away_player_1_id and r.team_id = m.away_team_id)
        or exists (select from roster as r where r.player_id = m.away_player_2_id and r.team_id = m.away_team_id)
    )
    and (
        exists (select from roster as r where r.player_id = m.home_player_1_id and r.team_id = m.away_team_id)
        or exists (select from roster as r where r.player_id = m.home_player_2_id and r.team_id = m.away_team_id)
        or exists (select from roster as r where r.player_id = m.away_player_1_id and r.team_id = m.home_team_id)
        or exists (select from roster as r where r.player_id = m.away_player_2_id and r.team_id = m.home_team_id)
    )
