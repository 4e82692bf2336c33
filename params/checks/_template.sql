-- title: What is true of every row, as a sentence
-- severity: warn
-- dimension: validity
-- owner: league-data
-- why: What users see, or what goes wrong next, if it is not true.
-- mend: What to do about the rows that it finds: where to look first, which command.
select
    id,
    team_name
from teams
where
    league_id = :league_id
    and (team_name <> '') is not true
