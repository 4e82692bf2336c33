-- title: A club with active teams has the name of a club and not of a team
-- severity: error
-- dimension: validity
-- owner: league-data
-- why: The scraper prints the team in the column of the club; such a club stands at registration beside the right one (incident 40).
-- mend: `rally-etl merge clubs <id> into <id>`, and write the spelling into params/clubs.yaml so that no import makes it again.
select distinct
    c.id,
    c.name
from clubs as c
inner join teams as t on t.club_id = c.id
where
    t.league_id = :league_id
    and t.is_active is not false
    and (btrim(c.name) <> '' and c.name !~ '( \d{1,2}[A-Za-z]?| SW| I{1,3}| S?N \(\d\)|\(S\)| -)$') is not true
