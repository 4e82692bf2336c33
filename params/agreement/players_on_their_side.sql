-- One row per person and meeting of two teams, on one of whose rosters the person stands: on that team's side?
with seats as (
    select
        seat.player_id,
        seat.own_id,
        seat.other_id,
        min(l.match_date) as match_date,
        count(*) as line_count
    from lines as l
    cross join lateral (
        values
        (l.home_id, l.away_id, l.home_player_1_id),
        (l.home_id, l.away_id, l.home_player_2_id),
        (l.away_id, l.home_id, l.away_player_1_id),
        (l.away_id, l.home_id, l.away_player_2_id)
    ) as seat (own_id, other_id, player_id)
    where seat.player_id is not null
    group by seat.player_id, seat.own_id, seat.other_id
),

people as (
    select
        s.*,
        regexp_replace(s.player_id, :id_prefix, '') as person_key
    from seats as s
)

select
    format('%s on %s', coalesce(other.player_name, own.player_name), p.match_date) as fact,
    own.person_key is not null as agrees,
    format('plays against %s, the own team', other.team_name) as told,
    p.line_count as distance
from people as p
left join rosters as own on own.person_key = p.person_key and own.team_id = p.own_id
left join rosters as other on other.person_key = p.person_key and other.team_id = p.other_id
where own.person_key is not null or other.person_key is not null
