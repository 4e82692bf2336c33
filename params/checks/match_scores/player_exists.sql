-- title: The players of a match line are known in the league
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: A line of an unknown id is missing from the record of the person behind it (incident 44).
-- max_failing_share: 0.02
-- share_of: match_scores of the last year
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
    and greatest(match_date, cast(created_at as date)) > cast(:as_of as date) - 365
    and not (
        (
            home_player_1_id is null
            or exists (select from players as p where p.tenniscores_player_id = m.home_player_1_id)
        )
        and (
            home_player_2_id is null
            or exists (select from players as p where p.tenniscores_player_id = m.home_player_2_id)
        )
        and (
            away_player_1_id is null
            or exists (select from players as p where p.tenniscores_player_id = m.away_player_1_id)
        )
        and (
            away_player_2_id is null
            or exists (select from players as p where p.tenniscores_player_id = m.away_player_2_id)
        )
    )
