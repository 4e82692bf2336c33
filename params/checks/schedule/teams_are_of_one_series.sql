-- title: The two teams of a scheduled match play in one series
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: Teams meet within their series; a match across two is in the calendar of another team of the club (incident 46).
-- mend: Look the match up on the site: `rally-etl orphans --repair` for a wrong link, an alias in params/leagues for a wrong name; a meeting across series stays.
select
    s.id,
    s.match_date,
    s.home_team,
    s.away_team,
    h.series_id as home_series_id,
    a.series_id as away_series_id
from schedule as s
inner join teams as h on h.id = s.home_team_id and h.league_id = :league_id
inner join teams as a on a.id = s.away_team_id and a.league_id = :league_id
where
    s.league_id = :league_id
    and (s.match_date > cast(:as_of as date) - 365 or s.created_at > cast(:as_of as date) - 365)
    and h.series_id <> a.series_id
