-- title: In at least 90 % of the lines of this season somebody of each side is in the roster of that side
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: Substitutes play now and then; sides without anybody of their team are lines under wrong teams (incident 26), or players of others.
-- mend: Compare some lines with the site; scrape rosters and matches on one day.
with roster as materialized (
    select
        tenniscores_player_id as player_id,
        team_id
    from players
    where
        league_id = :league_id
        and team_id is not null
),

lines as (
    select
        m.id,
        m.match_date,
        m.home_team,
        m.away_team,
        (
            exists (select from roster as r where r.player_id = m.home_player_1_id and r.team_id = m.home_team_id)
            or exists (select from roster as r where r.player_id = m.home_player_2_id and r.team_id = m.home_team_id)
        )
        and (
            exists (select from roster as r where r.player_id = m.away_player_1_id and r.team_id = m.away_team_id)
            or exists (select from roster as r where r.player_id = m.away_player_2_id and r.team_id = m.away_team_id)
        ) as is_of_both
    from match_scores as m
    where
        m.league_id = :league_id
        and m.match_date >= make_date(
            cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1
        )
        and num_nulls(m.home_team_id, m.away_team_id) = 0
        and coalesce(m.home_player_1_id, m.home_player_2_id) <> ''
        and coalesce(m.away_player_1_id, m.away_player_2_id) <> ''
),

compared as (
    select
        *,
        count(*) filter (where not is_of_both) over () as strange_count,
        count(*) over () as line_count
    from lines
)

select
    id,
    match_date,
    home_team,
    away_team
from compared
where
    not is_of_both
    and strange_count > 0.1 * line_count
