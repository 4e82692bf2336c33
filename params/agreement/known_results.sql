-- One row per live line that the match file still has: does it tell the same result?
select
    format('%s v %s on %s', k.home_team, k.away_team, k.match_date) as fact,
    p.id is null or (
        p.winner is not distinct from k.winner
        and p.scores is not distinct from k.scores
        and p.home_team_id is not distinct from k.home_team_id
        and p.away_team_id is not distinct from k.away_team_id
    ) as agrees,
    format('%s (%s) was %s (%s)', p.scores, coalesce(p.winner, 'tie'), k.scores, coalesce(k.winner, 'tie')) as told,
    case when p.winner is distinct from k.winner then 1 else 0 end as distance
from known_lines as k
left join match_scores as p on p.id = k.id and p._op = 'update'
