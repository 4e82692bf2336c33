-- title: A league that was of its usual size has as many active teams, series and players as it can have
-- severity: warn
-- dimension: completeness
-- owner: league-data
-- why: Half a league looks like a whole one on every page but those of the missing half (incident 35: 3,082 of 6,037 persons).
-- mend: Scrape the league again. If it has grown or shrunk in earnest, write the new bounds into the list of this check.
with bounds (league, what, at_least, at_most) as (
    -- About three quarters and five quarters of the seasons 2024-25 and 2025-26. They hold once a league has had that many,
    -- of any other league there must be something.
    values
    ('APTA_CHICAGO', 'teams', 400, 680),
    ('APTA_CHICAGO', 'series', 40, 68),
    ('APTA_CHICAGO', 'players', 5100, 8600),
    ('CNSWPL', 'teams', 210, 360),
    ('CNSWPL', 'series', 22, 37),
    ('CNSWPL', 'players', 1700, 4900),
    ('NSTF', 'teams', 21, 36),
    ('NSTF', 'series', 3, 8),
    ('NSTF', 'players', 500, 1050)
),

counted (what, row_count, ever_count) as (
    select
        'teams',
        count(*) filter (where is_active is not false),
        count(*)
    from teams
    where league_id = :league_id
    union all
    select
        'series',
        count(distinct series_id) filter (where is_active is not false),
        count(distinct series_id)
    from teams
    where league_id = :league_id
    union all
    select
        'players',
        count(*) filter (where is_active is not false),
        count(*)
    from players
    where league_id = :league_id
)

select
    c.what,
    c.row_count,
    b.at_least,
    b.at_most
from counted as c
inner join leagues as l on l.id = :league_id
left join bounds as b on b.what = c.what and b.league = l.league_id and b.at_least <= c.ever_count
where
    c.row_count = 0
    or c.row_count not between b.at_least and b.at_most
