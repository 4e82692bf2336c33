-- One row per team match: does the schedule have the two teams meet within two weeks?
select
    p.fact,
    count(n.fact) > 0 as agrees,
    coalesce(
        'the schedule has ' || string_agg(to_char(m.match_date, 'YYYY-MM-DD'), ' and ' order by m.match_date),
        'the schedule has no such meeting'
    ) as told,
    coalesce(min(abs(p.match_date - m.match_date)), 999) as distance
from team_matches as p
left join meetings as m on m.low = p.low and m.high = p.high
left join paired as n on n.fact = p.fact
group by p.fact
