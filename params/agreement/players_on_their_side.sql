-- One row per seat of a line whose person stands on the roster of one of the two teams: is it the team of that side?
with seats as (
    select
        format('%s v %s on %s', l.home, l.away, l.match_date) as fact,
        regexp_replace(seat.player_id, :id_prefix, '') as person_key,
        seat.own_id,
        seat.other_id
    from lines as l
    cross join lateral (
        values
        (l.home_id, l.away_id, l.home_player_1_id),
        (l.home_id, l.away_id, l.home_player_2_id),
        (l.away_id, l.home_id, l.away_player_1_id),
        (l.away_id, l.home_id, l.away_player_2_id)
    ) as seat (own_id, other_id, player_id)
    where seat.player_id is not null
)

select
    s.fact,
    own.person_key is not null as agrees,
    format('%s plays against %s', other.player_name, other.team_name) as told,
    0 as distance
from seats as s
left join rosters as own on own.person_key = s.person_key and own.team_id = s.own_id
left join rosters as other on other.person_key = s.person_key and other.team_id = s.other_id
where own.person_key is not null or other.person_key is not null
