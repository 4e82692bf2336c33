-- Memberships with the live row each one keeps, or the id of the new row.
create temporary table placed_members on commit drop as
select
    m.*,
    f.id as live_id,
    case when f.id is null then {new_id} end as new_id,
    k.tenniscores_player_id as live_player_id
from members as m
left join found_members as f on f.person_key = m.person_key and f.team_id = m.team_id
left join known_persons as k on k.person_key = m.person_key
