-- Tail of a query after recomputed.sql: one row per active team that has played and whose row nobody printed, with the
-- live row that was computed before, and the share of the teams that have played and whose row somebody has printed.
,

printed as (
    select
        team_id,
        series,
        team
    from series_stats
    where league_id = :league_id and not id = any(:computed_ids)
),

played as (
    select
        t.id as team_id,
        t.team_name,
        t.series_id,
        e.name as series_name,
        -- a row that older importers linked to no team is one, too: it has the key that a second one would need
        exists (select from printed as p where p.team_id = t.id)
        or exists (select from printed as p where p.series = e.name and p.team = t.team_name) as is_printed,
        c.id
    from recomputed as r
    inner join teams as t on t.id = r.team_id and t.league_id = :league_id and t.is_active is not false
    inner join series as e on e.id = t.series_id
    left join (
        select min(id) as id, team_id from series_stats where id = any(:computed_ids) group by team_id
    ) as c on c.team_id = t.id
),

coverage as (
    select
        count(*) as teams,
        avg(cast(is_printed as integer)) as share
    from played
)

select
    p.id,
    cast(:league_id as integer) as league_id,
    p.series_name as series,
    p.team_name as team,
    p.series_id,
    p.team_id,
    floor(r.points) as points,
    r.matches_won,
    r.matches_lost,
    r.matches_tied,
    r.lines_won,
    r.lines_lost,
    r.sets_won,
    r.sets_lost,
    r.games_won,
    r.games_lost,
    c.share as covered_share
from played as p
inner join recomputed as r on r.team_id = p.team_id
cross join coverage as c
where
    not p.is_printed
    and (p.id is not null or (c.share < :below and c.teams >= :teams))
