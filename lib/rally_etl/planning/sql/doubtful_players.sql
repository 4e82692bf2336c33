-- How many persons played for each side of each meeting in doubt (team NULL), and how many of them each roster holds.
with seats as (
    select distinct
        d.pair,
        coalesce(split_part(s.match_id, '_Line', 1), cast(s.match_date as text), '') as meeting,
        seat.is_home <> d.is_turned as is_first,
        regexp_replace(seat.player_id, :id_prefix, '') as person_key
    from etl.staged_match_scores as s
    join doubtful_pairs as d
        on d.home = s.home_team and d.away = s.away_team and d.series = coalesce(s.series, '')
    cross join lateral (
        values
        (true, s.home_player_1_id), (true, s.home_player_2_id), (false, s.away_player_1_id), (false, s.away_player_2_id)
    ) as seat (is_home, player_id)
    where s.league = :league and seat.player_id is not null
)

select pair, meeting, is_first, cast(null as integer) as team, count(*) as people
from seats
group by pair, meeting, is_first
union all
select s.pair, s.meeting, s.is_first, r.team, count(*)
from seats as s
join asked_rosters as r on r.person_key = s.person_key
group by s.pair, s.meeting, s.is_first, r.team
