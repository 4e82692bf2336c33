-- title: Nobody plays on two courts of one meeting of this season
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: Nobody can be on two courts; one of the lines is another person's, or stands twice under other ids (incident 16).
-- mend: Look the meeting up on the site and scrape again; lines that stand twice: `rally-etl undo <run>` of the import that doubled them.
with places as (
    select
        m.match_date,
        least(m.home_team_id, m.away_team_id) as team_id,
        greatest(m.home_team_id, m.away_team_id) as other_team_id,
        m.id,
        place.player_id
    from match_scores as m
    cross join lateral (
        values (m.home_player_1_id), (m.home_player_2_id), (m.away_player_1_id), (m.away_player_2_id)
    ) as place (player_id)
    where
        m.league_id = :league_id
        and m.match_date >= make_date(
            cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1
        )
)

select
    min(id) as first_id,
    max(id) as last_id,
    match_date,
    player_id,
    team_id,
    other_team_id
from places
where player_id is not null
group by
    match_date,
    team_id,
    other_team_id,
    player_id
having min(id) <> max(id)
