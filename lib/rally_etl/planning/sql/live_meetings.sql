-- Who meets whom on the live schedule of the season of which the scrape speaks: earlier ones had others. Lines begin up
-- to two months later than the schedule: the first weeks may be missing, or printed with later dates.
select distinct home_team, away_team, home_team_id, away_team_id
from public.schedule
where
    league_id = :league_id and home_team !~* 'practice' and coalesce(away_team, '') <> ''
    and match_date >= coalesce(
        (select min(match_date) from etl.staged_schedules where league = :league),
        (select min(match_date) - 60 from etl.staged_match_scores where league = :league),
        '-infinity'
    )
