-- One row per person and team with a match on the roster or in the match file: are there as many?
select
    format('%s (%s)', r.player_name, r.team_name) as fact,
    r.won + r.lost = coalesce(w.won + w.lost, 0) as agrees,
    format('%s-%s on the roster, %s-%s in lines', r.won, r.lost, coalesce(w.won, 0), coalesce(w.lost, 0)) as told,
    abs(r.won + r.lost - coalesce(w.won + w.lost, 0)) as distance
from rosters as r
left join played as w on w.person_key = r.person_key and w.team_id = r.team_id
where r.won + r.lost > 0 or w.won + w.lost > 0
