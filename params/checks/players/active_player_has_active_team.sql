-- title: An active player belongs to an active team of the league
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: Polls and availability ask for the team of a player; without one the page is empty (incident 39).
-- mend: Scrape the roster again; a person whose team is gone is switched off by an import of the whole roster.
select
    p.id,
    p.tenniscores_player_id,
    p.first_name,
    p.last_name,
    p.team_id
from players as p
left join teams as t on t.id = p.team_id and t.league_id = :league_id
where
    p.league_id = :league_id
    and p.is_active is not false
    and (t.id is null or t.is_active is false)
