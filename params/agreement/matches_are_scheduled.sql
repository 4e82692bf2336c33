-- One row per team match: does the schedule have the two teams meet within two weeks?
select
    p.fact,
    coalesce(min(abs(p.match_date - m.match_date)) <= 14, false) as agrees,
    coalesce(
        'the schedule has ' || string_agg(to_char(m.match_date, 'YYYY-MM-DD'), ' and ' order by m.match_date),
        'the schedule has no such meeting'
    ) as told,
    coalesce(min(abs(p.match_date - m.match_date)), 999) as distance
from team_matches as p
left join meetings as m on m.low = p.low and m.high = p.high
group by p.match_date, p.home_id, p.away_id, p.fact
