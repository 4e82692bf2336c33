-- title: A row of the standings of a team of the league belongs to the league
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: A row without a league is in no table, and no other check sees it.
-- mend: Take the import back with `rally-etl undo <run>`; a row of before: write its league_id by hand, it is that of its team.
select
    s.id,
    s.series,
    s.team
from series_stats as s
inner join teams as t on t.id = s.team_id
where
    s.league_id is null
    and t.league_id = :league_id
