-- title: Somebody of each side of a match line plays for a team of the side's club
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: Substitutes come from other teams of the club; a side of strangers is a line of others, and its players get a record that is not theirs (incident 32).
-- mend: Compare the line with the site; scrape the matches again. A guest of another club stays: tell the owner of this check.
with roster as materialized (
    select distinct
        tenniscores_player_id as player_id,
        club_id
    from players
    where league_id = :league_id
),

sides as (
    select
        m.id,
        m.match_date,
        t.team_name,
        t.club_id,
        s.first_id,
        s.second_id
    from match_scores as m
    cross join lateral (
        values
        (m.home_team_id, m.home_player_1_id, m.home_player_2_id),
        (m.away_team_id, m.away_player_1_id, m.away_player_2_id)
    ) as s (team_id, first_id, second_id)
    inner join teams as t on s.team_id = t.id and t.league_id = :league_id
    where
        m.league_id = :league_id
        and m.match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
        and (btrim(s.first_id) <> '' or btrim(s.second_id) <> '')
)

select
    d.id,
    d.match_date,
    d.team_name,
    d.first_id,
    d.second_id
from sides as d
where
    not exists (select from roster as r where r.player_id = d.first_id and r.club_id = d.club_id)
    and not exists (select from roster as r where r.player_id = d.second_id and r.club_id = d.club_id)
