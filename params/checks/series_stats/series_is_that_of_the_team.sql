-- title: A row of the standings stands in the series of its team
-- severity: error
-- dimension: consistency
-- owner: league-data
-- why: In another series the team is missing from its own table and a stranger in the other (incident 27: H(1), H(2), H(3) under H).
-- mend: Scrape the standings again; a team in the wrong series: mend the form of its name in params/leagues, then scrape again.
select
    s.id,
    s.team,
    s.series,
    s.series_id,
    t.series_id as team_series_id
from series_stats as s
inner join teams as t on t.id = s.team_id and t.league_id = :league_id
where
    s.league_id = :league_id
    and t.is_active is not false
    and (s.series_id = t.series_id) is not true
