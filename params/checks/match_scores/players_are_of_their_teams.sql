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
    where league_id = :league_id
),

season as (
    select count(*) as line_count
    from match_scores
    where
        league_id = :league_id
        and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
),

strange as (
    select
        m.id,
        m.match_date,
        m.home_team,
        m.away_team,
        count(*) over () as strange_count
    from match_scores as m
    where
        m.league_id = :league_id
        and m.match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
        and m.home_team_id is not null
        and m.away_team_id is not null
        and coalesce(m.home_player_1_id, m.home_player_2_id) <> ''
        and coalesce(m.away_player_1_id, m.away_player_2_id) <> ''
        and not (
            (
                exists (select from roster as r where r.player_id = m.home_player_1_id and r.team_id = m.home_team_id)
                or exists (select from roster as r where r.player_id = m.home_player_2_id and r.team_id = m.home_team_id)
            )
            and (
                exists (select from roster as r where r.player_id = m.away_player_1_id and r.team_id = m.away_team_id)
                or exists (select from roster as r where r.player_id = m.away_player_2_id and r.team_id = m.away_team_id)
            )
        )
)

select
    id,
    match_date,
    home_team,
    away_team
from strange
where strange_count > 0.1 * (select s.line_count from season as s)
