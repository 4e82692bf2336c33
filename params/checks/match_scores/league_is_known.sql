-- title: A match line of a team of the league belongs to the league
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: A line without a league is on no page, and no other check sees it.
-- mend: Take the import back with `rally-etl undo <run>`; a row of before: write its league_id by hand, it is that of its teams.
select distinct
    m.id,
    m.match_date,
    m.home_team,
    m.away_team
from match_scores as m
inner join teams as t on t.id = m.home_team_id or t.id = m.away_team_id
where
    m.league_id is null
    and t.league_id = :league_id
