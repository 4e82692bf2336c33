-- title: A match line that was played names a player of each side
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: A line without anybody counts for nobody (incident 44); only a forfeited one, 6-0 in every set, has no players.
-- mend: Mend the scraper (it prints names without ids) and scrape the matches again.
select
    id,
    match_date,
    home_team,
    away_team,
    scores
from match_scores
where
    league_id = :league_id
    and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
    and not (
        (btrim(home_player_1_id) <> '' or btrim(home_player_2_id) <> '') is true
        and (btrim(away_player_1_id) <> '' or btrim(away_player_2_id) <> '') is true
    )
    and scores ~ '[1-9]'
    and scores !~ '^ *(6-0|0-6)( *, *(6-0|0-6))* *$'
