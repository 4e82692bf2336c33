-- title: The two teams of a match line play in one series
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: Teams meet within their series; a line across two is on the page of another team of the club (incidents 25 and 26).
-- mend: Look the match up on the site: `rally-etl orphans --repair` for a wrong link, an alias in params/leagues for a wrong name; a meeting across series stays.
select
    m.id,
    m.match_date,
    m.home_team,
    m.away_team,
    h.series_id as home_series_id,
    a.series_id as away_series_id
from match_scores as m
inner join teams as h on h.id = m.home_team_id and h.league_id = :league_id
inner join teams as a on a.id = m.away_team_id and a.league_id = :league_id
where
    m.league_id = :league_id
    and (m.match_date > cast(:as_of as date) - 365 or m.created_at > cast(:as_of as date) - 365)
    and h.series_id <> a.series_id
