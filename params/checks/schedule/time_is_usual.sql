-- title: A match of this season begins between seven in the morning and ten in the evening
-- severity: warn
-- dimension: validity
-- owner: league-data
-- why: A time that is missing, or am for pm, sends people to the courts at the wrong hour.
-- mend: Look the match up on the site and scrape the schedule again; a time that stays wrong is put right by hand.
select
    id,
    match_date,
    match_time,
    home_team,
    away_team
from schedule
where
    league_id = :league_id
    and match_date >= make_date(cast(extract(year from cast(:as_of as date) - interval '7 months') as integer), 8, 1)
    and away_team <> ''
    and (match_time between time '07:00' and time '22:00') is not true
