-- title: The team names of a match line of this season are those of its teams
-- severity: error
-- dimension: consistency
-- owner: league-data
-- why: Half of the application joins by name and half by id; where they differ a team sees the matches of another (incident 25: 2,902 rows).
-- mend: `rally-etl orphans` shows for each row which team it names; `rally-etl orphans --repair` puts it on that team.
select
    m.id,
    m.match_date,
    m.home_team,
    h.team_name as home_team_name,
    m.away_team,
    a.team_name as away_team_name
from match_scores as m
left join teams as h on h.id = m.home_team_id and h.league_id = :league_id
left join teams as a on a.id = m.away_team_id and a.league_id = :league_id
where
    m.league_id = :league_id
    and m.match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
    and ((h.team_name <> m.home_team) is true or (a.team_name <> m.away_team) is true)
