-- title: Within a series as many matches, sets and games are won as lost
-- severity: warn
-- dimension: consistency
-- owner: league-data
-- why: A difference is a team that is missing from the table or stands in the wrong series (incident 27).
-- mend: See which team of the series is missing from the standings or stands in another series, and scrape the standings again.
select
    s.series_id,
    min(s.series) as series,
    sum(s.matches_won) as matches_won,
    sum(s.matches_lost) as matches_lost,
    sum(s.sets_won) as sets_won,
    sum(s.sets_lost) as sets_lost,
    sum(s.games_won) as games_won,
    sum(s.games_lost) as games_lost
from series_stats as s
inner join teams as t on t.id = s.team_id and t.league_id = :league_id
where
    s.league_id = :league_id
    and t.is_active is not false
group by s.series_id
having
    (
        sum(s.matches_won) = sum(s.matches_lost)
        and sum(s.sets_won) = sum(s.sets_lost)
        and sum(s.games_won) = sum(s.games_lost)
    ) is not true
