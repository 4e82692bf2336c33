-- title: At least 90 % of the players have as many wins and losses as their lines of this season show
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: The roster and the matches tell one record; where they part a file is of another week, or lines stand twice or on the wrong side.
-- mend: Scrape rosters and matches on one day; then `rally-etl check` names the lines that stand twice or on the wrong side.
with played as (
    select
        place.player_id,
        place.team_id,
        count(*) filter (where m.winner = place.side) as won_count,
        count(*) filter (where m.winner <> place.side) as lost_count
    from match_scores as m
    cross join lateral (
        values
        (m.home_player_1_id, m.home_team_id, 'home'),
        (m.home_player_2_id, m.home_team_id, 'home'),
        (m.away_player_1_id, m.away_team_id, 'away'),
        (m.away_player_2_id, m.away_team_id, 'away')
    ) as place (player_id, team_id, side)
    where
        m.league_id = :league_id
        and m.match_date >= make_date(
            cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1
        )
    group by
        place.player_id,
        place.team_id
),

compared as (
    select
        p.id,
        p.tenniscores_player_id,
        p.wins,
        p.losses,
        l.won_count,
        l.lost_count,
        (p.wins = l.won_count and p.losses = l.lost_count) is true as agrees
    from players as p
    inner join played as l on l.player_id = p.tenniscores_player_id and l.team_id = p.team_id
    where
        p.league_id = :league_id
        and p.is_active is not false
),

measured as (
    select
        *,
        avg(cast(agrees as integer)) over () as agreeing_share
    from compared
)

select
    id,
    tenniscores_player_id,
    wins,
    losses,
    won_count,
    lost_count,
    round(agreeing_share, 3) as agreeing_share
from measured
where
    not agrees
    and agreeing_share < 0.9
