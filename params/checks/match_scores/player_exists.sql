-- title: The players of a match line are known in the league
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: A line of an unknown id is missing from the record of the person behind it (incident 44).
-- mend: Scrape the roster of that team too; an id in another spelling is answered with `rally-etl reviews`.
-- max_failing_share: 0.02
-- share_of: match_scores of the last year
with known as materialized (
    select distinct tenniscores_player_id as id
    from players
    where league_id = :league_id
)

select
    id,
    match_date,
    home_player_1_id,
    home_player_2_id,
    away_player_1_id,
    away_player_2_id
from match_scores as m
where
    league_id = :league_id
    and (match_date > cast(:as_of as date) - 365 or created_at > cast(:as_of as date) - 365)
    and not (
        (home_player_1_id is null or exists (select from known as k where k.id = m.home_player_1_id))
        and (home_player_2_id is null or exists (select from known as k where k.id = m.home_player_2_id))
        and (away_player_1_id is null or exists (select from known as k where k.id = m.away_player_1_id))
        and (away_player_2_id is null or exists (select from known as k where k.id = m.away_player_2_id))
    )
