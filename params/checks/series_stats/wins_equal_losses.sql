-- title: Within a series as many matches are won as lost
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: A difference is a team that is missing from the table or stands in the wrong series (incident 27).
-- mend: See which team of the series is missing from the standings or stands in another series, and scrape the standings again.
select
    s.series_id,
    min(s.series) as series,
    sum(s.matches_won) as matches_won,
    sum(s.matches_lost) as matches_lost
from series_stats as s
inner join teams as t on t.id = s.team_id and t.league_id = :league_id
where
    s.league_id = :league_id
    and t.is_active is not false
group by s.series_id
having (sum(s.matches_won) = sum(s.matches_lost)) is not true
