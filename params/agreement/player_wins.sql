-- One row per person and team with as many matches on the roster as in the match file: are as many of them won?
select
    format('%s (%s)', r.player_name, r.team_name) as fact,
    r.won = w.won as agrees,
    format('%s-%s on the roster, %s-%s in lines', r.won, r.lost, w.won, w.lost) as told,
    abs(r.won - w.won) as distance
from rosters as r
join played as w on w.person_key = r.person_key and w.team_id = r.team_id
where r.won + r.lost = w.won + w.lost and r.won + r.lost > 0
