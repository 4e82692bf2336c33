-- title: Nobody stands twice in a match line of this season
-- severity: warn
-- dimension: validity
-- owner: league-data
-- why: A person who is partner or opponent of himself wins and loses the same line (incident 32).
-- mend: Look the line up on the site and scrape again; two persons under one id: `rally-etl reviews`.
select
    id,
    match_date,
    home_team,
    away_team,
    home_player_1_id,
    home_player_2_id,
    away_player_1_id,
    away_player_2_id
from match_scores
where
    league_id = :league_id
    and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
    and (
        home_player_1_id = home_player_2_id
        or home_player_1_id = away_player_1_id
        or home_player_1_id = away_player_2_id
        or home_player_2_id = away_player_1_id
        or home_player_2_id = away_player_2_id
        or away_player_1_id = away_player_2_id
    )
