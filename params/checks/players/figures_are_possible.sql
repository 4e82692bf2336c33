-- title: The wins, losses and percentages of an active player fit together
-- severity: warn
-- dimension: validity
-- owner: league-data
-- why: Figures that do not add up are a column that slipped; career and season were mixed up like that (incident 36).
-- mend: Scrape the roster again: an import writes the figures that the site prints.
select
    id,
    tenniscores_player_id,
    wins,
    losses,
    win_percentage,
    career_wins,
    career_losses,
    career_matches,
    career_win_percentage
from players
where
    league_id = :league_id
    and is_active is not false
    and (
        least(wins, losses, career_wins, career_losses, career_matches) < 0
        or wins + losses > 200
        or least(win_percentage, career_win_percentage) < 0
        or greatest(win_percentage, career_win_percentage) > 100
        or abs(win_percentage * (wins + losses) - 100.0 * wins) > wins + losses
        or career_matches <> career_wins + career_losses
        or nullif(career_matches, 0) < wins + losses -- 0 where the page shows none
    )
