-- title: The teams that a match line is linked to exist in its league
-- severity: error
-- dimension: consistency
-- owner: league-data
-- why: A link to a team that is gone opens an empty page, or another team once its id is used again.
-- mend: `rally-etl orphans --repair` puts the row on the team that it names.
select
    m.id,
    m.match_date,
    m.home_team,
    m.away_team,
    m.home_team_id,
    m.away_team_id
from match_scores as m
left join teams as h on h.id = m.home_team_id and h.league_id = :league_id
left join teams as a on a.id = m.away_team_id and a.league_id = :league_id
where
    m.league_id = :league_id
    and ((h.id is null and m.home_team_id is not null) or (a.id is null and m.away_team_id is not null))
