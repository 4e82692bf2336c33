-- title: A league that was of its usual size has as many active teams, series and players as it can have
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: Half a league looks like a whole one on every page but those of the missing half (incident 35: 3,082 of 6,037 persons).
-- mend: Scrape the league again. If it has grown or shrunk in earnest, write the new bounds into the list of this check.
with bounds (league, what, at_least, at_most) as (
    -- About three quarters and five quarters of the seasons 2024-25 and 2025-26. Any other league must not be empty,
    -- nor one that never had that many teams: a league of trial.
    values
    ('APTA_CHICAGO', 'teams', 400, 680),
    ('APTA_CHICAGO', 'series', 40, 68),
    ('APTA_CHICAGO', 'players', 5100, 8600),
    ('CNSWPL', 'teams', 210, 360),
    ('CNSWPL', 'series', 22, 37),
    ('CNSWPL', 'players', 1700, 4900),
    ('NSTF', 'teams', 21, 36),
    ('NSTF', 'series', 3, 8),
    ('NSTF', 'players', 500, 1050),
    ('', 'teams', 1, 2000),
    ('', 'series', 1, 200),
    ('', 'players', 1, 30000)
),

counted (what, row_count) as (
    select
        'teams',
        count(*)
    from teams
    where league_id = :league_id and is_active is not false
    union all
    select
        'series',
        count(distinct series_id)
    from teams
    where league_id = :league_id and is_active is not false
    union all
    select
        'players',
        count(*)
    from players
    where league_id = :league_id and is_active is not false
)

select
    c.what,
    c.row_count,
    b.at_least,
    b.at_most
from counted as c
inner join bounds as b on b.what = c.what
inner join leagues as l on l.id = :league_id
where
    b.league = coalesce(
        (
            select o.league
            from bounds as o
            where
                o.league = l.league_id
                and o.what = 'teams'
                and o.at_least <= (select count(*) from teams as t where t.league_id = :league_id)
        ),
        ''
    )
    and c.row_count not between b.at_least and b.at_most
