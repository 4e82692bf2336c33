-- title: At least 99 % of the active teams have active players
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: A team without players is offered in drop-downs and shows an empty page (incident 11: 110 phantom teams).
-- mend: Scrape the roster of the series again; a team that the league does not have: `rally-etl merge teams <id> into <id>`.
with staffed as (
    select distinct team_id
    from players
    where
        league_id = :league_id
        and is_active is not false
),

compared as (
    select
        t.id,
        t.team_name,
        p.team_id is null as is_empty,
        count(*) filter (where p.team_id is null) over () as empty_count,
        count(*) over () as team_count
    from teams as t
    left join staffed as p on p.team_id = t.id
    where
        t.league_id = :league_id
        and t.is_active is not false
)

select
    id,
    team_name
from compared
where
    is_empty
    and empty_count > 0.01 * team_count
