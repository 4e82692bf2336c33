-- title: A team plays in a series of its own league
-- severity: error
-- dimension: consistency
-- owner: league-data
-- why: A series that two leagues share shows the teams of both in one table (incident 42).
-- mend: `rally-etl undo <run>` of the import that wrote it; a row of before: give the team the series of its league by hand.
select
    t.id,
    t.team_name,
    e.id as series_id,
    e.name as series_name
from teams as t
inner join series as e on e.id = t.series_id
where
    t.league_id = :league_id
    and cast(to_jsonb(e) ->> 'league_id' as integer) <> :league_id -- a database may lack the column
