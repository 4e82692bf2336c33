-- Where a line of a team match was found on another date, live may have the other lines of it on that date, too.
update left_wanted as w set day = m.day
from (
    select s.low, s.high, s.match_date, min(l.day) as day
    from tied as t
    join left_wanted as s on s.record_hash = t.record_hash
    join left_live as l on l.id = t.id
    where l.day <> s.match_date
    group by s.low, s.high, s.match_date
    having count(distinct l.day) = 1
) as m
where
    m.low = w.low and m.high = w.high and m.match_date = w.match_date
    and not exists (select from tied as t where t.record_hash = w.record_hash)
