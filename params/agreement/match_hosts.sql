-- One row per team match that the schedule has: is the host of the one file the host, or the guest, of the other, as in
-- most team matches? Leagues differ in what the schedule puts first; within a league all rows are alike.
select
    fact,
    (home_id = scheduled_home_id) = (select mode() within group (order by home_id = scheduled_home_id) from paired)
    as agrees,
    format('scheduled on %s with the sides the other way than most', scheduled_date) as told,
    0 as distance
from paired
