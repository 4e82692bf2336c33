-- title: At least 99.5 % of this season's matches are played at the club of the same side
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: A file prints the host always first or always second; where it changes, home and away were mixed up.
-- mend: Mend the scraper and scrape the schedule again; look a few of the matches up on the site.
with known as materialized (
    select
        t.id,
        c.name
    from teams as t
    inner join clubs as c on c.id = t.club_id
    where t.league_id = :league_id
),

hosted as materialized (
    select
        s.id,
        s.match_date,
        s.home_team,
        s.away_team,
        s.location,
        s.location = h.name as is_at_home,
        count(*) filter (where s.location = h.name) over () as at_home_count,
        count(*) over () as match_count
    from schedule as s
    inner join known as h on h.id = s.home_team_id
    inner join known as a on a.id = s.away_team_id
    where
        s.league_id = :league_id
        and s.match_date >= make_date(
            cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1
        )
        and (s.location = h.name) <> (s.location = a.name)
)

select
    id,
    match_date,
    home_team,
    away_team,
    location
from hosted
where
    is_at_home = (at_home_count * 2 < match_count)
    and least(at_home_count, match_count - at_home_count) > 0.005 * match_count
