-- title: A scheduled match of a team of the league belongs to the league
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: A match without a league is on no calendar of the league, and no other check sees it.
-- mend: Take the import back with `rally-etl undo <run>`; a row of before: write its league_id by hand, it is that of its teams.
select distinct
    s.id,
    s.match_date,
    s.home_team,
    s.away_team
from schedule as s
inner join teams as t on t.id = s.home_team_id or t.id = s.away_team_id
where
    s.league_id is null
    and t.league_id = :league_id
    and s.home_team not ilike '%practice%'
    and s.away_team <> ''
