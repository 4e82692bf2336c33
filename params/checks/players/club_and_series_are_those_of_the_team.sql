-- title: The club and series of an active player are those of the team
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: The session takes club and series from the player and the pages from the team; they show different tables.
-- mend: Scrape the roster again: an import writes club and series of the team; what stays is a row that no roster names, put right by hand.
select
    p.id,
    p.tenniscores_player_id,
    p.team_id,
    p.club_id,
    p.series_id,
    t.club_id as team_club_id,
    t.series_id as team_series_id
from players as p
inner join teams as t on t.id = p.team_id and t.league_id = :league_id
where
    p.league_id = :league_id
    and p.is_active is not false
    and (p.club_id = t.club_id and p.series_id = t.series_id) is not true
