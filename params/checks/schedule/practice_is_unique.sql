-- title: A team has one practice at a time
-- severity: warn
-- dimension: uniqueness
-- owner: league-data
-- why: Practices that stand twice fill the page and push matches off it (incident 3: 3,470,114 rows; incident 12: 2,058).
-- mend: Find out which program writes them, stop it, then delete the doubles by hand and keep the oldest row: they are rows of users, no import touches them.
select
    min(id) as first_id,
    max(id) as last_id,
    match_date,
    match_time,
    home_team_id,
    home_team,
    count(*) as practice_count
from schedule
where
    league_id = :league_id
    and home_team ilike '%practice%'
    and (away_team <> '') is not true
group by
    match_date,
    match_time,
    home_team_id,
    home_team
having count(*) > 1
