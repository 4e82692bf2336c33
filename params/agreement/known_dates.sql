-- One row per live line that the match file still has: does it tell the same day? Live keeps days that are right.
select
    format('%s v %s', k.home_team, k.away_team) as fact,
    coalesce(d.printed_date, p.match_date, k.match_date) is not distinct from k.match_date as agrees,
    format('printed on %s, was on %s', coalesce(d.printed_date, p.match_date), k.match_date) as told,
    abs(coalesce(d.printed_date, p.match_date) - k.match_date) as distance
from known_lines as k
left join match_scores as p on p.id = k.id and p._op = 'update'
left join kept_dates as d on d.id = k.id and d.league = :league
