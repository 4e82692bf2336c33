-- title: At least 99 % of the match lines of this season name four players
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: A line without the id of a player is missing from the record of that player (incident 44: 7 % of a league had ids).
-- mend: Mend the scraper (it prints names without ids) and scrape the matches again; forfeited lines have no players and stay.
with season as (
    select count(*) as line_count
    from match_scores
    where
        league_id = :league_id
        and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
),

short as (
    select
        id,
        match_date,
        home_team,
        away_team,
        scores,
        count(*) over () as short_count
    from match_scores
    where
        league_id = :league_id
        and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
        and (
            btrim(home_player_1_id) <> ''
            and btrim(home_player_2_id) <> ''
            and btrim(away_player_1_id) <> ''
            and btrim(away_player_2_id) <> ''
        ) is not true
)

select
    id,
    match_date,
    home_team,
    away_team,
    scores
from short
where short_count > 0.01 * (select s.line_count from season as s)
