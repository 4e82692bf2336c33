-- title: An active team has active players
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: A team without players is offered in drop-downs and shows an empty page (incident 11: 110 phantom teams).
-- mend: Scrape the roster of the series again; a team that the league does not have: `rally-etl merge teams <id> into <id>`.
-- max_failing_share: 0.01
-- share_of: teams
select
    t.id,
    t.team_name
from teams as t
where
    t.league_id = :league_id
    and t.is_active is not false
    and not exists (
        select from players as p
        where
            p.league_id = :league_id
            and p.team_id = t.id
            and p.is_active is not false
    )
