-- title: The names in the standings of an active team are those of the team and of its series
-- severity: error
-- dimension: consistency
-- owner: league-data
-- why: The series table joins by name and the team page by id; where they differ the row loses its team.
-- mend: `rally-etl orphans --repair` puts the row on the team that it names; series in another spelling: `rally-etl names normalise <league>`.
select
    s.id,
    s.team,
    t.team_name,
    s.series,
    e.name as series_name
from series_stats as s
inner join teams as t on t.id = s.team_id and t.league_id = :league_id
left join series as e on e.id = s.series_id
where
    s.league_id = :league_id
    and t.is_active is not false
    and ((t.team_name <> s.team) is true or (e.name <> s.series) is true)
