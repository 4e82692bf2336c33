-- One row per team match that the schedule has within two weeks: is it on the same day?
select
    fact,
    match_date = scheduled_date as agrees,
    format('scheduled on %s', scheduled_date) as told,
    abs(match_date - scheduled_date) as distance
from paired
