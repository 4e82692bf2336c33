-- title: The figures of a row of the standings can be true together
-- severity: warn
-- dimension: validity
-- owner: league-data
-- why: Columns that slipped show sets as lines and percentages as points (one league of June 2025 had 690 lost sets in a row).
-- mend: Mend the scraper, then scrape the standings again: an import writes the figures that the site prints.
select
    s.id,
    s.series,
    s.team,
    s.points,
    s.matches_won,
    s.matches_lost,
    s.matches_tied,
    s.lines_won,
    s.lines_lost,
    s.sets_won,
    s.sets_lost,
    s.games_won,
    s.games_lost
from series_stats as s
left join teams as t on t.id = s.team_id and t.league_id = :league_id
where
    s.league_id = :league_id
    and t.is_active is not false
    and (
        least(s.points, s.matches_won, s.matches_lost, s.matches_tied, s.lines_won, s.lines_lost) >= 0
        and least(s.lines_for, s.lines_ret, s.sets_won, s.sets_lost, s.games_won, s.games_lost) >= 0
        and s.lines_won + s.lines_lost + coalesce(s.lines_for, 0) <= 5 * (s.matches_won + s.matches_lost + s.matches_tied)
        and s.sets_won + s.sets_lost <= 3 * (s.lines_won + s.lines_lost + coalesce(s.lines_for, 0))
        and s.games_won + s.games_lost <= 13 * (s.sets_won + s.sets_lost)
        and s.games_won >= s.sets_won
        and s.games_lost >= s.sets_lost
        and s.points <= 5 * (s.lines_won + s.lines_lost + coalesce(s.lines_for, 0))
    ) is not true
